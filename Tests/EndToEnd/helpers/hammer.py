#!/usr/bin/python3
"""Both dialects at once: hammer.py CONNECTIONS SECONDS

So many clients, half of them classic and half HTTP, each on a node of its choice, put, read, list and remove values
and check every byte that comes. Each has keys of its own, whose state it knows; and there are keys that all use, whose
value may be anybody's but must be somebody's, whole. Prints what was done; fails at the first wrong byte.
"""
import asyncio
import hashlib
import json
import os
import random
import sys
import time
import urllib.parse

PORT = 7776
PROCESSES = 4
SHARED_KEYS = 16
OWN_KEYS = 4
VALUE_BYTES_MAX = 200_000
PATIENCE_SECONDS = 60


def value(client, number, size):
    """A value that says whose it is and how long, with bytes that follow from that."""
    title = b"%d %d %d\n" % (client, number, size)
    block = hashlib.sha256(title).digest() * 128
    return (title + block * (size // len(block) + 1))[:max(size, len(title))]


def is_whole(content):
    """Whether it is a value that some client made, from its first byte to its last."""
    title, _, _ = content.partition(b"\n")
    try:
        client, number, size = (int(word) for word in title.split())
    except ValueError:
        return False
    return content == value(client, number, size)


class Wrong(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Wrong(what)


async def connect(chance):
    return await asyncio.open_connection("127.0.0.%d" % chance.randint(1, 4), PORT, limit=1 << 20)


class Classic:
    """A connection for each request."""

    def __init__(self, chance):
        self.chance = chance

    async def ask(self, line, body=b""):
        reader, writer = await connect(self.chance)
        try:
            writer.write(line + b"\n" + body)
            await writer.drain()
            if line.startswith(b"PUT"):
                writer.write_eof()
            return await reader.read()
        finally:
            writer.close()

    async def put(self, key, content):
        line = b"PUT " + key
        if self.chance.random() < 0.5:
            line += b" %d" % len(content)
        answer = await self.ask(line, content)
        check(answer == key + b"\n", "PUT", key, answer[:200])

    async def get(self, key):
        answer = await self.ask(b"GET " + key)
        return None if answer == b"ERROR: GET %s: no such key\n" % key else answer

    async def delete(self, key):
        answer = await self.ask(b"DEL " + key)
        check(answer == b"", "DEL", key, answer[:200])

    def close(self):
        pass


class HTTP:
    """One connection for all requests."""

    def __init__(self, chance):
        self.chance = chance
        self.stream = None

    async def ask(self, method, target, fields=b"", body=b""):
        if self.stream is None:
            self.stream = await connect(self.chance)
        reader, writer = self.stream
        writer.write(b"%s /%s HTTP/1.1\r\nHost: x\r\n%s\r\n%s" % (method, target, fields, body))
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split(" ")[1])
        found = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        bodyless = method == b"HEAD" or status in (204, 304)
        content = await reader.readexactly(0 if bodyless else int(found["content-length"]))
        check("connection" not in found, method, target, status, found)
        return status, found, content

    async def put(self, key, content):
        if self.chance.random() < 0.5:
            fields, body = b"Content-Length: %d\r\n" % len(content), content
        else:
            fields, body = b"Transfer-Encoding: chunked\r\n", b""
            start = 0
            while start < len(content):
                piece = content[start:start + self.chance.randint(1, 100_000)]
                body += b"%x\r\n%s\r\n" % (len(piece), piece)
                start += len(piece)
            body += b"0\r\n\r\n"
        status, _, answer = await self.ask(b"PUT", key, fields, body)
        check(status in (201, 204), "PUT", key, status, answer)

    async def get(self, key):
        if self.chance.random() < 0.2:
            status, found, _ = await self.ask(b"HEAD", key)
            check(status in (200, 404), "HEAD", key, status)
        status, _, content = await self.ask(b"GET", key)
        check(status in (200, 404), "GET", key, status, content)
        return content if status == 200 else None

    async def part(self, key, content):
        """A part of a value that is known."""
        first = self.chance.randrange(len(content))
        last = self.chance.randrange(first, len(content))
        status, _, answer = await self.ask(b"GET", key, b"Range: bytes=%d-%d\r\n" % (first, last))
        check(status == 206 and answer == content[first:last + 1], "part", key, status)

    async def delete(self, key):
        status, _, answer = await self.ask(b"DELETE", key)
        check(status in (204, 404), "DELETE", key, status, answer)

    async def list(self, prefix):
        status, _, content = await self.ask(b"GET", prefix + b"?list")
        check(status == 200, "list", status, content)
        return [urllib.parse.unquote_to_bytes(key) for key in (value["key"] for value in json.loads(content)["values"])]

    def close(self):
        if self.stream is not None:
            self.stream[1].close()


class Client:
    def __init__(self, number, counts):
        self.number, self.counts = number, counts
        self.chance = random.Random(number)
        self.dialect = (Classic if number % 2 else HTTP)(self.chance)
        self.own = {}
        self.puts = 0

    def new_value(self):
        self.puts += 1
        size = int(VALUE_BYTES_MAX ** self.chance.random())
        return value(self.number, self.puts, size)

    async def step(self):
        kind = self.chance.choice(("put", "put", "get", "get", "get", "delete", "shared", "shared", "extra"))
        self.counts[kind] = self.counts.get(kind, 0) + 1
        key = b"own-%d-%d" % (self.number, self.chance.randrange(OWN_KEYS))
        if kind == "put":
            content = self.new_value()
            await self.dialect.put(key, content)
            self.own[key] = content
        elif kind == "get":
            content = await self.dialect.get(key)
            check(content == self.own.get(key), "GET of an own key", key, content and content[:100])
        elif kind == "delete":
            await self.dialect.delete(key)
            self.own.pop(key, None)
        elif kind == "shared":
            await self.shared(b"shared-%d" % self.chance.randrange(SHARED_KEYS))
        elif isinstance(self.dialect, HTTP):
            await self.extra(key)

    async def shared(self, key):
        if self.chance.random() < 0.4:
            await self.dialect.put(key, self.new_value())
        elif self.chance.random() < 0.1:
            await self.dialect.delete(key)
        else:
            content = await self.dialect.get(key)
            check(content is None or is_whole(content), "GET of a shared key", key, content and content[:100])

    async def extra(self, key):
        if key in self.own:
            await self.dialect.part(key, self.own[key])
        if self.chance.random() < 0.05:
            found = await self.dialect.list(b"own-%d-" % self.number)
            check(found == sorted(self.own), "list", found, sorted(self.own))

    async def run(self, deadline):
        try:
            while time.monotonic() < deadline:
                await asyncio.wait_for(self.step(), PATIENCE_SECONDS)
            # In the end each key is as it was left, seen by the other dialect too.
            other = (HTTP if self.number % 2 else Classic)(self.chance)
            for index in range(OWN_KEYS):
                key = b"own-%d-%d" % (self.number, index)
                for dialect in (self.dialect, other):
                    content = await asyncio.wait_for(dialect.get(key), PATIENCE_SECONDS)
                    check(content == self.own.get(key), "in the end", key)
            other.close()
        finally:
            self.dialect.close()


async def run(numbers, seconds):
    counts = {}
    deadline = time.monotonic() + seconds
    results = await asyncio.gather(*(Client(number, counts).run(deadline) for number in numbers), return_exceptions=True)
    # One write a line: the other processes write to the same file.
    os.write(sys.stdout.fileno(), (" ".join("%s=%d" % item for item in sorted(counts.items())) + "\n").encode())
    problems = [repr(result) for result in results if result is not None]
    for problem in problems[:10]:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def main():
    connections, seconds = int(sys.argv[1]), float(sys.argv[2])
    children = []
    for process in range(PROCESSES):
        child = os.fork()
        if child == 0:
            os._exit(asyncio.run(run(range(process * connections // PROCESSES, (process + 1) * connections // PROCESSES), seconds)))
        children.append(child)
    failed = [child for child in children if os.waitpid(child, 0)[1] != 0]
    sys.exit(1 if failed else 0)


main()
