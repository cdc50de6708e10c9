"""A classic client over TLS: tls_client.py HOST AUTHORITY REQUEST [ENDING]

Sends REQUEST, in which \\n stands for an LF, and then standard input; ends its half as ENDING says (`announced`, the
default, with close_notify; `cut`, with the end of the connection alone; `open`, not at all), and writes what comes to
standard output. The exit status is 0 for an end that the node has announced, 3 for one that it has not.
"""

import socket
import ssl
import sys

host, authority, request = sys.argv[1:4]
ending = sys.argv[4] if len(sys.argv) > 4 else "announced"
context = ssl.create_default_context(cafile=authority)
raw = socket.create_connection((host, 7776), timeout=60)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
session = context.wrap_bio(incoming, outgoing, server_hostname=host)


def send_pending():
    # Sending nothing would be an error too, once this half has ended.
    if data := outgoing.read():
        raw.sendall(data)


def exchange(call):
    """Does what OpenSSL is asked for, and moves its bytes to and from the socket."""
    while True:
        try:
            result = call()
            send_pending()
            return result
        except ssl.SSLWantReadError:
            send_pending()
            data = raw.recv(65536)
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()


exchange(session.do_handshake)
if request:
    exchange(lambda: session.write(request.replace("\\n", "\n").encode()))
while piece := sys.stdin.buffer.read(65536):
    exchange(lambda: session.write(piece))
if ending == "cut":
    raw.shutdown(socket.SHUT_WR)
elif ending == "announced":
    try:
        session.unwrap()
    except ssl.SSLWantReadError:
        raw.sendall(outgoing.read())
try:
    while True:
        data = exchange(lambda: session.read(65536))
        if not data:
            break
        sys.stdout.buffer.write(data)
except (ssl.SSLZeroReturnError, ssl.SSLSyscallError):
    pass
except (ssl.SSLEOFError, ConnectionError):
    sys.exit(3)
