#!/usr/bin/python3
"""Requests that no honest client sends, byte by byte: hostile.py GROUP HOST KEY

Each is sent to HOST on a connection of its own. KEY's value must never be changed, and no answer may hold the value of
the key `secret`, which only smuggled requests ask for. Between two cases another client asks through the same node
for KEY and must get its value: what a case left behind on a connection between nodes would show there.
"""
import http.client
import re
import socket
import sys
import time

PORT = 7776
SILENCE_SECONDS = 30
VALUE = b"the victim's own value\n" * 100
SECRET = b"NOBODY ASKED FOR THIS"
SMUGGLED = b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n"
# What follows a case where the connection must go on: answered 404.
NEXT = b"GET /nothing-here HTTP/1.1\r\nHost: x\r\n\r\n"


class Case:
    """A name, the bytes, the status that must come, and whether the connection must be closed after it.

    Where it must not, NEXT is appended and must be answered too. Status 0 is the classic dialect's ERROR.
    """

    def __init__(self, name, data, status, closes=True, says=None):
        self.name, self.data, self.status, self.closes, self.says = name, data, status, closes, says


def head(line, *fields, host=True):
    lines = [line] + ([b"Host: x"] if host else []) + list(fields)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def get(key, *fields):
    return head(b"GET /" + key + b" HTTP/1.1", *fields)


def put(key, *fields):
    return head(b"PUT /" + key + b" HTTP/1.1", *fields)


def chunked(key, body):
    return put(key, b"Transfer-Encoding: chunked") + body


def lengths(key):
    """Two readers, two lengths."""
    for name, fields in {
        "conflicting": [b"Content-Length: 5", b"Content-Length: 6"],
        "duplicate": [b"Content-Length: 5", b"Content-Length: 5"],
        "list": [b"Content-Length: 5, 5"],
        "zero first": [b"Content-Length: 0", b"Content-Length: %d" % len(SMUGGLED)],
        "plus": [b"Content-Length: +5"],
        "minus": [b"Content-Length: -5"],
        "hexadecimal": [b"Content-Length: 0x5"],
        "blank inside": [b"Content-Length: 5 5"],
        "underscore": [b"Content-Length: 5_0"],
        "empty": [b"Content-Length:"],
        "fraction": [b"Content-Length: 5.0"],
        "too large": [b"Content-Length: 99999999999999999999999"],
        "past 2^60": [b"Content-Length: 2305843009213693952"],
        "blank before colon": [b"Content-Length : 5"],
        "tab before colon": [b"Content-Length\t: 5"],
        "NUL inside": [b"Content-Length: 5\x00"],
        "vertical tab": [b"Content-Length: \x0b5"],
    }.items():
        for method in (get, put):
            yield Case("%s, %s" % (name, method.__name__), method(key, *fields) + SMUGGLED, 400)


def codings(key):
    """Content-Length beside Transfer-Encoding, and codings that are not plainly chunked."""
    body = b"0\r\n\r\n" + SMUGGLED
    te = b"Transfer-Encoding: "
    for method in (get, put):
        yield Case("CL+TE", method(key, b"Content-Length: 5", te + b"chunked") + body, 400)
        yield Case("TE+CL", method(key, te + b"chunked", b"Content-Length: %d" % len(body)) + body, 400)
        for value, status in {
            b"chunked, chunked": 400, b"chunked,chunked": 400, b"chunked, identity": 400, b"chunked, gzip": 400,
            b"gzip, chunked": 501, b"gzip": 501, b"identity": 501, b"xchunked": 501, b"chunked;q=1": 501,
            b'"chunked"': 501, b"chunked,": 400, b",chunked": 400, b"": 400, b"\x0bchunked": 400, b"chunked\x00": 400,
        }.items():
            yield Case("coding %r" % value, method(key, te + value) + body, status)
        yield Case("two fields", method(key, te + b"chunked", te + b"chunked") + body, 400)
        yield Case("two fields, other case", method(key, te + b"chunked", b"transfer-encoding: identity") + body, 400)
        yield Case("blank before colon", method(key, b"Transfer-Encoding : chunked") + body, 400)
        yield Case("folded", method(key, b"Transfer-Encoding:\r\n chunked") + body, 400)
    yield Case("HTTP/1.0", head(b"PUT /" + key + b" HTTP/1.0", te + b"chunked") + body, 400)


def lines(key):
    """Line ends and blanks where they do not belong."""
    yield Case("bare LF", b"GET /" + key + b" HTTP/1.1\nHost: x\n\n" + SMUGGLED, 400)
    yield Case("LF in the fields", b"GET /" + key + b" HTTP/1.1\r\nHost: x\nA: b\r\n\r\n" + SMUGGLED, 400)
    yield Case("LF at the end", b"GET /" + key + b" HTTP/1.1\r\nHost: x\r\n\n" + SMUGGLED, 400)
    yield Case("CR in a value", get(key, b"A: b\rc") + SMUGGLED, 400)
    yield Case("CR CR LF", b"GET /" + key + b" HTTP/1.1\r\r\nHost: x\r\n\r\n" + SMUGGLED, 0)
    yield Case("CR hides a field", get(key, b"A: b\rContent-Length: 33") + SMUGGLED, 400)
    yield Case("obs-fold", get(key, b"A: b\r\n c") + SMUGGLED, 400)
    yield Case("obs-fold, tab", get(key, b"A: b\r\n\tc") + SMUGGLED, 400)
    yield Case("blank before the first field", b"GET /" + key + b" HTTP/1.1\r\n Host: x\r\n\r\n" + SMUGGLED, 400)
    yield Case("NUL in a value", get(key, b"A: b\x00c") + SMUGGLED, 400)
    yield Case("NUL in a name", get(key, b"A\x00: b") + SMUGGLED, 400)
    yield Case("no colon", get(key, b"no colon here") + SMUGGLED, 400)
    yield Case("no name", get(key, b": nothing") + SMUGGLED, 400)
    yield Case("name with a blank", get(key, b"A B: c") + SMUGGLED, 400)
    yield Case("name of UTF-8", get(key, "Ä: b".encode()) + SMUGGLED, 400)
    yield Case("no Host", b"GET /" + key + b" HTTP/1.1\r\n\r\n" + SMUGGLED, 400)
    yield Case("two Hosts", get(key, b"Host: y") + SMUGGLED, 400)
    yield Case("Host with a blank", head(b"GET /" + key + b" HTTP/1.1", b"Host: a b", host=False) + SMUGGLED, 400)
    yield Case("Host with a path", head(b"GET /" + key + b" HTTP/1.1", b"Host: a/b", host=False) + SMUGGLED, 400)
    yield Case("two blanks", b"GET  /" + key + b" HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, 400)
    yield Case("tab", b"GET\t/" + key + b" HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, 400)
    yield Case("blank in the target", get(b"a b") + SMUGGLED, 400)
    yield Case("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, 400)
    yield Case("no method", b" /" + key + b" HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, 400)
    yield Case("method with a NUL", b"GE\x00T /" + key + b" HTTP/1.1\r\nHost: x\r\n\r\n" + SMUGGLED, 400)
    yield Case("trailing blank", b"GET /" + key + b" HTTP/1.1 \r\nHost: x\r\n\r\n" + SMUGGLED, 0)
    # What is forgiven (RFC 9112 section 2.2).
    yield Case("empty line between requests", NEXT + b"\r\n" + NEXT, 404, closes=False)


def sizes(key):
    """More than a head may have."""
    limit = 16 << 10
    yield Case("long field", get(key, b"A: " + b"a" * limit) + SMUGGLED, 431)
    yield Case("long head", get(key, *[b"A%d: " % number + b"a" * 300 for number in range(60)]) + SMUGGLED, 431)
    yield Case("long name", get(key, b"A" * limit + b": b") + SMUGGLED, 431)
    yield Case("endless field", b"GET /" + key + b" HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (8 << 20), 431)
    yield Case("101 fields", get(key, *[b"A: b"] * 100) + SMUGGLED, 431)
    yield Case("100 fields", get(b"absent", *[b"A: b"] * 99), 404, closes=False)
    yield Case("target past the limit", get(b"a" * (20 << 10)) + SMUGGLED, 431)
    yield Case("endless target", b"GET /" + b"a" * (8 << 20), 431)
    yield Case("endless line", b"GET " + b"a" * (8 << 20), 0, says=b"first line is longer")
    yield Case("over-long key", get(b"k" * 1025), 400, closes=False, says=b"1025 bytes")
    yield Case("over-long encoded key", get(b"%6b" * 1025), 400, closes=False, says=b"1025 bytes")
    yield Case("longest key", get(b"k" * 1024), 404, closes=False)
    yield Case("longest encoded key", get(b"%00" * 1024), 404, closes=False)
    yield Case("empty lines", NEXT + b"\r\n" * 5 + NEXT, (404, 400))


def targets(key):
    """Targets of every form."""
    host = b"example.org:80"
    yield Case("absolute form", head(b"GET http://" + host + b"/absent HTTP/1.1"), 404, closes=False)
    yield Case("absolute form, https", head(b"GET HTTPS://" + host + b"/absent HTTP/1.1"), 404, closes=False)
    yield Case("absolute form without a path", head(b"GET http://" + host + b" HTTP/1.1"), 200, closes=False)
    yield Case("absolute form without a host", head(b"GET http:///" + key + b" HTTP/1.1") + SMUGGLED, 400)
    yield Case("absolute form, user", head(b"GET http://me@x/" + key + b" HTTP/1.1") + SMUGGLED, 400)
    yield Case("other scheme", head(b"GET ftp://x/" + key + b" HTTP/1.1") + SMUGGLED, 400)
    yield Case("authority form", head(b"CONNECT " + host + b" HTTP/1.1") + SMUGGLED, 400)
    yield Case("authority form, GET", head(b"GET " + host + b" HTTP/1.1") + SMUGGLED, 400)
    yield Case("no slash", head(b"GET " + key + b" HTTP/1.1") + SMUGGLED, 400)
    yield Case("asterisk", head(b"GET * HTTP/1.1"), 400, closes=False)
    yield Case("asterisk, OPTIONS", head(b"OPTIONS * HTTP/1.1"), 204, closes=False)
    yield Case("asterisk and more", head(b"OPTIONS *x HTTP/1.1") + SMUGGLED, 400)
    yield Case("fragment", get(key + b"#x") + SMUGGLED, 400)
    yield Case("NUL", get(b"a\x00b") + SMUGGLED, 400)
    yield Case("DEL", get(b"a\x7fb") + SMUGGLED, 400)
    yield Case("%00", get(b"a%00b"), 404, closes=False)
    yield Case("%2e%2e", get(b"%2e%2e/%2e%2e/etc/passwd"), 404, closes=False)
    yield Case("dots", get(b"../../../../etc/passwd"), 404, closes=False)
    yield Case("dots below a value", get(key + b"/../format"), 404, closes=False)
    yield Case("%2f", get(b"%2fetc%2fpasswd"), 404, closes=False)
    yield Case("%zz", get(b"a%zz"), 400, closes=False)
    yield Case("% at the end", get(b"a%"), 400, closes=False)
    yield Case("%4 at the end", get(b"a%4"), 400, closes=False)
    yield Case("%u0041", get(b"%u0041"), 400, closes=False)
    yield Case("% with a sign", get(b"%+1"), 400, closes=False)
    yield Case("line feed in the key", get(b"a%0d%0aX-Header:%20yes"), 404, closes=False)
    yield Case("no key", get(b"?v=1"), 400, closes=False)
    yield Case("bytes past ASCII", get(b"\xff\xfe"), 404, closes=False)
    # Line feeds in a key do not become lines of an answer or of a relayed head.
    yield Case("line feeds in a list", head(b"GET /%0d%0a?list&from=%0d%0aX:y HTTP/1.1"), 200, closes=False)


def versions(key):
    """Other versions, other methods."""
    fields = b"\r\nHost: x\r\n\r\n" + SMUGGLED
    yield Case("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00", 505)
    yield Case("HTTP/1.2", b"GET /" + key + b" HTTP/1.2" + fields, 505)
    yield Case("HTTP/0.9", b"GET /" + key + b" HTTP/0.9" + fields, 505)
    yield Case("HTTP/3.0", b"GET /" + key + b" HTTP/3.0" + fields, 505)
    yield Case("HTTP/x.y", b"GET /" + key + b" HTTP/x.y" + fields, 400)
    yield Case("HTTP/1.10", b"GET /" + key + b" HTTP/1.10" + fields, 0)
    yield Case("http/1.1", b"GET /" + key + b" http/1.1" + fields, 0)
    yield Case("HTTP 1.1", b"GET /" + key + b" HTTP 1.1" + fields, 0)
    for method in (b"get", b"Put", b"delete", b"POST", b"PATCH", b"TRACE", b"PROPFIND", b"X" * 200):
        yield Case("method %r" % method, head(method + b" /" + key + b" HTTP/1.1"), 405, closes=False)
    for method in (b"POST", b"put", b"TRACE"):
        yield Case("method %r with a body" % method,
                   head(method + b" /" + key + b" HTTP/1.1", b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED, 405)
        yield Case("method %r with chunks" % method,
                   head(method + b" /" + key + b" HTTP/1.1", b"Transfer-Encoding: chunked") + SMUGGLED, 405)


def bodies(key):
    """Bodies that look like requests, where a careless reader takes them for such."""
    length = b"Content-Length: %d" % len(SMUGGLED)
    for method in (b"GET", b"HEAD", b"DELETE"):
        yield Case("%r with a body" % method, head(method + b" /" + key + b" HTTP/1.1", length) + SMUGGLED, 400)
        yield Case("%r with chunks" % method,
                   head(method + b" /" + key + b" HTTP/1.1", b"Transfer-Encoding: chunked")
                   + b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED), 400)
    yield Case("list with a body", head(b"GET /zzz?list HTTP/1.1", length) + SMUGGLED, 400)
    yield Case("status with a body", head(b"GET /?status HTTP/1.1", length) + SMUGGLED, 400)
    yield Case("bad key with a body", put(b"a%zz", length) + SMUGGLED, 400)
    yield Case("over-long key with a body", put(b"k" * 1025, length) + SMUGGLED, 400)
    yield Case("failed condition with a body", put(key, length, b"If-None-Match: *") + SMUGGLED, 412)
    yield Case("failed condition with chunks", chunked(key, b"").replace(b"\r\n\r\n", b"\r\nIf-None-Match: *\r\n\r\n")
               + SMUGGLED, 412)
    yield Case("a part, with a body", put(key, length, b"Content-Range: bytes 0-32/33") + SMUGGLED, 400)
    yield Case("too large, with a body", put(key, b"Content-Length: 1152921504606846976") + SMUGGLED, (413, 507))
    yield Case("half a mark, with a body", put(key, length, b"Kvnode-Relayed-By: x") + SMUGGLED, 400)
    yield Case("another peer list, with a body",
               put(key, length, b"Kvnode-Relayed-By: x", b"Kvnode-Peers: 00") + SMUGGLED, 421)
    yield Case("a stated length that is none, with a body", put(key, length, b"Kvnode-Value-Length: x") + SMUGGLED, 400)
    yield Case("another length stated", put(key + b"-2", length, b"Kvnode-Value-Length: 5") + SMUGGLED, (201, 204),
               closes=False)
    yield Case("Expect of something else", put(key + b"-2", b"Content-Length: 1", b"Expect: 200-ok") + b"x", (201, 204),
               closes=False)
    yield Case("request after Connection: close", get(b"absent", b"Connection: close") + SMUGGLED, 404)


def chunks(key):
    """Chunks that are none. Nothing of them is stored."""
    for name, body in {
        "no size": b"\r\nhello\r\n0\r\n\r\n", "garbage": b"xyz\r\nhello\r\n0\r\n\r\n", "minus": b"-5\r\nhello\r\n0\r\n\r\n",
        "plus": b"+5\r\nhello\r\n0\r\n\r\n", "0x5": b"0x5\r\nhello\r\n0\r\n\r\n", "blank first": b" 5\r\nhello\r\n0\r\n\r\n",
        "blank inside": b"5 5\r\nhello\r\n0\r\n\r\n", "overflow": b"fffffffffffffffff\r\nhello",
        "wraps to 5": b"10000000000000005\r\nhello\r\n0\r\n\r\n", "2^63": b"8000000000000000\r\nhello",
        "past 2^60": b"1000000000000001\r\nhello", "zeros": b"0" * 17 + b"5\r\nhello\r\n0\r\n\r\n",
        "data too long": b"5\r\nhello!\r\n0\r\n\r\n", "data too short": b"5\r\nhell\r\n0\r\n\r\n",
        "LF after the size": b"5\nhello\r\n0\r\n\r\n", "CR after the size": b"5\rhello\r\n0\r\n\r\n",
        "LF after the data": b"5\r\nhello\n0\r\n\r\n", "LF at the end": b"5\r\nhello\r\n0\r\n\n",
        "LF after zero": b"5\r\nhello\r\n0\n\r\n", "long extension": b"5;" + b"x" * 300 + b"\r\nhello\r\n0\r\n\r\n",
        "control character in an extension": b"5;a=\x00\r\nhello\r\n0\r\n\r\n", "comma": b"5,\r\nhello\r\n0\r\n\r\n",
        "trailer without a name": b"0\r\n: x\r\n\r\n", "trailer without a colon": b"0\r\nhello\r\n\r\n",
        "trailer folded": b"0\r\nA: b\r\n c\r\n\r\n", "control character in a trailer": b"0\r\nA: \x01\r\n\r\n",
    }.items():
        yield Case(name, chunked(key, body) + SMUGGLED, 400)
    yield Case("long trailers", chunked(key, b"0\r\n" + (b"A: " + b"a" * 1000 + b"\r\n") * 20 + b"\r\n") + SMUGGLED, 431)
    yield Case("101 trailers", chunked(key, b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n") + SMUGGLED, 431)
    # And some that are, odd as they look.
    for name, body in {
        "extensions": b'5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n', "leading zeros": b"00005\r\nhello\r\n0000\r\n\r\n",
        "blank before an extension": b"5 ;a\r\nhello\r\n0\r\n\r\n",
        "capitals": b"A\r\nhellohello\r\na\r\nhellohello\r\n0\r\n\r\n",
        "trailers": b"5\r\nhello\r\n0\r\nContent-Length: 7\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\r\n",
        "one byte each": b"".join(b"1\r\n%c\r\n" % byte for byte in b"hello") + b"0\r\n\r\n",
    }.items():
        yield Case(name, chunked(key + b"-2", body), (201, 204), closes=False)


GROUPS = {"lengths": lengths, "codings": codings, "lines": lines, "sizes": sizes, "targets": targets,
          "versions": versions, "bodies": bodies, "chunks": chunks}


def receive(connection):
    """Everything until the node closes or resets; whether it did before it was silent for too long."""
    data = b""
    connection.settimeout(SILENCE_SECONDS)
    try:
        while True:
            part = connection.recv(1 << 16)
            if not part:
                return data, True
            data += part
    except ConnectionResetError:
        return data, True
    except socket.timeout:
        return data, False


def send(connection, data, pieces):
    try:
        for start in range(0, len(data), pieces):
            connection.sendall(data[start:start + pieces])
            if pieces < len(data) <= 100 * pieces:
                time.sleep(0.001)
    except (BrokenPipeError, ConnectionResetError):
        pass


def statuses(answer):
    return [int(status) for status in re.findall(rb"(?:^|\n)HTTP/1\.1 (\d{3}) ", answer) if status != b"100"]


def run(case, host, pieces):
    connection = socket.create_connection((host, PORT), SILENCE_SECONDS)
    data = case.data if case.closes else case.data + NEXT
    send(connection, data, pieces)
    if not case.closes:
        connection.shutdown(socket.SHUT_WR)
    answer, ended = receive(connection)
    connection.close()
    expected = case.status if isinstance(case.status, tuple) else (case.status,)
    found = statuses(answer)
    problems = []
    if SECRET in answer:
        problems.append("the smuggled request was answered")
    if case.status == 0:
        if not answer.startswith(b"ERROR: ") or answer.count(b"\n") != 1:
            problems.append("expected one line of ERROR")
    elif not found or found[0] not in expected:
        problems.append("expected %s" % (expected,))
    elif case.name == "empty lines":
        if found != [404, 400]:
            problems.append("expected 404 and 400")
    elif case.closes and len(found) != 1:
        problems.append("more than one answer")
    elif not case.closes and (len(found) < 2 or found[-1] != 404):
        problems.append("the next request was not answered")
    if case.says and case.says not in answer:
        problems.append("expected to say %r" % case.says)
    if not ended:
        problems.append("the connection stays open")
    if problems:
        return "%s in pieces of %d: %s; got %r" % (case.name, pieces, ", ".join(problems), answer[:300])
    return None


def exchange(host, method, key, body=None):
    connection = http.client.HTTPConnection(host, PORT, timeout=60)
    connection.request(method, "/" + key, body)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, content


def main():
    group, host, key = sys.argv[1:4]
    exchange(host, "PUT", "secret", SECRET)
    exchange(host, "PUT", key, VALUE)
    failures = []
    cases = list(GROUPS[group](key.encode()))
    for case in cases:
        for pieces in (1 << 30, 7 if len(case.data) < 2000 else 1000):
            failure = run(case, host, pieces)
            if failure:
                failures.append(failure)
            status, content = exchange(host, "GET", key)
            if status != 200 or content != VALUE:
                failures.append("%s: the next client gets %s, %r" % (case.name, status, content[:100]))
                exchange(host, "PUT", key, VALUE)
    print("%d cases" % len(cases))
    if failures:
        sys.exit("\n".join(failures))


main()
