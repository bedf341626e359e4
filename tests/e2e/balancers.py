"""balancers.py - a real HAProxy in front of a port

SPDX-License-Identifier: MPL-2.0
"""

import json
import shutil
import socket
import subprocess

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin")

CONFIGURATION = """\
global
    stats socket {folder}/admin.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind fd@{v4}
    bind fd@{v6}
    default_backend out
backend out
    server mapitest {address} send-proxy-v2 {options}
"""


class Haproxy:
    """Relays bytes to an address, with a PROXY header before them."""

    def __init__(self, folder, address, options=""):
        self.socket = str(folder / "admin.sock")
        path = folder / "haproxy.cfg"
        # It takes no port 0: it inherits sockets that listen.
        listeners = [socket.create_server(("127.0.0.1", 0)),
                     socket.create_server(("::1", 0),
                                          family=socket.AF_INET6)]
        v4, v6 = (one.fileno() for one in listeners)
        self.addresses = {one.getsockname()[0]: one.getsockname()[:2]
                          for one in listeners}
        path.write_text(CONFIGURATION.format(
            folder=folder, v4=v4, v6=v6, address="%s:%d" % address,
            options=options))
        self.process = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(path)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(v4, v6))
        for one in listeners:
            one.close()

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.socket)
            sock.sendall(command.encode() + b"\n")
            with sock.makefile() as answer:
                return answer.read()

    def checks(self):
        """What HAProxy's health checks made of the server."""
        rows = json.loads(self.ask("show stat json"))
        for row in rows:
            values = {f["field"]["name"]: f["value"]["value"] for f in row}
            if values["svname"] == "mapitest":
                return values
        raise AssertionError(rows)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
