#!/usr/bin/python3
"""A disk that hangs: freeze.py MOUNT READY

Freezes the file system (FIFREEZE, as fsfreeze(8) does), so that whoever would write waits, makes the file READY, and
thaws it when SIGTERM comes or after a minute: a frozen file system that is forgotten could never be unmounted.
"""
import fcntl
import os
import signal
import sys

FIFREEZE = 0xC0045877
FITHAW = 0xC0045878


def main():
    mount, ready = sys.argv[1], sys.argv[2]
    signals = [signal.SIGTERM, signal.SIGALRM, signal.SIGINT, signal.SIGHUP]
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    root = os.open(mount, os.O_RDONLY)
    signal.alarm(60)
    fcntl.ioctl(root, FIFREEZE, 0)
    open(ready, "w").close()
    signal.sigwait(signals)
    try:
        fcntl.ioctl(root, FITHAW, 0)
    except OSError:
        pass  # Whoever cleared up was quicker.


main()
