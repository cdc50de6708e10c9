"""What is known of the values in a cluster under load: the promises to check after a crash.

  1. A PUT that was acknowledged reads back identical until it is overwritten or deleted.
  2. A DEL that was acknowledged stays deleted.
  3. A request that was not acknowledged has happened whole or not at all.
  4. What a GET passes off as a whole value is one that somebody sent.

Each key has one writer, so that its history is a sequence; readers come in at any time.
"""
import itertools
import os
import random
import socket
import struct
import threading

PORT = 7776
TIMEOUT_SECONDS = 30
ABSENT = None
SIZES = (0, 1, 100, 5000, 70_000, 300_000, 1_000_000)

_PATTERN = os.urandom(4 << 20)


class Failed(Exception):
    """The request was not acknowledged: it may have happened or not."""


def value(version, size):
    """The value of a version: it begins with the version's number where there is room."""
    head = struct.pack("<QI", version, size)
    offset = version * 7919 % (len(_PATTERN) - max(SIZES))
    return (head + _PATTERN[offset:offset + size])[:size]


def _receive(connection):
    parts = []
    while True:
        part = connection.recv(1 << 18)
        if not part:
            return b"".join(parts)
        parts.append(part)


def ask(host, request, half_close=True):
    """Sends a request in whatever dialect and returns all that comes back, until the stream ends in order."""
    try:
        with socket.create_connection((host, PORT), TIMEOUT_SECONDS) as connection:
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return _receive(connection)
    except OSError as error:
        raise Failed(error)


def _http(method, key, fields="", body=b""):
    head = "%s /%s HTTP/1.1\r\nHost: test\r\nConnection: close\r\n%s\r\n" % (method, key, fields)
    return head.encode() + body


def _status(answer):
    return answer[9:12] if answer.startswith(b"HTTP/1.1 ") else b""


def put(host, key, data, dialect):
    if dialect == "classic":
        answer = ask(host, b"PUT %s\n" % key.encode() + data)
        if answer != key.encode() + b"\n":
            raise Failed(answer)
    elif dialect == "stated":
        answer = ask(host, b"PUT %s %d\n" % (key.encode(), len(data)) + data)
        if answer != key.encode() + b"\n":
            raise Failed(answer)
    else:
        answer = ask(host, _http("PUT", key, "Content-Length: %d\r\n" % len(data), data), half_close=False)
        if _status(answer) not in (b"201", b"204"):
            raise Failed(answer)


def delete(host, key, dialect):
    if dialect == "http":
        answer = ask(host, _http("DELETE", key), half_close=False)
        if _status(answer) not in (b"204", b"404"):
            raise Failed(answer)
    else:
        answer = ask(host, b"DEL %s\n" % key.encode())
        if answer:
            raise Failed(answer)


def get(host, key, dialect):
    """The value, or ABSENT."""
    if dialect == "http":
        answer = ask(host, _http("GET", key), half_close=False)
        if _status(answer) == b"404":
            return ABSENT
        head, _, data = answer.partition(b"\r\n\r\n")
        if _status(answer) != b"200" or b"\r\nContent-Length: %d\r\n" % len(data) not in head:
            raise Failed(answer[:200])
        return data
    answer = ask(host, b"GET %s\n" % key.encode())
    # No value begins so: its version would be astronomic.
    if answer.startswith(b"ERROR: "):
        if b"no such key" in answer:
            return ABSENT
        raise Failed(answer[:200])
    return answer


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.versions = itertools.count(1)
        self.sizes = {}       # version: size
        self.settled = {}     # key: the version that was acknowledged last, or ABSENT
        self.possible = {}    # key: versions that may be there instead
        self.ever = {}        # key: every version that was sent, for readers that come in between
        self.touched = set()
        self.acknowledged = 0
        self.failed = 0
        self.read = 0
        self.violations = []

    def begin(self, key, size):
        """A write begins; size is ABSENT for a DEL. Returns the version."""
        with self.lock:
            version = ABSENT if size is ABSENT else next(self.versions)
            if version is not ABSENT:
                self.sizes[version] = size
            self.possible.setdefault(key, set()).add(version)
            self.ever.setdefault(key, {ABSENT}).add(version)
            self.settled.setdefault(key, ABSENT)
            self.touched.add(key)
            return version

    def acknowledge(self, key, version):
        with self.lock:
            self.acknowledged += 1
            self.settled[key] = version
            # A request that failed before may still be under way in a node that lives, and overtake this one.

    def check(self, key, data, settled=True):
        """Compares what a GET gave. `settled` says that nothing is under way, so that only the last states are right."""
        with self.lock:
            self.read += 1
            allowed = ({self.settled[key]} | self.possible[key]) if settled else set(self.ever[key])
            found = next((v for v in allowed if (ABSENT if v is ABSENT else value(v, self.sizes[v])) == data), "none")
            if found == "none":
                self.violations.append("%s: expected one of %s, got %s" % (key, sorted(map(str, allowed)), describe(data)))
            elif settled:
                self.settled[key] = found
            if settled:
                self.possible[key] = set()
                self.ever[key] = {self.settled[key]}


def describe(data):
    if data is ABSENT:
        return "nothing"
    return "%d bytes beginning with %s" % (len(data), data[:12].hex())


class Load:
    """Writers and readers that go on until they are told to pause, and on again."""

    KEYS_A_WRITER = 6

    def __init__(self, history, hosts, writers=5, readers=2, seed=0):
        self.history = history
        self.hosts = hosts
        self.go = threading.Event()
        self.end = False
        self.active = 0
        self.condition = threading.Condition()
        self.keys = [["key-%d-%d" % (w, n) for n in range(self.KEYS_A_WRITER)] for w in range(writers)]
        work = [(self.write, index) for index in range(writers)] + [(self.look, index) for index in range(readers)]
        for number, (step, index) in enumerate(work):
            generator = random.Random(seed * 1000 + number)
            threading.Thread(target=self.run, args=(step, index, generator), daemon=True).start()

    def run(self, step, index, generator):
        while True:
            self.go.wait()
            with self.condition:
                self.active += 1
            while self.go.is_set():
                step(index, generator)
            with self.condition:
                self.active -= 1
                self.condition.notify_all()

    def resume(self):
        self.go.set()

    def pause(self):
        """Returns once nothing is under way."""
        self.go.clear()
        with self.condition:
            if not self.condition.wait_for(lambda: self.active == 0, TIMEOUT_SECONDS * 2):
                raise SystemExit("a request has not come back")

    def write(self, index, generator):
        key = generator.choice(self.keys[index])
        host = generator.choice(self.hosts)
        dialect = generator.choice(("classic", "stated", "http"))
        size = ABSENT if generator.random() < 0.25 else generator.choice(SIZES)
        version = self.history.begin(key, size)
        try:
            if size is ABSENT:
                delete(host, key, dialect)
            else:
                put(host, key, value(version, size), dialect)
        except Failed:
            self.history.failed += 1
            # A node that is down refuses at once; there is no use in asking it a thousand times.
            threading.Event().wait(0.005)
            return
        self.history.acknowledge(key, version)

    def look(self, _, generator):
        key = generator.choice(generator.choice(self.keys))
        if key not in self.history.settled:
            return
        try:
            data = get(generator.choice(self.hosts), key, generator.choice(("classic", "http")))
        except Failed:
            threading.Event().wait(0.005)
            return
        self.history.check(key, data, settled=False)


def verify(history, hosts, generator, keys=None):
    """Reads keys, all that were touched by default, and compares."""
    for key in sorted(history.touched if keys is None else keys):
        try:
            data = get(generator.choice(hosts), key, generator.choice(("classic", "http")))
        except Failed as failure:
            history.violations.append("%s: cannot be read: %s" % (key, failure))
            continue
        history.check(key, data)
    if keys is None:
        history.touched = set()
