#!/usr/bin/python3
"""A request in segments of one byte, as fast as they go: drips.py HOST SECONDS PREFIX LENGTH

Sends PREFIX and then LENGTH bytes, each in a segment of its own, again and again on new connections for so long.
"""
import socket
import sys
import time


def main():
    host, seconds, prefix, length = sys.argv[1], float(sys.argv[2]), sys.argv[3].encode(), int(sys.argv[4])
    end = time.monotonic() + seconds
    rounds = 0
    while time.monotonic() < end:
        with socket.create_connection((host, 7776), 20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                connection.sendall(prefix.decode("unicode_escape").encode("latin-1"))
                for _ in range(length):
                    connection.send(b"y")
                    if time.monotonic() > end:
                        break
            except OSError:
                pass
        rounds += 1
    print(rounds)


main()
