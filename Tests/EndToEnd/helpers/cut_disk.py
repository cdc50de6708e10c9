#!/usr/bin/python3
"""Has an ext4 forget what it has not written, page cache and open journal transaction alike, as a power cut would: the
ioctl FS_IOC_SHUTDOWN with NOLOGFLUSH. Mounting it again replays the journal.

usage: cut_disk.py DIRECTORY
"""
import fcntl
import os
import struct
import sys

FS_IOC_SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2


def cut(path):
    root = os.open(path, os.O_RDONLY)
    fcntl.ioctl(root, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    os.close(root)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cut(sys.argv[1])
