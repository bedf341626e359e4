"""Backends that fail: what clients, the log and /api/status are told.

SPDX-License-Identifier: MPL-2.0
"""

import socket

import mapi
from fronts import connect, front, open_front
from monetdbd import Monetdbd, log_in

SAYS = b"!08006!the database server cannot be reached\n"


def told(stream, first=b""):
    """The client's whole exchange; returns how it ended."""
    challenge, last = mapi.login(stream, first)
    assert last == SAYS, (challenge, last)
    return stream.end


def health(server, name):
    return server.api("/api/status")["ports"][name]["backend"]


def test_refused(configured, dead, pki):
    """A client that sees nothing but an end, and a log that repeats it."""
    server = configured(front("tls", pki, dead.target),
                        front("bare", None, dead.target))
    for name in 3 * ["tls", "bare"]:
        with open_front(server, name) as stream:
            assert told(stream, mapi.NULS if name == "bare" else b"") == (
                "eof" if name == "bare" else "close_notify")
        record = server.wait_connection(stream.local_port)
        assert record["end"] == "backend"
        assert record["backend"] == dead.target
    for name in ("tls", "bare"):
        found = health(server, name)
        assert found["state"] == "failing" and found["failed"] == 3
        assert found["last_error"] == "Connection refused" and found["since"]
        said = [line for line in server.log()
                if f"port '{name}'" in line and "cannot be reached" in line]
        assert len(said) == 1 and "Connection refused" in said[0], said
        assert dead.target in said[0]


def test_other_ports(start, dead):
    """-b and -f that end without a word."""
    server = start("-b", dead.target, "-f", f"0:{dead.target}")
    for name in ("server1", "forward", "plain"):
        with open_front(server, name) as stream:
            told(stream)


def test_sockets(configured, mute, pki, tmp_path):
    """A Unix socket that is not there, that nobody has open, or whose queue
    stays full; a host that does not answer.
    """
    with socket.socket(socket.AF_UNIX) as full, \
            socket.socket(socket.AF_UNIX) as filler:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / "refuses"))
        full.bind(str(tmp_path / "full"))
        full.listen(0)
        filler.connect(str(tmp_path / "full"))
        server = configured(
            front("mute", pki, mute.target, timers={"connect": 0.1}),
            *(front(name, pki, str(tmp_path / name), timers={"connect": 0.1})
              for name in ("missing", "refuses", "full")))
        for name, error in (("mute", "Connection timed out"),
                            ("missing", "No such file or directory"),
                            ("refuses", "Connection refused"),
                            ("full", "Connection timed out")):
            with connect(server, name) as stream:
                told(stream)
            record = server.wait_connection(stream.local_port)
            assert record["end"] == "backend"
            assert health(server, name)["last_error"] == error
            server.wait_line(f"'{name}'.* cannot be reached: {error}")


def test_death_before_the_challenge(configured, backend, pki):
    """A server at its limit of clients, that closes at once."""
    closes = backend(lambda peer: None)
    resets = backend(lambda peer: peer.reset())
    server = configured(front("tls", pki, closes.target),
                        front("bare", None, closes.target),
                        front("tls_reset", pki, resets.target),
                        front("bare_reset", None, resets.target))
    for name in ("tls", "bare", "tls_reset", "bare_reset"):
        with open_front(server, name) as stream:
            told(stream)
        record = server.wait_connection(stream.local_port)
        assert record["end"] == "backend"
        assert health(server, name)["last_error"] == (
            "Connection reset by peer" if "reset" in name
            else "closed without a challenge")


def test_end_after_the_challenge(configured, backend, pki):
    """An apology in the middle of another server's words."""
    server = configured(front("a", pki, backend(
        lambda peer: peer.send(mapi.message(b"half"))).target))
    with connect(server, "a") as stream:
        assert mapi.read_message(stream) == b"half"
        assert stream.recv() == b""
    server.wait_connection(stream.local_port)
    assert health(server, "a")["state"] == "reachable"


def test_mute_server_of_others(configured, backend, pki):
    """A half-close by a server that only listens, taken for its death."""
    def handler(peer):
        assert peer.recv_exactly(10) == b"0123456789"
        peer.fin()
        assert peer.recv_exactly(4) == b"more"
        peer.recv_all()

    server = configured(front("a", pki, backend(handler).target))
    with connect(server, "a") as stream:
        stream.send(b"0123456789")
        assert stream.recv() == b"" and stream.end == "close_notify"
        stream.send(b"more")


def test_strange_clients(configured, dead, pki):
    """One that says nothing, or something else, and is kept, or told."""
    server = configured(front("a", pki, dead.target,
                              timers={"first_byte": 0.1}),
                        front("b", pki, dead.target))
    for name, sent in (("a", b""), ("b", b"\xff\xff"),
                       ("b", b"GET / HTTP/1.1\r\n\r\n")):
        with connect(server, name) as stream:
            mapi.read_message(stream)
            stream.send(sent)
            assert stream.recv() == b"" and stream.end == "close_notify"
        record = server.wait_connection(stream.local_port)
        assert record["end"] == "backend"


def test_client_that_leaves(configured, dead, pki):
    """One that goes in the middle of it, and leaves a connection behind."""
    server = configured(front("a", pki, dead.target))
    for end in ("fin", "reset", "close_notify"):
        stream = connect(server, "a")
        mapi.read_message(stream)
        stream.send(mapi.LOGIN[:5])
        getattr(stream, end)()
        if end == "close_notify":
            stream.recv_all()
        stream.close()
        assert server.wait_connection(stream.local_port)["end"] == "backend"


def test_recovery(configured, pki, tmp_path):
    """A port that must be told that its server is back."""
    path = tmp_path / "s"
    server = configured(front("a", pki, str(path)))
    assert health(server, "a") == {
        "state": "unknown", "since": None, "failed": 0, "last_error": None}
    with connect(server, "a") as stream:
        told(stream)
    database = Monetdbd(path=path)
    with connect(server, "a") as stream:
        assert log_in(stream)[1] == b""
        found = health(server, "a")
        assert found["state"] == "reachable" and found["failed"] == 1
    server.wait_line("port 'a': the database server answers again")
    database.close()


def test_the_simulator_is_no_database(shared):
    """The health of what is ours shown as an operator's."""
    assert health(shared, "server1") is None
