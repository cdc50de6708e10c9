#!/usr/bin/python3
"""A slow way to a node: delay.py HOST TARGET SECONDS READY

Takes connections on HOST's port 7776 and passes all bytes, and the end of each stream, to and from TARGET's, each so
many seconds late and in order, as a long line does.
"""
import collections
import socket
import sys
import threading
import time

PIECE_BYTES = 1 << 16


def carry(source, sink, seconds):
    line = collections.deque()
    arrived = threading.Condition()

    def deliver():
        while True:
            with arrived:
                arrived.wait_for(lambda: line)
                due, data = line.popleft()
            time.sleep(max(0, due - time.monotonic()))
            try:
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    threading.Thread(target=deliver, daemon=True).start()
    data = b"-"
    while data:
        try:
            data = source.recv(PIECE_BYTES)
        except OSError:
            data = b""
        with arrived:
            line.append((time.monotonic() + seconds, data))
            arrived.notify()


def main():
    host, target, seconds, ready = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    listener = socket.create_server((host, 7776))
    open(ready, "w").close()
    while True:
        client, _ = listener.accept()
        node = socket.create_connection((target, 7776))
        for source, sink in ((client, node), (node, client)):
            threading.Thread(target=carry, args=(source, sink, seconds), daemon=True).start()


main()
