#!/usr/bin/python3
"""A node that lists sizes, tags and times, two values a page, and nothing else: lister.py ADDRESS REQUESTS

Writes the target of each request to the file REQUESTS, which is there once it listens.
"""
import http.server
import json
import sys
import urllib.parse

ADDRESS, REQUESTS = sys.argv[1:]
KEYS = ["k/a", "k/b", "k/c d", "k/e"]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        log.write(self.path + "\n")
        log.flush()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        first = int(query["start"][0].split("#")[1]) if "start" in query else 0
        keys = [key for key in KEYS[first:] if key >= query.get("from", [""])[0]][:2]
        values = [
            {"key": urllib.parse.quote(key), "size": 1000, "etag": "xxh3-" + 32 * "a", "time": "2026-11-28T20:22:58Z"}
            for key in keys
        ]
        page = {"values": values, "prefixes": []}
        if keys and keys[-1] != KEYS[-1]:
            page["next"] = f"&#{KEYS.index(keys[-1]) + 1}"
        if "partial" in query:
            page["missing"] = ["node2"]
        body = json.dumps(page).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with http.server.ThreadingHTTPServer((ADDRESS, 7776), Handler) as server, open(REQUESTS, "w") as log:
    server.serve_forever()
