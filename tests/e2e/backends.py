"""backends.py - servers to be put behind mapitest

SPDX-License-Identifier: MPL-2.0
"""

import socket
import threading

import mapi
from records import unread
from streams import TIMEOUT, Raw

CHUNK = 1 << 18


class Peer(Raw):
    """The backend's end of a connection."""

    def __init__(self, sock):
        sock.settimeout(TIMEOUT)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.local_port = sock.getsockname()[1]
        self.sock = sock
        self.end = None


class Backend:
    """Listens on a port of its own; handler(Peer) runs in a thread each.

    With a path it listens there, on a Unix socket, instead.

    What a handler raises, but for the peer's hasty end, is in .errors; the
    connections it has seen are in .peers.
    """

    def __init__(self, handler, host="127.0.0.1", path=None):
        self.handler = handler
        self.errors = []
        self.peers = []
        if path is None:
            self.listener = socket.create_server((host, 0), backlog=1000)
            self.port = self.listener.getsockname()[1]
            self.target = f"{host}:{self.port}"
        else:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.listener.listen(1000)
            self.target = str(path)
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


class Dead:
    """An address that refuses, until a backend is raised there."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.settimeout(TIMEOUT)
        self.sock.bind(("127.0.0.1", 0))    # and nobody listens
        self.target = "127.0.0.1:%d" % self.sock.getsockname()[1]

    def raise_(self):
        self.sock.listen(100)

    def connections(self):
        """True if somebody has connected since."""
        return unread(self.sock.getsockname()[1]) > 0

    def close(self):
        self.sock.close()


class Mute:
    """An address that answers nothing: its queue is full."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.target = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(self.listener.getsockname())
            self.fillers.append(filler)

    def close(self):
        for sock in [self.listener, *self.fillers]:
            sock.close()
