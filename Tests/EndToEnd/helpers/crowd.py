#!/usr/bin/python3
"""Many connections at once that say nothing: crowd.py HOST COUNT READY RELEASE

Opens COUNT connections, makes the file READY, and closes them once there is a file RELEASE (or after two minutes).
Prints the distinct lines that came meanwhile, each with how many connections it came on.
"""
import collections
import os
import resource
import socket
import sys
import time

TIMEOUT_SECONDS = 120


def lines(connections):
    for connection in connections:
        connection.setblocking(False)
        try:
            text = connection.recv(4096).decode()
        except (BlockingIOError, ConnectionResetError):
            continue
        if text:
            yield text.strip()


def main():
    host, count, ready, release = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    connections = [socket.create_connection((host, 7776), TIMEOUT_SECONDS) for _ in range(count)]
    open(ready, "w").close()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not os.path.exists(release) and time.monotonic() < deadline:
        time.sleep(0.01)
    for line, times in sorted(collections.Counter(lines(connections)).items()):
        print(times, line)


main()
