#!/usr/bin/python3
"""A client for what nc cannot do, told step by step: client.py HOST STEP...

  text=TEXT    sends the text; \\n, \\r, \\xNN and the like are escapes
  bytes=N      sends N bytes of a pattern
  read=N       reads N bytes to standard output
  read         reads to the end of the stream
  shut         closes the sending half
  touch=PATH   makes a file: so the test knows how far the client is
  await=PATH   waits until there is such a file
  reset        closes the connection by a reset

Ends with status 0, 104 (ECONNRESET) if the node reset the connection, 110 if it was silent for two minutes,
1 if it ended the stream too early.
"""
import errno
import os
import socket
import struct
import sys
import time

TIMEOUT_SECONDS = 120
BLOCK = bytes(range(256)) * 256


def send_pattern(connection, count):
    while count > 0:
        connection.sendall(BLOCK[:count])
        count -= min(count, len(BLOCK))


def receive(connection, count):
    """Copies count bytes, or all if it is None, to standard output."""
    while count is None or count > 0:
        data = connection.recv(1 << 16 if count is None else min(count, 1 << 16))
        if not data:
            if count is not None:
                sys.exit("the stream ended %d bytes early" % count)
            return
        sys.stdout.buffer.write(data)
        if count is not None:
            count -= len(data)
    sys.stdout.buffer.flush()


def await_file(path):
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise socket.timeout()
        time.sleep(0.01)


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def perform(connection, step):
    name, _, argument = step.partition("=")
    if name == "text":
        connection.sendall(argument.encode("latin-1").decode("unicode_escape").encode("latin-1"))
    elif name == "bytes":
        send_pattern(connection, int(argument))
    elif name == "read":
        receive(connection, int(argument) if argument else None)
    elif name == "shut":
        connection.shutdown(socket.SHUT_WR)
    elif name == "touch":
        open(argument, "w").close()
    elif name == "await":
        await_file(argument)
    elif name == "reset":
        reset(connection)
    else:
        sys.exit("unknown step: " + step)


def main():
    host, steps = sys.argv[1], sys.argv[2:]
    try:
        connection = socket.create_connection((host, 7776), TIMEOUT_SECONDS)
        for step in steps:
            perform(connection, step)
    except socket.timeout:
        sys.exit(errno.ETIMEDOUT)
    except OSError as error:
        # What a reset looks like depends on the call that finds it out.
        if error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN):
            sys.exit(errno.ECONNRESET)
        raise
    finally:
        # What was received goes out before the status says how it ended.
        sys.stdout.buffer.flush()


main()
