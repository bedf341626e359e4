"""service.py - what systemd is to a service, played by a test

SPDX-License-Identifier: MPL-2.0
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import uuid

from server import SLOW

HIGH = 100                      # descriptors that bash moves down from here


class Manager:
    """The socket that $NOTIFY_SOCKET names; .env is what to start with."""

    def __init__(self, folder=None, **variables):
        name = (f"\0mapitest-{uuid.uuid4()}" if folder is None
                else str(folder / "notify"))
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(name)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.env = {"NOTIFY_SOCKET": name.replace("\0", "@"), **variables}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def receive(self, server, seconds=20):
        """The next message as a dictionary; from the main process only."""
        self.sock.settimeout(seconds * SLOW)
        data, extra, _, _ = self.sock.recvmsg(4096, 128)
        sender, = [struct.unpack("3i", value)[0] for level, kind, value
                   in extra if kind == socket.SCM_CREDENTIALS]
        assert sender == server.pid
        return dict(line.split("=", 1) for line in data.decode().splitlines())

    def wait(self, server, key, seconds=20):
        """The next message that is more than a sign of life: it has key."""
        while "WATCHDOG" in (message := self.receive(server, seconds)):
            if key == "WATCHDOG":
                return message
        assert key in message, message
        return message

    def nothing_more(self):
        """Assert that no message waits; for when the program has ended."""
        self.sock.settimeout(0)
        try:
            raise AssertionError(self.sock.recv(4096))
        except BlockingIOError:
            pass


def listener(kind=socket.SOCK_STREAM, family=socket.AF_INET, listening=True):
    """A socket on loopback, and its number."""
    sock = socket.socket(family, kind)
    sock.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
    if listening:
        sock.listen(128)
    return sock, sock.getsockname()[1]


def activated(start, files, *arguments, names="", count=None, env=None,
              **options):
    """start() with files passed as a .socket unit does, 3 being the first.

    A None among them is a number with nothing behind it.
    """
    count = len(files) if count is None else count
    duplicates = []
    moves = []
    try:
        for at, file in enumerate(files):
            if file is None:
                moves.append(f"{3 + at}<&-")
                continue
            fd = fcntl.fcntl(file.fileno(), fcntl.F_DUPFD, HIGH)
            duplicates.append(fd)
            moves.append(f"{3 + at}<&{fd} {fd}<&-")
        wrapper = f'export LISTEN_PID=$$; exec "$@" {" ".join(moves)}'
        return start(*arguments, pass_fds=duplicates,
                     prefix=["bash", "-c", wrapper, "bash"],
                     env={"LISTEN_FDS": str(count), "LISTEN_FDNAMES": names,
                          **(env or {})}, **options)
    finally:
        for fd in duplicates:
            os.close(fd)


def write_config(folder, ports, **more):
    """A configuration; ports are (name, listen, more keys)."""
    rows = [{"name": name, "listen": [listen], "backend": "simulator", **keys}
            for name, listen, keys in ports]
    path = folder / "config.json"
    path.write_text(json.dumps({"ports": rows, **more}))
    return path


def make_certificate(folder, name="operator.example"):
    """A self-signed certificate and its key, which only we can read."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
         f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout",
         str(key), "-out", str(chain)], check=True, capture_output=True)
    key.chmod(0o600)
    return chain, key


class Names:
    """A network with a name server that says nothing until it is told to.

    .options are for start(); names are to be asked for with a dot at the end.
    """

    def __init__(self, network, folder):
        resolv = folder / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:30\n")
        mount = f'mount --bind {resolv} /etc/resolv.conf && exec "$@"'
        self.options = {"netns": network.pid, "prefix": [
            *network.prefix, "unshare", "-m", "sh", "-c", mount, "sh"]}
        self.sock = network.run(
            lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.sock.bind(("127.0.0.1", 53))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def asked(self, seconds=20):
        """Wait for a question; returns it and who asked."""
        self.sock.settimeout(seconds * SLOW)
        return self.sock.recvfrom(4096)

    def deny(self, question, asker):
        """There is no such name."""
        head = question[:2] + b"\x81\x83" + question[4:6] + bytes(6)
        end = question.index(b"\0", 12) + 5    # of the name, type and class
        self.sock.sendto(head + question[12:end], asker)


def troubles(server, start=0):
    """Lines of the JSON log that are warnings or errors."""
    return [line for line in server.log(start)
            if '"level":"warning"' in line or '"level":"error"' in line]
