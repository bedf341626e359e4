"""monetdbd.py - as much of a real MonetDB server as stands behind a front

The login phase is that of mserver5 and monetdbd, byte by byte, passwords
included; on a Unix socket it demands the '0' that MAPI begins with there.
After it, a query is one message, and its answer another:

    bulk N      N bytes, in full blocks
    upload      asks for data, and tells how many bytes it got; a header that
                is illegal ends the connection
    error       an error with an SQLSTATE
    slow        no answer until an urgent byte comes, and then whether it did
                at the end of the stream
    (others)    the query itself

SPDX-License-Identifier: MPL-2.0
"""

import fcntl
import hashlib
import itertools
import socket
import struct

import mapi
from backends import Backend
from streams import Ended

USER, PASSWORD = "monetdb", "secret"
OPTIONS = b"sql=6:BINARY=1:OOBINTR=1:CLIENTINFO:"
AGAIN = b"^mapi:merovingian://proxy?database=demo\n"
GREETING = b"#welcome to demo\n#mind the gap\n"
NO_DATABASE = b"!HY000!no such database 'nothing', please create it first\n"
INVALID = b"!28000!invalid credentials for user 'monetdb'\n"
SYNTAX = b"!42000!syntax error in: \"error\"\n"
SIOCATMARK = 0x8905
PROMPT = b"\1\2\n"                  # more data is wanted
ROW = b"[ 12345,\t\"some text of a usual length\",\ttrue\t]\n"


def rows(size):
    """So many bytes of a result."""
    return (ROW * (size // len(ROW) + 1))[:size]


class Refused(Exception):
    """The client is to be sent these bytes, and nothing after them."""


def is_at_mark(sock):
    """True if the next byte is urgent data."""
    answer = fcntl.ioctl(sock, SIOCATMARK, struct.pack("i", 0))
    return struct.unpack("i", answer)[0] != 0


class Monetdbd(Backend):
    """databases: {NAME: the reply to its login}; then: the second one.

    With tiny, what ends a login comes in blocks of a byte each.  .logins has
    (database, the password was right) of each login.
    """

    salts = itertools.count(1)

    def __init__(self, path=None, databases=None, then=b"",
                 tiny=False):
        self.path = path
        self.tiny = tiny
        self.then = then
        self.databases = {"demo": b"", "greeting": GREETING,
                          "proxied": AGAIN, **(databases or {})}
        self.logins = []
        super().__init__(self._serve_one, path=path)

    def _serve_one(self, peer):
        if self.path is None:
            peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        elif peer.recv_exactly(1) != b"0":
            return                  # as mserver5 does
        try:
            proxied = False
            while self._login(peer, proxied):
                proxied = True
            while self._query(peer):
                continue
        except Refused as refused:
            self._say(peer, refused.args[0])
            peer.fin()
            peer.recv_all()
        except Ended:
            pass                    # the client has left

    def _say(self, peer, reply):
        if not self.tiny:
            peer.send(mapi.message(reply))
            return
        for at in range(len(reply)):
            peer.send(mapi.block(reply[at:at + 1], at + 1 == len(reply)))

    def _login(self, peer, proxied):
        """True if the client is to log in again, on the same connection."""
        salt = f"SaltOf{next(self.salts)}x"
        challenge = (f"{salt}:mserver:9:RIPEMD160,SHA512,SHA384,SHA256,SHA224,"
                     f"SHA1:LIT:SHA512:".encode() + OPTIONS)
        peer.send(mapi.message(challenge))
        response = mapi.read_message(peer)
        database = response.split(b":")[4].decode()
        right = response == mapi.response(challenge, USER, PASSWORD, database)
        self.logins.append((database, right))
        if database not in self.databases:
            raise Refused(NO_DATABASE)
        reply = self.then if proxied else self.databases[database]
        if reply == AGAIN:          # with any password: it is not monetdbd's
            peer.send(mapi.message(AGAIN))
            return True
        if not right:
            raise Refused(INVALID)
        if reply.startswith((b"^", b"!")):
            raise Refused(reply)
        peer.send(mapi.message(reply))
        return False

    def _query(self, peer):
        """False at the end of the connection."""
        first = peer.recv(1)
        if not first:
            return False
        length, = struct.unpack("<H", first + peer.recv_exactly(1))
        if length >> 1 > mapi.BLOCK_MAX:
            return False
        query = peer.recv_exactly(length >> 1)
        if not length & 1:
            query += mapi.read_message(peer)
        verb, _, rest = query.partition(b" ")
        if verb == b"bulk":
            peer.send(mapi.message(rows(int(rest))))
        elif verb == b"upload":
            return self._upload(peer)
        elif verb == b"error":
            peer.send(mapi.message(SYNTAX))
        elif verb == b"slow":
            self._wait(peer)
        else:
            peer.send(mapi.message(query))
        return True

    @staticmethod
    def _upload(peer):
        digest = hashlib.sha256()
        while True:
            peer.send(mapi.message(PROMPT))
            length, = struct.unpack("<H", peer.recv_exactly(2))
            if length >> 1 > mapi.BLOCK_MAX:
                return False        # how a client gives up in the middle
            data = peer.recv_exactly(length >> 1)
            if not data:
                peer.send(mapi.message(digest.hexdigest().encode()))
                return True
            digest.update(data)

    @staticmethod
    def _wait(peer):
        """Until urgent data: what stood before it in the stream, and it."""
        before = b""
        while True:
            byte = peer.sock.recv(1, socket.MSG_PEEK)
            if not byte or is_at_mark(peer.sock):
                break
            before += peer.recv_exactly(1)
        peer.send(mapi.message(before + b"|" + peer.recv_exactly(1)))


def log_in(stream, database="demo", password=PASSWORD):
    """Log in once; returns the challenge and the reply."""
    challenge = mapi.read_message(stream)
    stream.send(mapi.message(
        mapi.response(challenge, USER, password, database)))
    return challenge, mapi.read_message(stream)


def ask(stream, query):
    stream.send(mapi.message(query))
    return mapi.read_message(stream)
