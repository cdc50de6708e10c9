#!/usr/bin/python3
"""Many small PUTs at once, for a while: puts.py NODE CLIENTS SECONDS READY

Each client puts a value of its own into node NODE, which owns its key, again and again until the seconds are over; it
does so once at least, and waits for the answer to the last. Makes the file READY once all have sent their first.
Prints how many PUTs were acknowledged, and ends with status 1 if one was not.
"""
import hashlib
import socket
import sys
import threading
import time

from keyspace import owner

PORT = 7776
TIMEOUT_SECONDS = 200


def key_of(node, client):
    """A key that the node owns, another one for each client."""
    number = 0
    while True:
        key = b"put-%d-%d" % (client, number)
        if owner(hashlib.md5(key + b"\n").digest()) == node:
            return key
        number += 1


class Client:
    def __init__(self, node, number):
        self.host, self.key = "127.0.0.%d" % node, key_of(node, number)
        self.acknowledged, self.problem = 0, None

    def put(self, when_sent):
        with socket.create_connection((self.host, PORT), TIMEOUT_SECONDS) as connection:
            connection.sendall(b"PUT %s\nvalue" % self.key)
            connection.shutdown(socket.SHUT_WR)
            when_sent()
            answer = connection.makefile("rb").read()
        if answer != self.key + b"\n":
            raise OSError("PUT %s: %r" % (self.key.decode(), answer))
        self.acknowledged += 1

    def run(self, deadline, barrier):
        try:
            self.put(barrier.wait)
            while time.monotonic() < deadline:
                self.put(lambda: None)
        except (OSError, threading.BrokenBarrierError) as error:
            self.problem = error
            barrier.abort()


def main():
    node, count, seconds, ready = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    clients = [Client(node, number) for number in range(count)]
    barrier = threading.Barrier(count, lambda: open(ready, "w").close())
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=client.run, args=(deadline, barrier)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(sum(client.acknowledged for client in clients), "acknowledged")
    problems = [client.problem for client in clients if client.problem]
    for problem in problems[:10]:
        print(problem, file=sys.stderr)
    sys.exit(1 if problems else 0)


main()
