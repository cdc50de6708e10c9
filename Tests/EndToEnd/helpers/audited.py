#!/usr/bin/python3
"""Clients of both dialects on all hosts of a cluster, with a history of every key for linearizable.py to judge.

usage: audited.py DIRECTORY SEED HOST...

In DIRECTORY: "progress" has a line for each client, its name and how much it had acknowledged; create "stop" to end the
load. Then every key is read through every host, and there are "history", "faults" (what no history can say) and
"summary". A file "done" comes last.

A value says what it is: its first line has its key, its name and its length, and the rest follows from these.
"""
import itertools
import os
import random
import re
import socket
import sys
import threading
import time

PORT = 7776
TIMEOUT_SECONDS = 60
# A client must not keep a node from what is to go on beside it.
PAUSE_SECONDS = 0.04
# Hot keys have several requests at a time; warm ones lie in most of the groups that move.
STILL_KEYS, HOT_KEYS, WARM_KEYS, COUNTERS, LARGE_KEYS = 120, 20, 200, 2, 2
SIZES = (1 << 10, 1 << 10, 30_000, 100_000, 300_000, 1 << 20, 5 << 20)
LARGE_BYTES = 128 << 20
LARGE_PAUSE_SECONDS = 3
# A key with more operations of which nobody knows whether they were done is left alone, so that it can be judged.
OPEN_MAX = 4
VERIFY_SECONDS = 120
CHUNK_BYTES = 1 << 18
ANSWER_BYTES_MAX = 4096

PATTERN_BYTES = 1 << 20
_PATTERN = os.urandom(PATTERN_BYTES) * 2

# What a node says only where it has done nothing.
NOT_DONE = re.compile(
    "nothing was done|no node answers for keys|are being asked|cannot be reached|the layout is changing|no space"
    "|does not know its address|takes .* for the owner|different peer lists|different layouts|different clusters"
    "|does not react|too many connections|no layout yet|takes no request|no other is allowed yet")


class Unanswered(Exception):
    """It is not known whether it was done."""


class Damaged(Unanswered):
    """What was passed off as a whole value is none."""


class Refused(Exception):
    """It was not done."""


def head_of(key, name, size):
    return ("%s %s %d\n" % (key, name, size)).encode()


def piece(name, offset, length):
    """Bytes of the value of that name, counted from behind its first line; at most a pattern long."""
    start = (hash_of(name) + offset) % PATTERN_BYTES
    return memoryview(_PATTERN)[start:start + length]


def hash_of(name):
    return sum(ord(character) * 31 ** index for index, character in enumerate(name)) % PATTERN_BYTES


def pieces(key, name, size):
    head = head_of(key, name, size)
    yield head
    offset, rest = 0, size - len(head)
    while offset < rest:
        length = min(CHUNK_BYTES, rest - offset)
        yield piece(name, offset, length)
        offset += length


class Connection:
    """One request over a connection of its own."""

    def __init__(self, host):
        try:
            self.socket = socket.create_connection((host, PORT), TIMEOUT_SECONDS)
        except OSError as error:
            raise Refused(error) from error
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, parts, half_closes):
        """Whoever is refused while it sends finds the reason in the answer."""
        try:
            for part in parts:
                self.socket.sendall(part)
            if half_closes:
                self.socket.shutdown(socket.SHUT_WR)
        except socket.timeout as error:
            raise Unanswered(error) from error
        except OSError:
            pass

    def receive(self, most=CHUNK_BYTES):
        if self.rest:
            taken, self.rest = self.rest[:most], self.rest[most:]
            return taken
        try:
            return self.socket.recv(most)
        except OSError as error:
            raise Unanswered(error) from error

    def receive_until(self, mark):
        """What comes up to a mark and it, or all where it does not come."""
        found = b""
        while mark not in found and len(found) < ANSWER_BYTES_MAX:
            part = self.receive()
            if not part:
                return found
            found += part
        end = found.index(mark) + len(mark) if mark in found else len(found)
        self.rest = found[end:] + self.rest
        return found[:end]

    def receive_all(self):
        """The rest of a short answer."""
        found = b""
        while part := self.receive():
            found += part[:ANSWER_BYTES_MAX - len(found)]
        return found


def refuse(text):
    text = text.decode(errors="replace").strip()
    raise Refused(text) if NOT_DONE.search(text) else Unanswered(text)


def receive_value(connection, key, length, first):
    """The name of a value that is whole; its length is None in the classic dialect, where its end is the stream's."""
    words = first.decode(errors="replace").split()
    if len(words) != 3 or words[0] != key or not words[2].isdigit():
        raise Damaged("a value of %s begins with %r" % (key, first[:100]))
    name, size = words[1], int(words[2])
    if length is not None and length != size:
        raise Damaged("%s of %s has %s bytes, and %d are announced" % (name, key, size, length))
    offset, rest = 0, size - len(first)
    while offset < rest:
        part = connection.receive(min(CHUNK_BYTES, rest - offset))
        if not part:
            if length is None:
                raise Damaged("%s of %s ends in order after %d of %d bytes" % (name, key, offset + len(first), size))
            raise Unanswered("it was cut off")
        if part != piece(name, offset, len(part)):
            raise Damaged("%s of %s has wrong bytes near %d" % (name, key, offset + len(first)))
        offset += len(part)
    if length is None and connection.receive(1):
        raise Damaged("%s of %s has more than its %d bytes" % (name, key, size))
    return name


class Classic:
    """Each answers as HTTP does, as far as this dialect can tell."""

    @staticmethod
    def put(host, key, name, size):
        with Connection(host) as connection:
            connection.send(itertools.chain([b"PUT %s\n" % key.encode()], pieces(key, name, size)), True)
            answer = connection.receive_all()
        if answer != key.encode() + b"\n":
            refuse(answer)
        return ""

    @staticmethod
    def get(host, key):
        with Connection(host) as connection:
            connection.send([b"GET %s\n" % key.encode()], True)
            first = connection.receive_until(b"\n")
            if first.startswith(b"ERROR: "):
                if first.endswith(b"no such key\n"):
                    return "-", None
                refuse(first)
            return receive_value(connection, key, None, first), None

    @staticmethod
    def delete(host, key):
        with Connection(host) as connection:
            connection.send([b"DEL %s\n" % key.encode()], True)
            if answer := connection.receive_all():
                refuse(answer)
        return ""


class HTTP:
    @staticmethod
    def begin(host, method, key, fields="", parts=()):
        """Sends a request and receives the head of its answer: its status and fields."""
        connection = Connection(host)
        try:
            head = "%s /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n" % (method, key, host, fields)
            connection.send(itertools.chain([head.encode()], parts), False)
            answer = connection.receive_until(b"\r\n\r\n").decode(errors="replace")
            if not answer.endswith("\r\n\r\n"):
                raise Unanswered("no answer" if not answer else answer)
            first, *lines = answer.strip().split("\r\n")
            return connection, int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines)
        except BaseException:
            connection.socket.close()
            raise

    @classmethod
    def put(cls, host, key, name, size, fields=""):
        connection, status, _ = cls.begin(
            host, "PUT", key, "Content-Length: %d\r\n%s" % (size, fields), pieces(key, name, size))
        with connection:
            if status in (200, 201, 204):
                # 200: whether there was a value before cannot be told.
                return {201: "created", 204: "replaced"}.get(status, "")
            if status == 412 and fields:
                return "refused"
            refuse(connection.receive_all())

    @classmethod
    def get(cls, host, key):
        connection, status, fields = cls.begin(host, "GET", key)
        with connection:
            if status == 404:
                return "-", None
            if status != 200:
                refuse(connection.receive_all())
            length = int(fields["content-length"])
            return receive_value(connection, key, length, connection.receive_until(b"\n")), fields["etag"]

    @classmethod
    def delete(cls, host, key):
        connection, status, _ = cls.begin(host, "DELETE", key)
        with connection:
            if status in (204, 404):
                return "existed" if status == 204 else "absent"
            refuse(connection.receive_all())


class History:
    def __init__(self):
        self.lock = threading.Lock()
        self.lines = []
        self.open = {}
        self.faults = []
        self.unknown = {}
        self.refusals = {}

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def note(self, call, end, key, text):
        with self.lock:
            self.lines.append("%d %s %s %s" % (call, end, key, text))
            if end == "-":
                self.open[key] = self.open.get(key, 0) + 1

    def count(self, counts, error):
        """By kind, for a person to look at."""
        kind = re.sub("[0-9]+", "N", re.sub(r"^(GET|PUT|DEL) \S+ ?", "", re.sub("^ERROR: ", "", str(error))))[:90]
        with self.lock:
            counts[kind] = counts.get(kind, 0) + 1

    def perform(self, key, text, operation, is_read=False):
        """Does what can be done, and writes down when and what came of it. `text` is made of the answer."""
        call = time.monotonic_ns()
        try:
            answer = operation()
        except Refused as error:
            self.count(self.refusals, error)
            raise
        except Damaged as error:
            self.fault(str(error))
            raise
        except Unanswered as error:
            self.count(self.refusals if is_read else self.unknown, error)
            if not is_read:
                self.note(call, "-", key, text(None))
            raise
        self.note(call, time.monotonic_ns(), key, text(answer))
        return answer

    def get(self, dialect, host, key):
        return self.perform(key, lambda answer: "get " + answer[0], lambda: dialect.get(host, key), is_read=True)

    def put(self, dialect, host, key, name, size):
        return self.perform(
            key, lambda answer: ("put %s %s" % (name, answer or "")).strip(),
            lambda: dialect.put(host, key, name, size))

    def delete(self, dialect, host, key):
        return self.perform(
            key, lambda answer: ("delete " + (answer or "")).strip(), lambda: dialect.delete(host, key))

    def swap(self, host, key, expected, tag, name, size):
        """True where it was done."""
        condition = "If-None-Match: *\r\n" if expected == "-" else "If-Match: %s\r\n" % tag
        outcomes = {None: "", "refused": " refused"}
        return self.perform(
            key, lambda answer: "swap %s %s%s" % (expected, name, outcomes.get(answer, " done")),
            lambda: HTTP.put(host, key, name, size, condition)) != "refused"


class Load:
    def __init__(self, directory, seed, hosts):
        self.directory = directory
        self.hosts = hosts
        self.history = History()
        self.names = itertools.count(1)
        self.generations = {}
        self.acknowledged = {}
        self.counted = {}
        self.perhaps_counted = {}
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.seed = seed
        clients = [(self.mix, host, dialect) for host in hosts for dialect in (Classic, HTTP)]
        clients += [(self.count, None, index) for index in range(2 * COUNTERS)] + [(self.large, None, None)]
        self.threads = [
            threading.Thread(target=self.run, args=(number, *client)) for number, client in enumerate(clients)]

    def path(self, name):
        return os.path.join(self.directory, name)

    def key(self, base):
        """A key of that kind whose history can still be judged."""
        with self.lock:
            generation = self.generations.setdefault(base, 0)
            if self.history.open.get("%s.%d" % (base, generation), 0) >= OPEN_MAX:
                self.generations[base] = generation = generation + 1
            return "%s.%d" % (base, generation)

    def name(self):
        with self.lock:
            return "v%d" % next(self.names)

    def store_still_values(self):
        """Those that nobody writes again, through the first host: not all need belong to the cluster already."""
        for number in range(STILL_KEYS):
            self.history.put(HTTP, self.hosts[0], "still%d.0" % number, self.name(), SIZES[number % len(SIZES)])

    def run(self, number, step, host, argument):
        chooser = random.Random("%s %d" % (self.seed, number))
        client = "%s-%s" % (host or "any", argument.__name__ if isinstance(argument, type) else "%s%s" % (
            step.__name__, "" if argument is None else argument))
        self.acknowledged[client] = 0
        while not self.stopping.is_set():
            self.stopping.wait(PAUSE_SECONDS)
            try:
                step(chooser, host or chooser.choice(self.hosts), argument)
                self.acknowledged[client] += 1
            except (Refused, Unanswered):
                self.stopping.wait(PAUSE_SECONDS)
            except BaseException as error:
                self.history.fault("the client %s failed: %r" % (client, error))
                raise

    def mix(self, chooser, host, dialect):
        lot = chooser.random()
        if lot < 0.25:
            self.history.get(dialect, host, "still%d.0" % chooser.randrange(STILL_KEYS))
            return
        is_hot = chooser.random() < 0.5
        key = self.key("hot%d" % chooser.randrange(HOT_KEYS) if is_hot else "warm%d" % chooser.randrange(WARM_KEYS))
        if lot < 0.6:
            self.history.get(dialect, host, key)
        elif lot < 0.92:
            self.history.put(dialect, host, key, self.name(), chooser.choice(SIZES) if is_hot else SIZES[0])
        else:
            self.history.delete(dialect, host, key)

    def count(self, chooser, host, index):
        key = self.key("counter%d" % (index % COUNTERS))
        value, tag = self.history.get(HTTP, host, key)
        number = 0 if value == "-" else int(value.split("-")[0])
        # Each that counts gives its value a name of its own, so that it is told whose it was.
        name = "%d-%s" % (number + 1, self.name())
        try:
            if self.history.swap(host, key, value, tag, name, 200):
                with self.lock:
                    self.counted[key] = self.counted.get(key, 0) + 1
        except Unanswered:
            with self.lock:
                self.perhaps_counted[key] = self.perhaps_counted.get(key, 0) + 1
            raise

    def large(self, chooser, host, _):
        key = self.key("large%d" % chooser.randrange(LARGE_KEYS))
        dialect = chooser.choice((Classic, HTTP))
        if chooser.random() < 0.5:
            self.history.put(dialect, host, key, self.name(), LARGE_BYTES)
        else:
            self.history.get(dialect, host, key)
        self.stopping.wait(LARGE_PAUSE_SECONDS)

    def go_on(self):
        self.store_still_values()
        for thread in self.threads:
            thread.start()
        while not os.path.exists(self.path("stop")):
            self.write("progress", ["%s %d" % client for client in list(self.acknowledged.items())])
            time.sleep(0.2)
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def verify(self):
        """Reads every key through every host."""
        keys = sorted({line.split()[2] for line in self.history.lines})
        readers = [threading.Thread(target=self.read_all, args=(host, keys)) for host in self.hosts]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        for key in keys:
            if key.startswith("counter"):
                self.check_counter(key)

    def read_all(self, host, keys):
        deadline = time.monotonic() + VERIFY_SECONDS
        chooser = random.Random("%s %s" % (self.seed, host))
        for key in keys:
            while True:
                try:
                    self.history.get(chooser.choice((Classic, HTTP)), host, key)
                    break
                except Damaged:
                    break
                except (Refused, Unanswered) as error:
                    if time.monotonic() > deadline:
                        self.history.fault("%s cannot be read through %s: %s" % (key, host, error))
                        break
                    time.sleep(0.2)

    def check_counter(self, key):
        value, _ = self.history.get(HTTP, self.hosts[0], key)
        number = 0 if value == "-" else int(value.split("-")[0])
        least = self.counted.get(key, 0)
        most = least + self.perhaps_counted.get(key, 0)
        if not least <= number <= most:
            self.history.fault("%s is %d, and should be %d to %d" % (key, number, least, most))

    def write(self, name, lines):
        with open(self.path(name + ".new"), "w") as file:
            file.writelines(line + "\n" for line in lines)
        os.rename(self.path(name + ".new"), self.path(name))

    def report(self):
        history = self.history
        self.write("history", history.lines)
        self.write("faults", history.faults)
        summary = ["%d operations; counted %s, perhaps %s" % (len(history.lines), self.counted, self.perhaps_counted)]
        for title, counts in (("unknown", history.unknown), ("refused", history.refusals)):
            summary += ["%s %d times: %s" % (title, count, kind) for kind, count in sorted(
                counts.items(), key=lambda item: -item[1])[:12]]
        self.write("summary", summary)


def main():
    directory, seed, *hosts = sys.argv[1:]
    load = Load(directory, seed, hosts)
    try:
        load.go_on()
        load.verify()
    finally:
        load.report()
        load.write("done", [])


if __name__ == "__main__":
    main()
