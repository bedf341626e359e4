"""In front of a MonetDB: logins, results, uploads, Unix sockets, urgent data.

SPDX-License-Identifier: MPL-2.0
"""

import contextlib
import fcntl
import hashlib
import os
import socket
import struct

import pytest

import mapi
from backends import Backend
from fronts import connect, front, open_front, write_config
from monetdbd import (
    AGAIN, GREETING, INVALID, NO_DATABASE, OPTIONS, SIOCATMARK, SYNTAX,
    Monetdbd, ask, log_in, rows)
from server import Mapitest
from streams import Raw

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


@pytest.fixture(scope="module")
def scene(tmp_path_factory, pki):
    """A server with ports tls_tcp, tls_unix, bare_tcp, bare_unix, and the two
    databases behind them, in a dictionary.
    """
    folder = tmp_path_factory.mktemp("scene")
    databases = {"tcp": Monetdbd(), "unix": Monetdbd(path=folder / "s")}
    server = Mapitest("--config", write_config(folder, *(
        front(f"{kind}_{name}", pki if kind == "tls" else None, one.target)
        for name, one in databases.items() for kind in ("tls", "bare"))))
    try:
        yield server.wait_ready(), databases
        server.check_end()
    finally:
        server.discard()
        for one in databases.values():
            one.close()
    assert [one.errors for one in databases.values()] == [[], []]


@pytest.fixture(params=["tls_tcp", "tls_unix", "bare_tcp", "bare_unix"])
def session(scene, request):
    """A stream to one of the four ports; on a Unix socket the server ends it
    unless the first byte is a '0'.
    """
    with open_front(scene[0], request.param) as stream:
        yield stream


def test_session(session):
    """Anything of a real session that does not arrive as it was sent."""
    if type(session) is Raw:
        session.send(mapi.NULS)
    challenge, reply = log_in(session)
    assert challenge.endswith(OPTIONS) and reply == b""
    assert ask(session, b"sselect 1;") == b"sselect 1;"
    assert ask(session, b"error") == SYNTAX
    assert ask(session, b"bulk 3000000") == rows(3000000)
    data = rows(100000)
    assert ask(session, b"upload") == b"\1\2\n"
    for at in range(0, len(data), 8000):
        assert ask(session, data[at:at + 8000]) == b"\1\2\n"
    assert ask(session, b"") == hashlib.sha256(data).hexdigest().encode()


def test_logins_are_right(scene):
    """A challenge, or an answer to it, that is not the one that was sent."""
    server, databases = scene
    for name, one in databases.items():
        before = len(one.logins)
        with open_front(server, f"tls_{name}") as stream:
            log_in(stream)
        assert one.logins[before:] == [("demo", True)]


@pytest.mark.parametrize("database, password, says", [
    ("greeting", "secret", GREETING),
    ("nothing", "secret", NO_DATABASE),
    ("demo", "wrong", INVALID),
])
def test_replies(session, database, password, says):
    """A login's reply that the guard changes though it redirects nowhere."""
    assert log_in(session, database, password)[1] == says


def test_proxied_login(session):
    """monetdbd's way: a second challenge on the same connection."""
    first, reply = log_in(session, "proxied")
    assert reply == AGAIN
    second, reply = log_in(session, "proxied")
    assert reply == b"" and first != second
    assert ask(session, b"bulk 100") == rows(100)


def test_abandoned_upload(session):
    """A client that gives up by an illegal header, kept by the front.

    The server then ends the connection: so must its other side.
    """
    log_in(session)
    assert ask(session, b"upload") == b"\1\2\n"
    session.send(mapi.block(b"x" * 100) + b"\xff\xff")
    assert mapi.read_message(session) == b"\1\2\n"
    assert session.recv() == b""
    assert session.end == ("eof" if type(session) is Raw else "close_notify")


def test_idle_session(configured, monetdb, pki):
    """A login's timers that go on after it."""
    server = configured(front("a", pki, monetdb().target,
                              timers={"first_byte": 0.2, "handshake": 0.2}))
    with connect(server, "a") as stream:
        log_in(stream)
        with connect(server, "a") as silent:    # past both timers for certain
            mapi.read_message(silent)
            assert silent.recv() == b""
        assert ask(stream, b"select") == b"select"


# Unix sockets


def test_backend_option_and_forward(start, monetdb):
    """-b and -f that take no path, or a port map that breaks on one."""
    database = monetdb("unix")
    server = start("-b", database.target, "-f", f"0:{database.target}")
    rows_ = server.api("/api/portmap")["ports"]
    assert rows_["server1"]["backend"] == database.target
    assert rows_["forward"]["backend"] == database.target
    for name in ("server1", "forward", "plain"):
        with open_front(server, name) as stream:
            assert log_in(stream)[1] == b""
        record = server.wait_connection(stream.local_port)
        assert record["backend"] == database.target


def test_header_before_the_first_byte(configured, pki, tmp_path):
    """The '0' before the PROXY header, or none behind it.

    Who takes the header strips it, and passes the rest to MonetDB.
    """
    heard = []

    def handler(peer):
        head = peer.recv_exactly(16)
        peer.recv_exactly(struct.unpack(">H", head[14:])[0])
        heard.append((head[:12], peer.recv_exactly(1)))
        peer.send(mapi.message(b"hello"))
        peer.fin()

    database = Backend(handler, path=tmp_path / "s")
    server = configured(front("a", pki, database.target, send_proxy=True))
    with connect(server, "a") as stream:
        assert mapi.read_message(stream) == b"hello"
    assert heard == [(SIGNATURE, b"0")]
    database.close()


def test_full_socket(configured, pki, tmp_path):
    """A client refused because others wait: MonetDB's queue has 5 places.

    The queue is filled by connections of the test's own; a client that is let
    in before they are taken would be one too many.
    """
    path = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(0)
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        filler = stack.enter_context(socket.socket(socket.AF_UNIX))
        filler.connect(str(path))
        server = configured(front("a", pki, str(path)))
        stream = stack.enter_context(connect(server, "a"))
        listener.accept()[0].close()
        peer, _ = listener.accept()
        stack.enter_context(peer)
        assert peer.recv(1) == b"0"
        peer.sendall(mapi.message(b"hello"))
        assert mapi.read_message(stream) == b"hello"


def test_socket_or_host(configured, monetdb, pki, dead):
    """A list of backends in which a path spoils what comes before or after."""
    tcp, unix = monetdb("tcp"), monetdb("unix")
    gone = unix.target + ".gone"
    server = configured(front("a", pki, [gone, dead.target, tcp.target]),
                        front("b", pki, [dead.target, gone, unix.target]))
    for name, target in (("a", tcp.target), ("b", unix.target)):
        with connect(server, name) as stream:
            assert log_in(stream)[1] == b""
        record = server.wait_connection(stream.local_port)
        assert record["backend"] == target


# Urgent data


def test_interrupt(scene):
    """MonetDB's query interrupt lost, not urgent, or at another place."""
    with open_front(scene[0], "bare_tcp") as stream:
        log_in(stream)
        for before in (b"", b"\5\0", b"x" * 5000):
            stream.send(mapi.message(b"slow") + before)
            stream.sock.send(b"!", socket.MSG_OOB)
            assert mapi.read_message(stream) == before + b"|!"
        assert ask(stream, b"select") == b"select"


def test_urgent_data_to_the_client(configured, backend):
    """The other direction; what comes behind the urgent byte stays behind."""
    def handler(peer):
        peer.send(b"before")
        peer.sock.send(b"!", socket.MSG_OOB)
        peer.send(b"behind")
        peer.recv_all()

    server = configured(front("bare", None, backend(handler).target))
    with Raw(server.address("bare")) as stream:
        stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        before = b""
        while True:
            stream.sock.recv(1, socket.MSG_PEEK)
            mark = fcntl.ioctl(stream.sock, SIOCATMARK, struct.pack("i", 0))
            if struct.unpack("i", mark)[0]:
                break
            before += stream.recv_exactly(1)
        assert before == b"before"
        assert stream.recv_exactly(7) == b"!behind"


def test_no_urgent_data_under_tls(configured, backend, pki):
    """A byte of nobody's in the middle of a record, or a port that dies."""
    server = configured(front("a", pki, backend().target))
    with connect(server, "a") as stream:
        stream.send(b"before")
        assert stream.recv_exactly(6) == b"before"
        stream.sock.send(b"!", socket.MSG_OOB)
        stream.send(b"behind")
        assert stream.recv_exactly(6) == b"behind"


def test_interrupt_on_a_unix_socket(scene):
    """An interrupt that ends the session, where the server knows none."""
    with open_front(scene[0], "bare_unix") as stream:
        log_in(stream)
        stream.sock.send(b"!", socket.MSG_OOB)
        assert ask(stream, b"select") == b"select"


def test_stale_files_do_not_matter(configured, monetdb, pki):
    """A server that is started again at the same path, not found again."""
    database = monetdb("unix")
    server = configured(front("a", pki, database.target))
    database.close()
    os.unlink(database.target)
    again = Monetdbd(path=database.path)
    with connect(server, "a") as stream:
        assert log_in(stream)[1] == b""
    again.close()
