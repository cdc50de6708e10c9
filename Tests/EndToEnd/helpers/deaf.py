#!/usr/bin/python3
"""A host that takes no connection and refuses none: deaf.py HOST READY

Its queue of connections is full and never emptied, so the kernel drops what else comes, as a host without power
or behind a firewall would. Ends when it is killed.
"""
import errno
import signal
import socket
import sys

QUEUE_MAX = 64


def fill_queue(host):
    """Connects until the kernel takes no more."""
    waiting = []
    for _ in range(QUEUE_MAX):
        connection = socket.socket()
        connection.setblocking(False)
        waiting.append(connection)
        if connection.connect_ex((host, 7776)) not in (0, errno.EINPROGRESS):
            sys.exit("cannot connect to myself")
    return waiting


def main():
    host, ready = sys.argv[1], sys.argv[2]
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, 7776))
    listener.listen(0)
    waiting = fill_queue(host)
    open(ready, "w").close()
    signal.pause()
    del waiting


main()
