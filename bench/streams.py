#!/usr/bin/python3
"""Values that stream without end: streams.py HOST:PORT FILE BYTES READY KEY...

Each key has a process and a connection, kept: every other key is fetched again and again, and the others are stored,
with the bytes of FILE, repeated until they are BYTES. The values that are fetched are stored first. Makes the file
READY once all have moved their first bytes; at SIGTERM it prints the GiB/s that all have moved since then. Ends with
status 1 as soon as an answer is wrong.
"""
import mmap
import os
import signal
import struct
import sys
import time

from client import HTTP, BUFFER_BYTES, WrongAnswer, put_head

ENDINGS = {signal.SIGTERM, signal.SIGCHLD}


class Stream:
    """One of them. What it has moved stands in memory that it shares with the others."""

    def __init__(self, number, key, address, source, length, moved):
        self.number, self.key, self.source, self.length, self.moved = number, key, source, length, moved
        self.is_fetched = number % 2 == 0
        self.client = HTTP(address)

    def prepare(self):
        if self.is_fetched:
            self.client.put(self.key, self.source, self.length)

    def run(self, parent):
        """Until the parent is gone, should it not end this."""
        while os.getppid() == parent:
            if self.is_fetched:
                self.fetch()
            else:
                self.store()

    def fetch(self):
        self.client.connection.sendall(b"GET /%s HTTP/1.1\r\nHost: bench\r\n\r\n" % self.key.encode())
        left = self.client.answer_length(self.key)
        if left != self.length:
            raise WrongAnswer("%s: %d bytes, not %d" % (self.key, left, self.length))
        while left > 0:
            piece = min(left, BUFFER_BYTES)
            self.client.discard(piece)
            left = self.count(left, piece)

    def store(self):
        self.client.connection.sendall(put_head(self.key, self.length))
        size, left = os.fstat(self.source.fileno()).st_size, self.length
        while left > 0:
            left = self.count(left, self.client.connection.sendfile(self.source, 0, min(left, size, BUFFER_BYTES)))
        self.client.discard(self.client.answer_length(self.key))

    def count(self, left, piece):
        offset = 8 * self.number
        struct.pack_into("q", self.moved, offset, struct.unpack_from("q", self.moved, offset)[0] + piece)
        return left - piece


def begin(stream):
    parent = os.getpid()
    child = os.fork()
    if child != 0:
        return child
    try:
        stream.run(parent)
    except (OSError, WrongAnswer) as error:
        print("streams.py: %s" % error, file=sys.stderr)
    os._exit(1)


def main():
    address, path, length, ready, keys = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:]
    moved = mmap.mmap(-1, 8 * len(keys))
    source = open(path, "rb", buffering=0)
    try:
        streams = [Stream(number, key, address, source, length, moved) for number, key in enumerate(keys)]
        for stream in streams:
            stream.prepare()
    except (OSError, WrongAnswer) as error:
        sys.exit("streams.py: %s" % error)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    children = [begin(stream) for stream in streams]

    def counts():
        return struct.unpack("%dq" % len(keys), moved[:])
    ending = None
    while ending is None and min(counts()) == 0:
        ending = signal.sigtimedwait(ENDINGS, 0.01)
    start, before = time.monotonic(), sum(counts())
    if ending is None:
        open(ready, "w").close()
        ending = signal.sigwaitinfo(ENDINGS)
    rate = (sum(counts()) - before) / (time.monotonic() - start) / (1 << 30)
    for child in children:
        os.kill(child, signal.SIGKILL)
    if ending.si_signo == signal.SIGCHLD:
        sys.exit(1)
    print("%.2f" % rate)


main()
