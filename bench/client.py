#!/usr/bin/python3
"""The client of the benches: cheap enough to leave the processors to the servers that are measured.

client.py put DIALECT HOST:PORT FILE BYTES TIMES KEY...   stores the bytes of FILE, repeated until they are BYTES
client.py get DIALECT HOST:PORT BYTES TIMES KEY...        fetches values of that length
client.py fill HOST:PORT BYTES FIRST END PREFIX           stores small values as PREFIX<FIRST> … PREFIX<END - 1>
client.py latency put|get HOST:PORT BYTES TIMES END PREFIX   one request at a time, of PREFIX0 … PREFIX<END - 1>
client.py pace HOST:PORT BYTES SECONDS KEY                fetches one value again and again for so many seconds

DIALECT is http (one connection a key, kept) or classic (one a transfer). put and get have one process a key, which
makes TIMES transfers of it; they print the seconds from when all were connected to the last answer. latency and
pace print the median and the 99th percentile in microseconds. Wrong answers end it with status 1.
"""
import os
import random
import socket
import sys
import time

TIMEOUT_SECONDS = 600
BUFFER_BYTES = 1 << 20
FILL_PROCESSES = 4
FILL_BATCH = 100


class WrongAnswer(Exception):
    pass


class HTTP:
    """Requests over one connection, which is kept."""

    def __init__(self, address):
        self.connection = connect(address)
        self.buffer = memoryview(bytearray(BUFFER_BYTES))
        # What was received of an answer that nobody has asked for yet.
        self.rest = b""

    def put(self, key, source, length):
        self.connection.sendall(put_head(key, length), socket.MSG_MORE)
        send_repeated(self.connection, source, length)
        self.discard(self.answer_length(key))

    def get(self, key, length):
        self.connection.sendall(b"GET /%s HTTP/1.1\r\nHost: bench\r\n\r\n" % key.encode())
        answer_length = self.answer_length(key)
        if answer_length != length:
            raise WrongAnswer("%s: %d bytes, not %d" % (key, answer_length, length))
        self.discard(answer_length)

    def answer_length(self, key):
        """Receives the head of an answer."""
        while b"\r\n\r\n" not in self.rest:
            received = self.connection.recv(BUFFER_BYTES)
            if not received:
                raise WrongAnswer("%s: the connection was closed" % key)
            self.rest += received
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        status, *lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines)
        if status.split()[1] not in ("200", "201", "204"):
            raise WrongAnswer("%s: %s" % (key, status))
        if status.split()[1] == "204":
            return 0
        return int(fields["content-length"])

    def discard(self, length):
        taken = min(length, len(self.rest))
        self.rest = self.rest[taken:]
        receive(self.connection, self.buffer, length - taken)


class Classic:
    """Requests as nc makes them: each has its connection, and ends with the stream."""

    def __init__(self, address):
        self.address = address
        self.buffer = memoryview(bytearray(BUFFER_BYTES))

    def put(self, key, source, length):
        with connect(self.address) as connection:
            connection.sendall(b"PUT %s\n" % key.encode(), socket.MSG_MORE)
            send_repeated(connection, source, length)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.makefile("rb").read()
        if answer != key.encode() + b"\n":
            raise WrongAnswer("%s: %r" % (key, answer[:200]))

    def get(self, key, length):
        with connect(self.address) as connection:
            connection.sendall(b"GET %s\n" % key.encode())
            receive(connection, self.buffer, length)
            if connection.recv(1):
                raise WrongAnswer("%s: more than %d bytes" % (key, length))


DIALECTS = {"http": HTTP, "classic": Classic}


def connect(address):
    host, port = address.split(":")
    connection = socket.create_connection((host, int(port)), TIMEOUT_SECONDS)
    # The last segment of a value must not wait for an acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def put_head(key, length):
    return b"PUT /%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % (key.encode(), length)


def send_repeated(connection, source, length):
    size = os.fstat(source.fileno()).st_size
    while length > 0:
        length -= connection.sendfile(source, 0, min(length, size))


def receive(connection, buffer, length):
    while length > 0:
        count = connection.recv_into(buffer, min(length, len(buffer)))
        if count == 0:
            raise WrongAnswer("the answer ended %d bytes early" % length)
        length -= count


def in_processes(count, prepare):
    """Runs prepare(number)() in a process for each number, the calls at the same time; returns the seconds."""
    ready_reader, ready_writer = os.pipe()
    start_reader, start_writer = os.pipe()
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.close(start_writer)
            os._exit(run_one(number, prepare, ready_writer, start_reader))
        children.append(child)
    os.close(ready_writer)
    ready = 0
    while ready < count:
        arrived = len(os.read(ready_reader, count))
        if arrived == 0:
            break
        ready += arrived
    start = time.monotonic()
    os.close(start_writer)
    statuses = [os.waitpid(child, 0)[1] for child in children]
    seconds = time.monotonic() - start
    if any(statuses):
        sys.exit(1)
    return seconds


def run_one(number, prepare, ready_writer, start_reader):
    try:
        work = prepare(number)
        os.write(ready_writer, b".")
        os.close(ready_writer)
        os.read(start_reader, 1)
        work()
    except (OSError, WrongAnswer) as error:
        print("client.py: %s" % error, file=sys.stderr)
        return 1
    return 0


def put(dialect, address, path, length, times, *keys):
    def prepare(number):
        client = DIALECTS[dialect](address)
        source = open(path, "rb", buffering=0)
        return lambda: repeat(int(times), lambda: client.put(keys[number], source, int(length)))
    print("%.6f" % in_processes(len(keys), prepare))


def get(dialect, address, length, times, *keys):
    def prepare(number):
        client = DIALECTS[dialect](address)
        return lambda: repeat(int(times), lambda: client.get(keys[number], int(length)))
    print("%.6f" % in_processes(len(keys), prepare))


def repeat(times, action):
    for _ in range(times):
        action()


def fill(address, length, first, end, prefix):
    """Many requests are sent before the first answer is awaited, so that a round trip is no matter."""
    body = os.urandom(int(length))

    def prepare(process):
        client = HTTP(address)
        numbers = range(int(first) + process, int(end), FILL_PROCESSES)

        def work():
            for offset in range(0, len(numbers), FILL_BATCH):
                keys = [prefix + str(number) for number in numbers[offset:offset + FILL_BATCH]]
                client.connection.sendall(b"".join(put_head(key, len(body)) + body for key in keys))
                for key in keys:
                    client.discard(client.answer_length(key))
        return work
    print("%.6f" % in_processes(FILL_PROCESSES, prepare))


def latency(request, address, length, times, end, prefix):
    client = HTTP(address)
    # The same keys are asked for in every run.
    choice = random.Random(1)
    body = os.urandom(int(length))
    microseconds = []
    for _ in range(int(times)):
        key = prefix + str(choice.randrange(int(end)))
        start = time.monotonic_ns()
        if request == "get":
            client.get(key, len(body))
        else:
            client.connection.sendall(put_head(key, len(body)) + body)
            client.discard(client.answer_length(key))
        microseconds.append((time.monotonic_ns() - start) / 1000)
    print_percentiles(microseconds)


def pace(address, length, seconds, key):
    client = HTTP(address)
    microseconds = []
    deadline = time.monotonic() + float(seconds)
    while time.monotonic() < deadline:
        start = time.monotonic_ns()
        client.get(key, int(length))
        microseconds.append((time.monotonic_ns() - start) / 1000)
    print_percentiles(microseconds)


def print_percentiles(microseconds):
    microseconds.sort()
    print("%.0f\t%.0f" % (microseconds[len(microseconds) // 2], microseconds[len(microseconds) * 99 // 100]))


COMMANDS = {"put": put, "get": get, "fill": fill, "latency": latency, "pace": pace}


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    try:
        COMMANDS[sys.argv[1]](*sys.argv[2:])
    except (OSError, WrongAnswer) as error:
        sys.exit("client.py: %s" % error)


if __name__ == "__main__":
    main()
