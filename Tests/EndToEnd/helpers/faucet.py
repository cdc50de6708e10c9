#!/usr/bin/python3
"""A relay between kvctl and a node that shuts after so many bytes: faucet.py ADDRESS UPSTREAM BYTES MODE HEADS

  ADDRESS   where it listens, on port 7776
  UPSTREAM  the address of the node it connects to
  BYTES     how many bytes of a value it lets through, on each connection
  MODE      what it does then: cut ends the connection, hold moves nothing more, pause goes on half a second later;
            lose lets all through, but ends the connection of the first DELETE once the node has answered it; lose-put
            does so with the first PUT
  HEADS     a file to which the heads of all requests are added

It makes HEADS, empty, once it listens.
"""
import socket
import sys
import threading
import time

PORT = 7776


def forward_request(client, node, heads):
    """One request with no body, or the head and body of a PUT, as they come."""
    while data := client.recv(65536):
        with open(heads, "ab") as file:
            file.write(data[: data.find(b"\r\n\r\n") + 4] if b"\r\n\r\n" in data else b"")
        node.sendall(data)


def loses(mode, heads):
    """Whether the answer that has come is that to the first DELETE or PUT: no other question is under way then."""
    if mode not in ("lose", "lose-put"):
        return False
    with open(heads, "rb") as file:
        lines = file.read().split(b"\r\n")
    method = b"DELETE " if mode == "lose" else b"PUT "
    return len([line for line in lines if line.startswith(method)]) == 1


def serve(client, upstream, limit, mode, heads):
    node = socket.create_connection((upstream, PORT))
    threading.Thread(target=forward_request, args=(client, node, heads), daemon=True).start()
    head = b""
    while b"\r\n\r\n" not in head:
        data = node.recv(4096)
        if not data:
            client.shutdown(socket.SHUT_RDWR)
            return
        head += data
    if loses(mode, heads):
        client.shutdown(socket.SHUT_RDWR)
        return
    head, _, body = head.partition(b"\r\n\r\n")
    client.sendall(head + b"\r\n\r\n")
    left = limit
    body = body or node.recv(65536)
    while body and left > 0:
        client.sendall(body[:left])
        rest = body[left:]
        left -= min(left, len(body))
        body = rest or node.recv(65536)
    if mode == "pause":
        time.sleep(0.5)
        while body:
            client.sendall(body)
            body = node.recv(65536)
    if mode == "hold":
        threading.Event().wait()
    # Closing alone would wait for the other thread, which is reading.
    client.shutdown(socket.SHUT_RDWR)


def main():
    address, upstream, limit, mode, heads = sys.argv[1:]
    listener = socket.create_server((address, PORT))
    open(heads, "w").close()
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, upstream, int(limit), mode, heads), daemon=True).start()


main()
