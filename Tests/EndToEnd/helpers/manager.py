#!/usr/bin/python3
"""Plays the service manager to a node, as its watchdog: manager.py SOCKET

Takes what a node tells on the socket (sd_notify(3)) until SIGTERM comes. Then it prints how often WATCHDOG=1 came, and
the longest time without one in whole milliseconds, from the first to the end.
"""
import os
import select
import signal
import socket
import sys
import time

MESSAGE_BYTES_MAX = 65536


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    stop, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGTERM, lambda *_: None)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    heard = []
    while True:
        ready, _, _ = select.select([manager, stop], [], [])
        if manager in ready:
            if b"WATCHDOG=1" in manager.recv(MESSAGE_BYTES_MAX).split(b"\n"):
                heard.append(time.monotonic())
        elif stop in ready:
            break
    silences = [after - before for before, after in zip(heard, heard[1:] + [time.monotonic()])]
    print(len(heard), int(max(silences, default=0) * 1000))


main()
