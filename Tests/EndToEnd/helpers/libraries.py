#!/usr/bin/python3
"""What programs do with HTTP: libraries.py TEST OWN OTHER

OWN is a key of node 1, OTHER one of another node; all goes through node 1. TEST is one of the functions below.
"""
import hashlib
import http.client
import os
import socket
import sys

HOST, PORT = "127.0.0.1", 7776


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


def connect():
    return http.client.HTTPConnection(HOST, PORT, timeout=60)


def exchange(connection, method, key, body=None, headers=None, **options):
    connection.request(method, "/" + key, body, headers or {}, **options)
    response = connection.getresponse()
    return response, response.read()


def keep_alive(own, other):
    connection = connect()
    connection.connect()
    name = connection.sock.getsockname()
    for number in range(50):
        for key in (own, other):
            value = os.urandom(number * 997)
            response, _ = exchange(connection, "PUT", key, value)
            check(response.status in (201, 204), response.status)
            response, content = exchange(connection, "GET", key)
            check(response.status == 200 and content == value, number, key)
            # An error does not end the connection either.
            check(exchange(connection, "GET", key + "-absent")[0].status == 404)
            status = exchange(connection, "GET", key, headers={"Range": "bytes=100000-"})[0].status
            check(status == (416 if value else 200))
            check(exchange(connection, "HEAD", key)[0].status == 200)
            check(exchange(connection, "DELETE", key)[0].status == 204)
            check(connection.sock is not None and connection.sock.getsockname() == name)


def pipeline(own, other):
    """Everything is sent before anything is read; the answers must come in order."""
    requests, expected = [], []
    for number in range(40):
        key = (own if number % 2 else other).encode() + b"-%d" % number
        value = b"%d;" % number * (number * 50)
        requests.append(b"PUT /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (key, len(value), value))
        requests.append(b"PUT /%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" % key)
        requests.append(b"HEAD /%s HTTP/1.1\r\nHost: x\r\n\r\n" % key)
        requests.append(b"PUT /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (key, len(value), value))
        requests.append(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % key)
        requests.append(b"GET /%s-absent HTTP/1.1\r\nHost: x\r\n\r\n" % key)
        requests.append(b"\r\nDELETE /%s HTTP/1.1\r\nHost: x\r\n\r\n" % key)
        requests.append(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % key)
        expected += [("PUT", 201, None), ("PUT", 204, None), ("HEAD", 200, None), ("PUT", 204, None),
                     ("GET", 200, value), ("GET", 404, None), ("DELETE", 204, None), ("GET", 404, None)]
    connection = socket.create_connection((HOST, PORT), 60)
    connection.sendall(b"".join(requests))
    connection.shutdown(socket.SHUT_WR)
    reader = connection.makefile("rb")
    for number, (method, status, value) in enumerate(expected):
        response = Answer(reader, method)
        check(response.status == status, number, response.status, status)
        if value is not None:
            check(response.body == value, number, "content")
    check(reader.read() == b"")


class Answer:
    """A response read from a file that more responses follow in."""

    def __init__(self, reader, method):
        line = reader.readline().decode().split(" ", 2)
        check(line[0] == "HTTP/1.1", line)
        self.status = int(line[1])
        fields = {}
        while True:
            field = reader.readline().decode().strip()
            if not field:
                break
            name, _, value = field.partition(":")
            fields[name.lower()] = value.strip()
        length = 0 if method == "HEAD" or self.status in (204, 304) else int(fields["content-length"])
        self.body = reader.read(length)


def http_client(own, other):
    for key in (own, other):
        connection = connect()
        # A file-like body without a length goes out in chunks.
        pieces = [os.urandom(size) for size in (1, 65536, 3, 1000000, 0, 17)]
        value = b"".join(pieces)
        response, _ = exchange(connection, "PUT", key, (piece for piece in pieces if piece), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked", "Content-Type": "x/y"})
        check(response.status == 201, response.status, response.reason)
        check(response.reason == "Created")
        response, content = exchange(connection, "GET", key)
        check(content == value and response.getheader("Content-Type") == "x/y")
        response, content = exchange(connection, "HEAD", key)
        check(content == b"" and response.getheader("Content-Length") == str(len(value)))
        response, content = exchange(connection, "GET", key, headers={"Range": "bytes=65530-65540"})
        check(response.status == 206 and content == value[65530:65541])
        response, content = exchange(connection, "POST", key, b"body")
        check(response.status == 405 and response.getheader("Connection") == "close")


def requests(own, other):
    import requests as library

    session = library.Session()
    for key in (own, other):
        url = "http://%s:%d/%s" % (HOST, PORT, key)
        value = os.urandom(3_000_000)
        answer = session.put(url, data=value, headers={"Content-Type": "application/x-test"})
        check(answer.status_code == 201, answer.status_code)
        tag = answer.headers["ETag"]
        answer = session.get(url)
        check(answer.content == value and answer.headers["Content-Type"] == "application/x-test")
        check(answer.headers["ETag"] == tag)
        check(session.get(url, headers={"If-None-Match": tag}).status_code == 304)
        check(session.get(url, headers={"Range": "bytes=-7"}).content == value[-7:])
        check(session.head(url).headers["Content-Length"] == str(len(value)))
        # A generator goes out in chunks; a stream is read piece by piece.
        pieces = [bytes([number]) * 100_000 for number in range(40)]
        check(session.put(url, data=iter(pieces)).status_code == 204)
        digest = hashlib.md5()
        with session.get(url, stream=True) as answer:
            for piece in answer.iter_content(12_345):
                digest.update(piece)
        check(digest.digest() == hashlib.md5(b"".join(pieces)).digest())
        check(session.put(url, data=b"", headers={"If-None-Match": "*"}).status_code == 412)
        answer = session.post(url, data=b"x")
        check(answer.status_code == 405 and "PUT" in answer.headers["Allow"])
        check(session.delete(url).status_code == 204)
        answer = session.get(url)
        check(answer.status_code == 404 and answer.text == "GET %s: no such key\n" % key, answer.text)
        check(session.delete(url).status_code == 404)


def main():
    test = {"keep_alive": keep_alive, "pipeline": pipeline, "http_client": http_client, "requests": requests}
    test[sys.argv[1]](sys.argv[2], sys.argv[3])


main()
