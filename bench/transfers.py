#!/usr/bin/python3
"""64 transfers of 128 MiB at once through one node: transfers.py [--puts] HOST OWN-KEY OTHER-KEY...

HOST is asked about its own key and the other nodes' keys, half and half. The GETs are of the keys themselves, which
are put first; every PUT has a key of its own, with a suffix that leaves it with the same owner. With --puts all are
PUTs. All transfers have moved their first MiB before any goes on. Ends with status 1 if an answer was wrong.
"""
import hashlib
import os
import socket
import sys
import threading
import time

PORT = 7776
VALUE_BYTES = 128 << 20
BLOCK = os.urandom(1 << 20)
TRANSFERS = 64
TIMEOUT_SECONDS = 600

problems = []
barrier = threading.Barrier(TRANSFERS)


def quarter(key):
    slot = int.from_bytes(hashlib.md5(key.encode() + b"\n").digest()[:2], "big")
    return max(slot - 1, 0) // 16384


def sibling(key, number):
    """The number-th of the keys that begin like this one and have its owner."""
    candidate = -1
    while number >= 0:
        candidate += 1
        number -= quarter("%s.%d" % (key, candidate)) == quarter(key)
    return "%s.%d" % (key, candidate)


def connect(host, line):
    connection = socket.create_connection((host, PORT), TIMEOUT_SECONDS)
    connection.sendall(line.encode() + b"\n")
    return connection


def put(host, key, meet):
    with connect(host, "PUT " + key) as connection:
        for block in range(VALUE_BYTES // len(BLOCK)):
            connection.sendall(BLOCK)
            if block == 0:
                meet()
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    if answer != key.encode() + b"\n":
        problems.append("PUT %s: %r" % (key, answer[:200]))


def get(host, key, meet):
    buffer = memoryview(bytearray(len(BLOCK)))
    with connect(host, "GET " + key) as connection:
        for block in range(VALUE_BYTES // len(BLOCK)):
            received = 0
            while received < len(BLOCK):
                count = connection.recv_into(buffer[received:])
                if count == 0:
                    break
                received += count
            if buffer[:received] != BLOCK:
                problems.append("GET %s: wrong or missing bytes in MiB %d" % (key, block))
                return
            if block == 0:
                meet()
        if connection.recv(1):
            problems.append("GET %s: too many bytes" % key)


def attempt(transfer, *arguments):
    try:
        transfer(*arguments)
    except (OSError, threading.BrokenBarrierError) as error:
        problems.append("%s %s: %r" % (transfer.__name__, arguments[1], error))
        barrier.abort()


def main():
    arguments = sys.argv[1:]
    puts_only = arguments[0] == "--puts"
    host, own, *others = arguments[1:] if puts_only else arguments
    for key in [own] + others:
        put(host, key, lambda: None)
    threads = []
    for number in range(TRANSFERS):
        key = own if number % 2 == 0 else others[number // 2 % len(others)]
        transfer = put if puts_only or number // 2 % 2 == 0 else get
        if transfer is put:
            key = sibling(key, number)
        threads.append(threading.Thread(target=attempt, args=(transfer, host, key, barrier.wait)))
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - start
    gibibytes = TRANSFERS * VALUE_BYTES / (1 << 30)
    print("%d transfers of %d MiB at once: %.1f s, %.2f GiB/s" %
          (TRANSFERS, VALUE_BYTES >> 20, seconds, gibibytes / seconds))
    for problem in problems:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
