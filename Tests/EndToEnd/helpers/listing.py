#!/usr/bin/python3
"""Lists keys page by page and checks what comes: listing.py TEST ARGUMENT...

  complete COUNT LIMIT   all keys that keyspace.py makes of COUNT, in byte order, and no other
  parts COUNT LIMIT      the same of the first and the last page and of two prefixes
  churn LIMIT            keys that stay are listed once each, in order, while others come, go and are replaced
  odd                    keys of all bytes and lengths: written as they stand in a path, in byte order
"""
import http.client
import json
import random
import sys
import threading
import time
import urllib.parse

import keyspace

CHURN_SECONDS = 8
STAYING_KEYS = 400
CHURNING_KEYS = 400


def check(condition, *what):
    if not condition:
        raise AssertionError(what)


def connect(node):
    return http.client.HTTPConnection("127.0.0.%d" % node, 7776, timeout=120)


def page(connection, prefix=b"", start=b"", limit=None, token=None):
    query = "/%s?list" % urllib.parse.quote(prefix)
    if start:
        query += "&from=" + urllib.parse.quote_plus(start)
    if token:
        # Encoded once more than it need be, as some libraries do: that must change nothing.
        query += "&start=" + urllib.parse.quote_plus(urllib.parse.quote_plus(token))
    if limit:
        query += "&limit=%d" % limit
    deadline = time.monotonic() + 120
    while True:
        connection.request("GET", query)
        response = connection.getresponse()
        text = response.read()
        if response.status != 503 or b"the index is being made" not in text or time.monotonic() > deadline:
            break
    check(response.status == 200, response.status, text)
    check(response.getheader("Content-Type") == "application/json")
    answer = json.loads(text)
    check(set(answer) <= {"values", "prefixes", "next"}, list(answer))
    keys = [urllib.parse.unquote_to_bytes(value["key"]) for value in answer["values"]]
    return keys, answer.get("next"), answer


def pages(node, prefix=b"", limit=None, start=b""):
    """All keys, with the order and the limit of each page checked."""
    connection = connect(node)
    last = None
    token = None
    while True:
        keys, following, _ = page(connection, prefix, start, limit, token)
        check(limit is None or len(keys) <= limit, len(keys))
        for key in keys:
            check(last is None or key > last, last, key)
            check(key.startswith(prefix) and key >= start, key, prefix)
            last = key
            yield key
        if following is None:
            return
        check(following != token, following)
        token = following


def complete(count, limit):
    expected = sorted(key.encode() for key in keyspace.keys(int(count)))
    started = time.monotonic()
    found = 0
    for key in pages(1, limit=int(limit)):
        check(key == expected[found], found, key, expected[found])
        found += 1
    check(found == len(expected), found)
    seconds = time.monotonic() - started
    print("# %d keys listed in %.1f s" % (found, seconds), file=sys.stderr)


def parts(count, limit):
    expected = sorted(key.encode() for key in keyspace.keys(int(count)))
    limit = int(limit)
    connection = connect(1)
    keys, following, _ = page(connection, limit=limit)
    check(keys == expected[:len(keys)] and keys and following, "the first page")
    keys, following, _ = page(connection, token=following, limit=7)
    check(keys == expected[expected.index(keys[0]):][:7], "the second page")
    check(list(pages(1, start=expected[-limit // 2], limit=limit)) == expected[-limit // 2:], "the last pages")
    for prefix in (b"a", b"key-"):
        part = [key for key in expected if key.startswith(prefix)]
        check(len(part) > 1000, len(part))
        check(list(pages(3, prefix, limit)) == part, prefix)


def put(connection, key, value):
    connection.request("PUT", "/" + urllib.parse.quote(key), value)
    response = connection.getresponse()
    response.read()
    check(response.status in (201, 204), response.status)


def churn(limit):
    """Keys are made, removed and replaced all the time by two clients, while another pages through all."""
    staying = {b"churn/%03d" % (number * 2) for number in range(STAYING_KEYS)}
    connection = connect(2)
    for key in staying:
        put(connection, key, b"stays")
    stop = threading.Event()
    failures = []

    def disturb(seed):
        chance = random.Random(seed)
        own = connect(seed + 1)
        try:
            while not stop.is_set():
                number = chance.randrange(CHURNING_KEYS * 2)
                key = b"churn/%03d" % number
                if key in staying:
                    put(own, key, b"stays, replaced")
                elif chance.random() < 0.5:
                    put(own, key, b"comes and goes")
                else:
                    own.request("DELETE", "/" + urllib.parse.quote(key))
                    response = own.getresponse()
                    response.read()
                    check(response.status in (204, 404), response.status)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=disturb, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    rounds = 0
    deadline = time.monotonic() + CHURN_SECONDS
    try:
        while time.monotonic() < deadline and not failures:
            found = [key for key in pages(1, b"churn/", int(limit)) if key in staying]
            check(found == sorted(staying), "missing", staying - set(found))
            rounds += 1
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    check(not failures, failures)
    check(rounds > 1, rounds)


def odd():
    keys = {bytes([byte]) * 3 for byte in range(256)} | {bytes([byte]) for byte in range(256)}
    keys |= {b"odd" + b"/" * count for count in range(4)} | {b".", b"..", b"../x", b"a/./b", b"%41", b"%", b"+", b"a b"}
    keys |= {b"long" * 60, b"long" * 60 + b"+", b"long" * 60 + b"tail", b"\xff" * 1024, b"x" * 1024, b"%" * 300}
    keys |= {b"\x00" * count for count in range(1, 9)}
    connection = connect(1)
    for key in keys:
        put(connection, key, b"value of " + key)
    for limit in (1, 7, 1000):
        check(list(pages(2, limit=limit)) == sorted(keys), limit)
    # Each key is written as it stands in a path: asked for so, byte by byte, it is found.
    for written in [value["key"] for value in page(connect(3), limit=1000)[2]["values"]]:
        connection.putrequest("GET", "/" + written, skip_accept_encoding=True)
        connection.endheaders()
        response = connection.getresponse()
        check(response.read() == b"value of " + urllib.parse.unquote_to_bytes(written), written)
        check(all(segment not in (".", "..") for segment in written.split("/")), written)
        check(written.isascii(), written)


def main():
    test = {"complete": complete, "parts": parts, "churn": churn, "odd": odd}
    test[sys.argv[1]](*sys.argv[2:])


main()
