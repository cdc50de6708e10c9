#!/usr/bin/python3
"""Something that is no node where a node should be: stranger.py HOST MANNER READY

Takes connections on port 7776 and behaves in the manner, to whatever it is told:

  mute       never answers                     endless    an answer's head that never ends
  banner     greets as an SSH server does      drip       an answer's head, a byte every 0.3 s
  rubbish    sends random bytes                website    serves an HTML page
  close      closes at once                    half       sends a tenth of the value that it announces
  created    201, before it has the value      huge       announces a value of 2^62 bytes
  continue   100, again and again              future     answers in HTTP/3.7
  full       has one line for every request, that it has too many connections
"""
import os
import socket
import sys
import threading
import time

DATE = b"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n"


def answer(connection, manner):
    fixed = {
        "banner": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "rubbish": os.urandom(20000),
        "website": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
        "half": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 1000000\r\n\r\n" + bytes(100000),
        "created": b"HTTP/1.1 201 Created\r\n\r\n",
        "huge": b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 4611686018427387904\r\n\r\nvalue",
        "future": b"HTTP/3.7 200 OK\r\nContent-Length: 0\r\n\r\n",
        "close": b"",
        "full": b"ERROR: too many connections, try again later (MaxConnections=)\n",
    }
    if manner in fixed:
        connection.sendall(fixed[manner])
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1 << 20)
    while manner == "mute":
        time.sleep(1)
    while manner == "continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)
    if manner in ("endless", "drip"):
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while manner == "endless":
        connection.sendall(b"y\r\nX: " * 100)
    while manner == "drip":
        connection.sendall(b"y")
        time.sleep(0.3)


def serve(connection, manner):
    try:
        # What was asked; a client that is answered before would notice nothing.
        if manner != "close":
            connection.recv(1 << 16)
        answer(connection, manner)
    except OSError:
        pass
    connection.close()


def main():
    host, manner, ready = sys.argv[1:4]
    listener = socket.create_server((host, 7776))
    open(ready, "w").close()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, manner), daemon=True).start()


main()
