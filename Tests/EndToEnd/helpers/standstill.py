#!/usr/bin/python3
"""Stands still where a log should be read: standstill.py FIFO READY GO FILE

Holds the FIFO open for reading, with as little room in it as a pipe can have, makes the file READY, and reads nothing
until there is a file GO (or for two minutes). Then it copies all that comes to FILE, until nobody writes any more.
"""
import fcntl
import os
import shutil
import sys
import time

TIMEOUT_SECONDS = 120
# A page: the kernel has no smaller pipe.
ROOM_BYTES = 4096


def main():
    fifo, ready, go, path = sys.argv[1:]
    # Without waiting for the writer, which waits for us.
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, ROOM_BYTES)
    os.set_blocking(reader, True)
    open(ready, "w").close()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not os.path.exists(go) and time.monotonic() < deadline:
        time.sleep(0.01)
    with open(reader, "rb", buffering=0) as log, open(path, "wb", buffering=0) as file:
        shutil.copyfileobj(log, file)


main()
