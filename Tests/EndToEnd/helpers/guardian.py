#!/usr/bin/python3
"""Clears up after a test, whatever ends it: guardian.py PID DIRECTORY READY [NAMESPACE...]

Waits until the process ends or SIGTERM comes. Then it thaws and unmounts everything below the directory, ends what
runs in the network namespaces and deletes them. Makes the file READY once it is on guard.
"""
import fcntl
import os
import select
import signal
import subprocess
import sys

FITHAW = 0xC0045878


def mounts(directory):
    with open("/proc/self/mountinfo") as table:
        points = [line.split()[4].encode().decode("unicode_escape") for line in table]
    return [point for point in reversed(points) if point.startswith(directory + "/")]


def thaw(point):
    try:
        root = os.open(point, os.O_RDONLY)
        fcntl.ioctl(root, FITHAW, 0)
        os.close(root)
    except OSError:
        pass  # It was not frozen, or is no file system that can be.


def quietly(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def clear(directory, namespaces):
    for point in mounts(directory):
        thaw(point)
    for namespace in namespaces:
        for pid in quietly("ip", "netns", "pids", namespace).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        quietly("ip", "netns", "delete", namespace)
    for point in mounts(directory):
        # Lazily: what still holds it open is being killed, and the loop device goes with the mount.
        quietly("umount", "--lazy", point)


def main():
    pid, directory, ready, namespaces = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:]
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    process = os.pidfd_open(pid)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    open(ready, "w").close()
    select.select([process, reader], [], [])
    clear(directory, namespaces)


main()
