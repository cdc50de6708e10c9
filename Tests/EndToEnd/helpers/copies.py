"""Has a cluster go from some copies to others, take hosts in and let them go, and lose disks, while clients write, read,
delete and count: nothing that was acknowledged may be lost, and no key that has a value may be absent.

usage: copies.py BINARY DIRECTORY SEED STEP...

A step is a list of hosts and how many copies there are to be, such as 1234x3; wipe2, where host 2 is killed and starts
again with an empty disk; or again1, where host 1 is killed and starts again. "kill" after a step, as in wipe2kill, kills
in the midst of it a host that gets values. The first step is what the cluster begins with: where it names one host,
values are stored there before there are others.
"""
import random
import re
import shutil
import sys
import time

from cluster import PORT, Node
from moving import Load, Refused, Unanswered, await_layout, check, status

STILL = 100
STEP = re.compile("(?:([1-5]+)x([1-7])|wipe([1-5])|again([1-5]))(kill)?$")
UNDERWAY_SECONDS = 60


class Cluster:
    def __init__(self, binary, directory, seed):
        self.nodes = {number: Node(binary, directory, number, 1) for number in range(1, 6)}
        self.load = Load(seed)
        self.chooser = random.Random(seed)
        self.listed, self.copies, self.version = [], 1, 0

    def list(self, numbers, copies):
        for number in sorted(set(numbers) | set(self.listed)):
            node = self.nodes[number]
            node.settings = ("[Cluster]", "Replicas=%d" % copies)
            node.list(numbers if number in numbers else numbers + [number])
            if node.process:
                node.reload()
            else:
                self.start(number)
        self.listed, self.copies = numbers, copies
        self.serve()

    def start(self, number):
        self.nodes[number].start()
        self.nodes[number].await_service()

    def serve(self, without=()):
        with self.load.lock:
            self.load.hosts = set(self.listed) - set(without)

    def stop(self, number):
        self.serve([number])
        self.nodes[number].kill()
        self.nodes[number].await_end()

    def again(self, number):
        self.stop(number)
        self.start(number)
        self.serve()

    def wipe(self, number):
        self.stop(number)
        shutil.rmtree(self.nodes[number].data)
        self.start(number)
        self.serve()

    def step(self, text):
        print(text, flush=True)
        hosts, copies, wiped, again, kills = STEP.match(text).groups()
        before = self.version
        if hosts:
            victims = [int(host) for host in hosts]
            self.list(victims, int(copies))
        elif wiped:
            victims = [int(wiped)]
            self.wipe(victims[0])
        else:
            victims = [int(again)]
            self.again(victims[0])
            before -= 1
        if kills:
            self.kill_underway(self.chooser.choice(victims))
        self.version = await_layout([self.nodes[number] for number in self.listed], self.load, before)
        self.check_still(self.listed)

    def kill_underway(self, victim):
        """Waits until some groups have moved and others have not."""
        deadline = time.monotonic() + UNDERWAY_SECONDS
        while not re.search("[1-9][0-9]* (of 256|%)", status(self.nodes[self.listed[0]]).get("progress", "")):
            if time.monotonic() > deadline:
                raise SystemExit("nothing moves: %s" % status(self.nodes[self.listed[0]]))
            time.sleep(0.01)
        print("kill -9 of node%d" % victim, flush=True)
        self.again(victim)

    def store_still(self):
        for number in range(STILL):
            self.until_done("PUT", "still%d" % number, b"value %d" % number)

    def until_done(self, method, key, body=None, hosts=None):
        """Asks until there is an answer that says something."""
        while True:
            try:
                return self.load.ask(random.Random(key) if hosts is None else hosts, method, key, body)
            except (Refused, Unanswered):
                time.sleep(0.05)

    def check_still(self, numbers):
        for number in numbers:
            for value in range(STILL):
                code, content, _ = self.until_done("GET", "still%d" % value, hosts=Only(number))
                if (code, content) != (200, b"value %d" % value):
                    self.load.fault("GET still%d through node%d: %d %r" % (value, number, code, content[:80]))


class Only:
    """Chooses one host whichever there are."""

    def __init__(self, number):
        self.number = number

    def choice(self, _):
        return self.number


def main():
    binary, directory, seed, *steps = sys.argv[1:]
    assert steps and all(STEP.match(step) for step in steps) and PORT
    cluster = Cluster(binary, directory, seed)
    hosts, copies = STEP.match(steps[0]).groups()[:2]
    cluster.list([int(host) for host in hosts], int(copies))
    if len(hosts) > 1:
        cluster.version = await_layout([cluster.nodes[number] for number in cluster.listed], cluster.load, 0)
    cluster.store_still()
    cluster.load.start()
    try:
        for step in steps[1:]:
            cluster.step(step)
            if cluster.load.faults:
                break
    except BaseException:
        cluster.load.stop()
        print("\n".join(cluster.load.faults[:20]))
        raise
    cluster.load.stop()
    if cluster.load.faults:
        raise SystemExit("\n".join(cluster.load.faults[:20]))
    check(cluster.load, cluster.chooser)


main()
