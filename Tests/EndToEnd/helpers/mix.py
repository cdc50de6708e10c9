#!/usr/bin/python3
"""Traffic of every kind, much of it broken off: mix.py SECONDS THREADS HOST...

What the nodes answer is not looked at here; what stays behind in them is the question. Prints how often each kind ran.
"""
import collections
import os
import random
import socket
import struct
import sys
import threading
import time

PORT = 7776
TIMEOUT_SECONDS = 20
DATA = os.urandom(2 << 20)


def connect(host):
    return socket.create_connection((host, PORT), TIMEOUT_SECONDS)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drain(connection):
    while connection.recv(1 << 18):
        pass


def talk(host, *parts, half_close=True, read=True):
    with connect(host) as connection:
        for part in parts:
            connection.sendall(part)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        if read:
            drain(connection)


def http(method, target, *fields):
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: test", *fields, "", ""]
    return "\r\n".join(lines).encode()


class Mix:
    def __init__(self, generator):
        self.r = generator

    def key(self):
        return "mix-%d" % self.r.randrange(40)

    def data(self):
        return DATA[:self.r.choice((0, 1, 1000, 60_000, 300_000, 2 << 20))]

    def put(self, host):
        talk(host, b"PUT %s\n" % self.key().encode(), self.data())

    def put_stated(self, host):
        data = self.data()
        talk(host, b"PUT %s %d\n" % (self.key().encode(), len(data)), data)

    def get(self, host):
        talk(host, b"GET %s\n" % self.key().encode())

    def delete(self, host):
        talk(host, b"DEL %s\n" % self.key().encode())

    def put_http(self, host):
        data = self.data()
        talk(host, http("PUT", "/" + self.key(), "Content-Length: %d" % len(data), "Connection: close"), data)

    def keep_alive(self, host):
        data = self.data()
        talk(
            host, http("GET", "/" + self.key()), http("PUT", "/" + self.key(), "Content-Length: %d" % len(data)), data,
            http("GET", "/" + self.key(), "Range: bytes=5-500"), http("HEAD", "/" + self.key()),
            http("DELETE", "/" + self.key(), "Connection: close"))

    def pages(self, host):
        talk(host, http("GET", "/mix?list&limit=10"), http("GET", "/?status", "Connection: close"))

    def put_reset(self, host):
        with connect(host) as connection:
            connection.sendall(b"PUT %s\n" % self.key().encode() + self.data())
            reset(connection)

    def put_short(self, host):
        talk(host, b"PUT %s 3000000\n" % self.key().encode(), self.data())

    def put_http_short(self, host):
        talk(host, http("PUT", "/" + self.key(), "Content-Length: 3000000"), self.data())

    def put_too_long(self, host):
        talk(host, b"PUT %s 100\n" % self.key().encode(), DATA)

    def put_chunks_of_rubbish(self, host):
        talk(host, http("PUT", "/" + self.key(), "Transfer-Encoding: chunked"), b"5\r\nhello\r\nzz\r\n", self.data())

    def get_and_leave(self, host):
        with connect(host) as connection:
            connection.sendall(b"GET %s\n" % self.key().encode())
            connection.recv(1000)

    def get_and_reset(self, host):
        with connect(host) as connection:
            connection.sendall(http("GET", "/" + self.key()))
            connection.recv(1000)
            reset(connection)

    def expect_and_leave(self, host):
        with connect(host) as connection:
            connection.sendall(http("PUT", "/" + self.key(), "Content-Length: 3000000", "Expect: 100-continue"))
            connection.recv(1000)

    def come_and_go(self, host):
        connect(host).close()

    def half_a_line(self, host):
        talk(host, b"PUT mix", half_close=self.r.random() < 0.5, read=False)

    def nonsense(self, host):
        talk(host, self.r.choice((b"HELLO\n", b"\0" * 5000, b"GET\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")))

    def gigantic_head(self, host):
        talk(host, b"GET /a HTTP/1.1\r\nHost: test\r\nX: " + b"y" * 200_000)


def main():
    seconds, threads, hosts = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    end = time.monotonic() + seconds
    counts = collections.Counter()
    kinds = [name for name in vars(Mix) if name not in ("key", "data") and not name.startswith("__")]

    def work(seed):
        generator = random.Random(seed)
        mix = Mix(generator)
        while time.monotonic() < end:
            kind = generator.choice(kinds)
            try:
                getattr(mix, kind)(generator.choice(hosts))
            except OSError:
                pass  # Reset, as many of these deserve.
            counts[kind] += 1

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(sum(counts.values()), "in all:", dict(counts))


main()
