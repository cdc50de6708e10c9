#!/usr/bin/python3
"""Values without content, put straight into the data directories of four nodes: keyspace.py CLUSTER COUNT

Makes COUNT empty files whose keys are the numbers from 0 on, in hexadecimal, with `key-` before every hundredth.
A node must not be running, or its count of values is wrong.
"""
import hashlib
import os
import sys

SLOTS_PER_NODE = 65536 // 4


def keys(count):
    for number in range(count):
        yield ("key-%05x" if number % 100 == 0 else "%05x") % number


def owner(digest):
    """The number of the node, from 1 on, that owns the keys of a digest."""
    return max(int.from_bytes(digest[:2], "big") - 1, 0) // SLOTS_PER_NODE + 1


def make(cluster, count):
    for key in keys(count):
        digest = hashlib.md5(key.encode() + b"\n").digest()
        os.mknod("%s/node%d/values/%02x/%s" % (cluster, owner(digest), digest[0], key), 0o640)


def main():
    cluster, count = sys.argv[1], int(sys.argv[2])
    for node in range(1, 5):
        for shard in range(256):
            os.makedirs("%s/node%d/values/%02x" % (cluster, node, shard), exist_ok=True)
        for name in ("staging", "quarantine"):
            os.makedirs("%s/node%d/%s" % (cluster, node, name), exist_ok=True)
    make(cluster, count)


if __name__ == "__main__":
    main()
