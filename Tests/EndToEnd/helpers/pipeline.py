#!/usr/bin/python3
"""Clients that are never done: pipeline.py HOST COUNT KEY READY RELEASE

Each of COUNT connections sends GETs of KEY in HTTP one upon the other and reads the answers as they come, so that the
node always finds a further request and room for its answer. Makes the file READY once an answer has come on each, and
ends when there is a file RELEASE (or after two minutes). Prints on how many connections answers came after READY, and
how many connections the node has ended.
"""
import os
import select
import socket
import sys
import time

TIMEOUT_SECONDS = 120
REQUESTS_AT_ONCE = 2000
READ_BYTES = 1 << 20


class Client:
    def __init__(self, host, key):
        self.connection = socket.create_connection((host, 7776), TIMEOUT_SECONDS)
        self.connection.setblocking(False)
        self.requests = b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n" % key * REQUESTS_AT_ONCE
        self.sent_bytes = self.received_bytes = 0
        self.is_ended = False

    def go_on(self, events):
        try:
            if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                received = len(self.connection.recv(READ_BYTES))
                self.received_bytes += received
                self.is_ended = received == 0
            if events & select.POLLOUT:
                # Where a request was cut the next piece goes on.
                self.sent_bytes += self.connection.send(self.requests[self.sent_bytes % len(self.requests):])
        except BlockingIOError:
            pass
        except OSError:
            self.is_ended = True


def main():
    host, count, key, ready, release = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode(), sys.argv[4], sys.argv[5]
    clients = [Client(host, key) for _ in range(count)]
    by_number = {client.connection.fileno(): client for client in clients}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN | select.POLLOUT)
    received_before = None
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not os.path.exists(release) and time.monotonic() < deadline:
        for number, events in poll.poll(100):
            by_number[number].go_on(events)
            if by_number[number].is_ended:
                poll.unregister(number)
        if received_before is None and all(client.received_bytes > 0 for client in clients):
            received_before = [client.received_bytes for client in clients]
            open(ready, "w").close()
    received_before = received_before or [0] * count
    answered = [client.received_bytes > before for client, before in zip(clients, received_before)]
    print(sum(answered), "answered,", sum(client.is_ended for client in clients), "ended")


main()
