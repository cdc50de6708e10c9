"""Nodes for tests that are programs themselves: each is a child of this process and dies with it."""
import os
import signal
import socket
import subprocess
import time

PORT = 7776
START_SECONDS = 60


class Node:
    """One node of a cluster on 127.0.0.1, 127.0.0.2, …"""

    def __init__(self, binary, directory, number, count, settings=(), data=None):
        self.binary = binary
        self.number = number
        self.host = "127.0.0.%d" % number
        self.data = data or os.path.join(directory, "node%d" % number)
        self.log = os.path.join(directory, "node%d.log" % number)
        self.path = os.path.join(directory, "node%d.conf" % number)
        self.settings = settings
        self.process = None
        self.list(range(1, count + 1))

    def list(self, numbers):
        """Writes the configuration, with the nodes of these numbers as peers."""
        peers = ["node%d=127.0.0.%d:%d" % (n, n, PORT) for n in numbers]
        lines = [
            "[Node]", "Name=node%d" % self.number, "Listen=%s:%d" % (self.host, PORT),
            "AdminListen=%s:7777" % self.host, "DataDirectory=" + self.data, "AccessLog=no", *self.settings,
            "[Peers]", *peers,
        ]
        with open(self.path + ".new", "w") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(self.path + ".new", self.path)

    def reload(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def start(self):
        with open(self.log, "ab") as log:
            command = ["setpriv", "--pdeathsig", "KILL", self.binary, "--config", self.path]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def await_service(self):
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log) as log:
                    raise SystemExit("node%d does not serve; it wrote:\n%s" % (self.number, log.read()[-2000:]))
            time.sleep(0.003)

    def answers(self):
        try:
            with socket.create_connection((self.host, PORT), 5) as connection:
                connection.sendall(b"HELLO\n")
                return connection.recv(100).startswith(b"ERROR:")
        except OSError:
            return False

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)

    def await_end(self):
        self.process.wait()

    def staged(self):
        return os.listdir(os.path.join(self.data, "staging"))
