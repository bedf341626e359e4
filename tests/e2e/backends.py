"""backends.py - servers to be put behind mapitest

SPDX-License-Identifier: MPL-2.0
"""

import socket
import threading

import mapi
from streams import TIMEOUT, Raw

CHUNK = 1 << 18


class Peer(Raw):
    """The backend's end of a connection."""

    def __init__(self, sock):
        sock.settimeout(TIMEOUT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.end = None
        self.local_port = sock.getsockname()[1]


class Backend:
    """Listens on a port of its own; handler(Peer) runs in a thread each.

    What a handler raises, but for the peer's hasty end, is in .errors; the
    connections it has seen are in .peers.
    """

    def __init__(self, handler, host="127.0.0.1"):
        self.handler = handler
        self.errors = []
        self.peers = []
        self.listener = socket.create_server((host, 0), backlog=1000)
        self.port = self.listener.getsockname()[1]
        self.target = f"{host}:{self.port}"
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            peer = Peer(sock)
            self.peers.append(peer)
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    def _serve(self, peer):
        try:
            self.handler(peer)
        except OSError as error:
            peer.error = error
        except Exception as error:
            self.errors.append(error)
        finally:
            peer.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(5)
        for peer in self.peers:
            peer.close()


def echo(peer):
    """Send back what arrives, then the end."""
    buffer = memoryview(bytearray(CHUNK))
    while count := peer.sock.recv_into(buffer):
        peer.sock.sendall(buffer[:count])
    peer.fin()


def monetdb(text=mapi.sorry("backend"), salt=b"abcdefgh"):
    """A server that says text after any response."""
    def handler(peer):
        peer.send(mapi.message(
            salt + b":merovingian:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,"
            b"SHA1:LIT:SHA512:"))
        mapi.read_message(peer)
        peer.send(mapi.message(text))
        peer.fin()
        peer.recv_all()
    return handler
