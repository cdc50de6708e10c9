#!/usr/bin/python3
"""Kills nodes at random moments under load and checks what is left: crash.py KVNODE DIRECTORY KILLS [SEED]

Two nodes, so that each is owner and relay. A round is a little load, one kill or two, a restart, and a look at
everything that was touched.
"""
import os
import random
import sys
import time

from cluster import Node
from history import History, Load, verify

ROUND_SECONDS_MAX = 0.2


def strike(nodes, generator):
    """Kills one node or both, not at the same moment."""
    victims = generator.sample(nodes, generator.choice((1, 1, 1, 2)))
    for node in victims:
        node.kill()
        time.sleep(generator.uniform(0, 0.005))
    for node in victims:
        node.await_end()
    return victims


def await_quiet(node):
    """What a killed relay began may still be coming to its end in the owner."""
    deadline = time.monotonic() + 30
    while node.staged():
        if time.monotonic() > deadline:
            sys.exit("staging/ of node%d does not empty: %s" % (node.number, node.staged()))
        time.sleep(0.002)


def main():
    binary, directory, kills_wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 30)
    print("seed %d" % seed, flush=True)
    generator = random.Random(seed)
    nodes = [Node(binary, directory, number, 2) for number in (1, 2)]
    hosts = [node.host for node in nodes]
    for node in nodes:
        node.start()
    for node in nodes:
        node.await_service()
    history = History()
    load = Load(history, hosts, seed=seed)
    kills = leftovers = 0
    while kills < kills_wanted and not history.violations:
        load.resume()
        time.sleep(generator.uniform(0.005, ROUND_SECONDS_MAX))
        victims = strike(nodes, generator)
        kills += len(victims)
        load.pause()
        leftovers += sum(len(node.staged()) for node in victims)
        for node in victims:
            node.start()
        for node in victims:
            node.await_service()
            # The probe of the self-check comes and goes.
            if set(node.staged()) - {"probe"}:
                sys.exit("staging/ of node%d is not empty after the start: %s" % (node.number, node.staged()))
        for node in nodes:
            await_quiet(node)
        verify(history, hosts, generator)
    verify(history, hosts, generator, set(history.settled))
    print("kills=%d acknowledged=%d failed=%d read=%d leftovers=%d violations=%d" % (
        kills, history.acknowledged, history.failed, history.read, leftovers, len(history.violations)))
    for violation in history.violations[:20]:
        print("violation:", violation)
    sys.stdout.flush()
    # Without waiting for the threads; the nodes die with this process.
    os._exit(1 if history.violations else 0)


main()
