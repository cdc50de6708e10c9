#!/usr/bin/python3
"""A node of package version 0.1.0, as far as the others ask it about the layout: elder.py HOST READY

Takes connections on port 7776, refuses what it does not know, which is all but GET and HEAD, and has no value.
"""
import http.server
import sys


class Elder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        # The body was not read, so the connection ends.
        self.send_response(status)
        self.send_header("Allow", "PUT, GET, HEAD, DELETE")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def do_POST(self):
        self.answer(405, b"POST is not supported (only PUT, GET, HEAD, DELETE)")

    def do_GET(self):
        self.answer(404, b"no such key")

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def main():
    host, ready = sys.argv[1:3]
    server = http.server.ThreadingHTTPServer((host, 7776), Elder)
    server.daemon_threads = True
    open(ready, "w").close()
    server.serve_forever()


main()
