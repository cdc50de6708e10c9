"""Changes the list of a cluster again and again while clients write, read, delete and count, and while nodes are killed:
nothing that was acknowledged may be lost, no key that has a value may be absent, and counters must be exact.

usage: moving.py BINARY DIRECTORY CHANGES SEED
"""
import http.client
import json
import random
import sys
import threading
import time

from audited import NOT_DONE
from cluster import PORT, Node

HOSTS = range(1, 6)
COUNTERS = 2
WRITERS = 4
# Between two requests of a client: a node must get on with moving even where the machine is slow.
PAUSE_SECONDS = 0.01
SIZES = (10, 1000, 100_000, 2_000_000)
SETTLE_SECONDS = 300


class Unanswered(Exception):
    """The request may have been done or not."""


class Refused(Exception):
    """The request was not done."""


class Load:
    """Clients, each of which knows what its key may be."""

    def __init__(self, seed):
        self.seed = seed
        self.hosts = set()
        self.faults = []
        self.done = threading.Event()
        self.added = [0] * COUNTERS
        self.perhaps_added = [0] * COUNTERS
        self.lock = threading.Lock()
        self.answered = 0
        self.threads = [threading.Thread(target=self.count, args=(n,)) for n in range(2 * COUNTERS)]
        self.threads += [threading.Thread(target=self.write, args=(n,)) for n in range(WRITERS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def ask(self, chooser, method, key, body=None, fields=None):
        time.sleep(PAUSE_SECONDS)
        with self.lock:
            host = chooser.choice(sorted(self.hosts))
        connection = http.client.HTTPConnection("127.0.0.%d" % host, PORT, timeout=60)
        try:
            connection.request(method, "/" + key, body=body, headers=fields or {})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(error) from error
        finally:
            connection.close()
        if answer.status in (500, 503, 507):
            raise Refused(content) if NOT_DONE.search(content.decode()) else Unanswered(content)
        with self.lock:
            self.answered += 1
        return answer.status, content, answer.headers

    def count(self, number):
        chooser = random.Random("%s counter %d" % (self.seed, number))
        index = number % COUNTERS
        key = "counter%d" % index
        while not self.done.is_set():
            try:
                with self.lock:
                    least = self.added[index]
                status, content, headers = self.ask(chooser, "GET", key)
                if status == 404 and least:
                    self.fault("%s is absent after %d additions" % (key, least))
                value = int(content) if status == 200 else 0
                if value < least:
                    self.fault("%s is %d after %d additions" % (key, value, least))
                condition = {"If-Match": headers["ETag"]} if status == 200 else {"If-None-Match": "*"}
            except (Unanswered, Refused):
                time.sleep(0.01)
                continue
            try:
                status, _, _ = self.ask(chooser, "PUT", key, b"%d\n" % (value + 1), condition)
                if status in (200, 201, 204):
                    with self.lock:
                        self.added[index] += 1
            except Unanswered:
                with self.lock:
                    self.perhaps_added[index] += 1
            except Refused:
                time.sleep(0.01)

    def write(self, number):
        chooser = random.Random("%s writer %d" % (self.seed, number))
        key = "value%d" % number
        known, perhaps, version = 0, set(), 0
        while not self.done.is_set():
            lot = chooser.random()
            try:
                if lot < 0.3:
                    version += 1
                    tried = version
                    body = b"%d " % version + b"x" * chooser.choice(SIZES)
                    status, content, _ = self.ask(chooser, "PUT", key, body)
                    if status not in (200, 201, 204):
                        self.fault("PUT %s: %d %s" % (key, status, content))
                    known, perhaps = version, set()
                elif lot < 0.37:
                    tried = 0
                    status, _, _ = self.ask(chooser, "DELETE", key)
                    if status == 404 and known and 0 not in perhaps:
                        self.fault("DELETE %s: absent, though %d was stored" % (key, known))
                    known, perhaps = 0, set()
                else:
                    tried = None
                    status, content, _ = self.ask(chooser, "GET", key)
                    seen = int(content.split(b" ", 1)[0]) if status == 200 else 0
                    if seen != known and seen not in perhaps:
                        self.fault("GET %s: %d, though %d was stored, perhaps %s" % (key, seen, known, perhaps))
                    known = seen
            except Unanswered:
                if tried is not None:
                    perhaps.add(tried)
            except Refused:
                time.sleep(0.01)


def status(node):
    connection = http.client.HTTPConnection(node.host, PORT, timeout=10)
    try:
        connection.request("GET", "/?status")
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()


def await_layout(nodes, load, version):
    """Waits until all nodes go by the same later layout and nothing is left to be done."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while not load.faults:
        told = [status(node) for node in nodes]
        versions = {one.get("layout", 0) for one in told}
        if len(versions) == 1 and min(versions) > version and not any("progress" in one for one in told):
            return versions.pop()
        if time.monotonic() > deadline:
            raise SystemExit("the layout does not settle: %s" % [(one.get("layout"), one.get("progress")) for one in told])
        time.sleep(0.1)
    return version


def main():
    binary, directory, changes, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    chooser = random.Random(seed)
    load = Load(seed)
    nodes = {number: Node(binary, directory, number, 3) for number in HOSTS}
    listed = [1, 2, 3]
    for number in listed:
        nodes[number].start()
    for number in listed:
        nodes[number].await_service()
    version = await_layout([nodes[number] for number in listed], load, 0)
    load.hosts = set(listed)
    load.start()
    try:
        for _ in range(changes):
            listed = change(chooser, nodes, listed, load)
            version = await_layout([nodes[number] for number in listed], load, version)
            if load.faults:
                break
    finally:
        load.stop()
    check(load, chooser)


def change(chooser, nodes, listed, load):
    wished = listed
    while wished == listed:
        wished = chooser.sample(HOSTS, chooser.choice([2, 3, 3, 4, 5]))
    print("from %s to %s" % (listed, wished), flush=True)
    for number in chooser.sample(list(HOSTS), len(HOSTS)):
        node = nodes[number]
        # A host that is not on the list goes on as it was, with a list of its own.
        node.list(wished if number in wished else wished + [number])
        if node.process:
            node.reload()
        elif number in wished:
            node.start()
            node.await_service()
    victim = chooser.choice([number for number in HOSTS if nodes[number].process])
    with load.lock:
        load.hosts = {number for number in HOSTS if nodes[number].process} - {victim}
    print("kill -9 of node%d" % victim, flush=True)
    nodes[victim].kill()
    nodes[victim].await_end()
    nodes[victim].start()
    nodes[victim].await_service()
    with load.lock:
        load.hosts.add(victim)
    return wished


def check(load, chooser):
    for index in range(COUNTERS):
        _, content, _ = load.ask(chooser, "GET", "counter%d" % index)
        least, most = load.added[index], load.added[index] + load.perhaps_added[index]
        if not least <= int(content) <= most:
            load.fault("counter%d is %s, and should be %d to %d" % (index, content, least, most))
    print("%d requests answered" % load.answered)
    if load.faults:
        print("\n".join(load.faults[:20]))
        raise SystemExit(1)
    if min(load.added) == 0:
        raise SystemExit("nothing was counted")


if __name__ == "__main__":
    main()
