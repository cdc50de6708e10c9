#!/usr/bin/python3
"""Cuts the power of a node's disk under load and checks what is left: power_cut.py KVNODE DIRECTORY ROUNDS FULL|RELAXED

The store lies on an ext4 in a file, mounted through a loop device. See cut_disk.py. To be run by root in a mount
namespace of its own (unshare --mount), with which every mount and loop device goes away.

Ends with 0 if nothing was lost, 3 if something was, so that a control can tell this from other trouble.
"""
import os
import random
import subprocess
import sys
import time

from cluster import Node
from cut_disk import cut
from history import History, Load, verify

IMAGE_BYTES = 192 << 20
LOST = 3


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Disk:
    def __init__(self, directory):
        self.image = os.path.join(directory, "ram", "image")
        self.path = os.path.join(directory, "disk")
        os.mkdir(os.path.dirname(self.image))
        os.mkdir(self.path)
        # In memory, so that the host's disk sets no pace.
        run("mount", "-t", "tmpfs", "-o", "size=%d" % (IMAGE_BYTES + (16 << 20)), "none", os.path.dirname(self.image))
        with open(self.image, "wb") as file:
            file.truncate(IMAGE_BYTES)
        run("mkfs.ext4", "-q", "-F", self.image)
        self.mount()

    def mount(self):
        run("mount", "-o", "loop", self.image, self.path)

    def cut(self):
        cut(self.path)

    def unmount(self):
        run("umount", self.path)


def main():
    binary, directory, rounds, durability = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4].lower()
    seed = random.SystemRandom().randrange(1 << 30)
    generator = random.Random(seed)
    print("seed %d" % seed, flush=True)
    disk = Disk(directory)
    node = Node(binary, directory, 1, 1, ["Durability=" + durability], os.path.join(disk.path, "data"))
    node.start()
    node.await_service()
    history = History()
    load = Load(history, [node.host], writers=6, readers=1, seed=seed)
    rounds_done = leftovers = 0
    while rounds_done < rounds and not history.violations:
        load.resume()
        time.sleep(generator.uniform(0.05, 0.5))
        disk.cut()
        load.pause()
        node.kill()
        node.await_end()
        disk.unmount()
        disk.mount()
        leftovers += len(node.staged())
        node.start()
        node.await_service()
        if set(node.staged()) - {"probe"}:
            sys.exit("staging/ is not empty after the start: %s" % node.staged())
        verify(history, [node.host], generator, set(history.settled))
        rounds_done += 1
    print("rounds=%d acknowledged=%d failed=%d read=%d leftovers=%d violations=%d" % (
        rounds_done, history.acknowledged, history.failed, history.read, leftovers, len(history.violations)))
    for violation in history.violations[:10]:
        print("violation:", violation)
    sys.stdout.flush()
    # Whoever comes next needs the port.
    node.kill()
    node.await_end()
    os._exit(LOST if history.violations else 0)


main()
