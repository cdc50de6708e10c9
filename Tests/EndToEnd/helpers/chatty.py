#!/usr/bin/python3
"""An owner that says more than it was asked: chatty.py HOST READY

Answers every request on port 7776 as a node does: a GET of a key with `value of ` and the key, or 404 where the key
begins with `no`. And each time it adds, in the same segment, a whole answer with a value that nobody asked for.
"""
import socket
import sys
import threading

UNASKED = b"nobody asked for this"


def answer(status, text):
    return (b"HTTP/1.1 %s\r\nLast-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
            b"Content-Length: %d\r\n\r\n%s") % (status, len(text), text)


def own(key):
    if key.startswith(b"no"):
        return answer(b"404 Not Found", b"GET %s: no such key\n" % key)
    return answer(b"200 OK", b"value of " + key)


def serve(connection):
    requests = b""
    try:
        while data := connection.recv(1 << 16):
            requests += data
            while b"\r\n\r\n" in requests:
                head, _, requests = requests.partition(b"\r\n\r\n")
                connection.sendall(own(head.split(b" ")[1][1:]) + answer(b"200 OK", UNASKED))
    except OSError:
        pass  # The node has had enough.
    connection.close()


def main():
    host, ready = sys.argv[1:3]
    listener = socket.create_server((host, 7776))
    open(ready, "w").close()
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


main()
