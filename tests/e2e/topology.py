"""topology.py - a server and its clients on different hosts

Two network namespaces joined by a veth pair stand for the hosts: what TCP
does between them is real, and the line can be lossy, narrow or cut.

SPDX-License-Identifier: MPL-2.0
"""

import socket
import subprocess
import threading
import time

SERVER, CLIENT = "10.99.0.1", "10.99.0.2"
SERVER6, CLIENT6 = "fd99::1", "fd99::2"


class Topology:
    """The namespaces .server and .client, and the line between them."""

    def __init__(self, make_network):
        self.server = make_network()
        self.client = make_network()
        self.sh(None, f"ip link add va netns {self.server.pid} type veth "
                f"peer name vb netns {self.client.pid}")
        for host, device, four, six in (
                (self.server, "va", SERVER, SERVER6),
                (self.client, "vb", CLIENT, CLIENT6)):
            self.sh(host, f"ip addr add {four}/24 dev {device};"
                    f"ip addr add {six}/64 dev {device} nodad;"
                    f"ip link set {device} up")

    @staticmethod
    def sh(host, commands):
        subprocess.run([*(host.prefix if host else []), "sh", "-ec",
                        commands], check=True, timeout=60)

    def start(self, start, *options, **keywords):
        """A server on the server's host, listening on its addresses."""
        return start("-l", SERVER, "-l", SERVER6, "-n", "localhost",
                     "--workers", "1", *options, host=SERVER,
                     netns=self.server.pid, prefix=self.server.prefix,
                     **keywords)

    def lose(self, probability):
        """Drop packets at random, in both directions."""
        for host in (self.server, self.client):
            for tables in ("iptables", "ip6tables"):
                self.sh(host, f"{tables} -A INPUT ! -i lo -m statistic "
                        f"--mode random --probability {probability} -j DROP")

    def narrow(self, mtu):
        """Small packets; below 1280 there is no IPv6."""
        self.sh(self.server, f"ip link set va mtu {mtu}")
        self.sh(self.client, f"ip link set vb mtu {mtu}")

    def cut(self):
        """The client's host vanishes: nobody has its addresses.

        With a link that is down the server's own packets would fail, which
        proves nothing to its TCP.
        """
        self.sh(self.client, "ip addr flush dev vb")


class Delay:
    """A relay that forwards every piece some seconds after it came."""

    def __init__(self, target, seconds):
        self.target = target
        self.seconds = seconds
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(source, sink),
                                 daemon=True).start()

    def _forward(self, source, sink):
        """In order: the reader waits too, so a piece is late by a little
        more than asked for, never by less."""
        while True:
            try:
                data = source.recv(1 << 16)
                time.sleep(self.seconds)
                if not data:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(data)
            except OSError:
                return

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
