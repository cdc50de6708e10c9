#!/usr/bin/python3
"""Many slow connections at once, dealt out to the hosts: slow.py HOST[,HOST...] COUNT MANNER KEY READY RELEASE

  line     a classic line, a byte every half second      silent   nothing
  head     an HTTP head, a field every half second       idle     one GET in HTTP, then nothing
  put      a PUT of KEY, a byte every half second        get      a GET of KEY of which little is read
  flood    GETs of KEY without end, and nothing is read

Makes the file READY once all are under way, and ends when there is a file RELEASE (or after two minutes). Prints how
many connections the node has ended meanwhile, and the distinct answers that came on those.
"""
import collections
import os
import resource
import select
import socket
import sys
import time

PORT = 7776
TIMEOUT_SECONDS = 120
PACE_SECONDS = 0.5
GRACE_SECONDS = 2

FIRST = {
    "line": b"G", "head": b"GET /%s HTTP/1.1\r\nHost: test\r\n", "put": b"PUT %s\n", "silent": b"",
    "idle": b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n", "get": b"GET %s\n",
    "flood": b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n" * 200,
}
NEXT = {"line": b"E", "head": b"X: y\r\n", "put": b"x", "flood": b"GET /%s HTTP/1.1\r\nHost: test\r\n\r\n" * 200}


def open_connections(hosts, count, manner, key):
    connections = []
    for number in range(count):
        connection = socket.socket()
        if manner in ("get", "flood"):
            # So that the node has the value to hold, and not this side's kernel.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(TIMEOUT_SECONDS)
        # One address has too few ports for tens of thousands of connections.
        connection.bind(("127.1.%d.1" % (number // 10000), 0))
        connection.connect((hosts[number % len(hosts)], PORT))
        connection.sendall(FIRST[manner].replace(b"%s", key))
        connection.setblocking(False)
        connections.append(connection)
    return connections


def trickle(connections, piece, ended):
    for connection in [c for c in connections if c not in ended]:
        try:
            connection.send(piece)
        except BlockingIOError:
            pass
        except OSError as error:
            ended[connection] = type(error).__name__.encode()


def listen(connections, ended, poll, by_number):
    for number, _ in poll.poll(0):
        connection = by_number[number]
        try:
            data = connection.recv(4096)
        except BlockingIOError:
            continue
        except OSError as error:
            data = type(error).__name__.encode()
        ended[connection] = data.split(b"\r\n")[0][:100].strip()
        poll.unregister(number)


def main():
    hosts, count, manner, key = sys.argv[1].split(","), int(sys.argv[2]), sys.argv[3], sys.argv[4].encode()
    ready, release = sys.argv[5], sys.argv[6]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    connections = open_connections(hosts, count, manner, key)
    ended, poll = {}, select.poll()
    by_number = {connection.fileno(): connection for connection in connections}
    if manner in ("line", "head", "put", "silent"):
        for number in by_number:
            poll.register(number, select.POLLIN)
    open(ready, "w").close()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not os.path.exists(release) and time.monotonic() < deadline:
        if manner in NEXT:
            trickle(connections, NEXT[manner].replace(b"%s", key), ended)
        listen(connections, ended, poll, by_number)
        time.sleep(PACE_SECONDS)
    # What the node has sent by now.
    grace = time.monotonic() + GRACE_SECONDS
    while len(ended) < count and time.monotonic() < grace:
        listen(connections, ended, poll, by_number)
        time.sleep(0.05)
    print(len(ended), "ended")
    for answer, times in sorted(collections.Counter(ended.values()).items()):
        print(times, answer.decode(errors="replace"))


main()
