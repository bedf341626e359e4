"""The downgrade guard: login replies that would lead out of TLS.

SPDX-License-Identifier: MPL-2.0
"""

import struct

import pytest

import mapi
import backends
from fronts import connect, exchange, front, open_front, write_config
from monetdbd import AGAIN, Monetdbd, ask, log_in
from server import Mapitest

REFUSED = (b"!08001!the database server redirects to where there is no TLS, "
           b"which this port refuses\n")
ELSEWHERE = b"^mapi:monetdb://elsewhere.example:50001/demo\n"


SAFE = b"^monetdbs://elsewhere.example:50001/demo\n"
REPLIES = {
    "away": ELSEWHERE,
    "info": b"#hello\n" + ELSEWHERE,
    "mixed": SAFE + ELSEWHERE,
    "new": b"^monetdb://elsewhere.example:50000/demo",
    "safe": SAFE,
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory, pki):
    """A server with a port for each rule, and one behind which replies come in
    blocks of a byte; and the database.
    """
    folder = tmp_path_factory.mktemp("scene")
    database = Monetdbd(databases=REPLIES, then=ELSEWHERE)
    tiny = Monetdbd(databases=REPLIES, tiny=True)
    host, port = database.target.split(":")
    database.databases["home"] = f"^mapi:monetdb://{host}:{port}/a\n".encode()
    server = Mapitest("--config", write_config(
        folder,
        front("refuses", pki, database.target),
        front("passes", pki, database.target, redirects="pass"),
        front("rewrites", pki, f"localhost:{port}", redirects="rewrite"),
        front("bare", None, database.target),
        front("bare_refuses", None, database.target, redirects="refuse"),
        front("tiny", pki, tiny.target)))
    try:
        yield server.wait_ready(), database
        server.check_end()
    finally:
        server.discard()
        database.close()
        tiny.close()
    assert database.errors == tiny.errors == []


@pytest.mark.parametrize("port", ["refuses", "tiny", "bare_refuses"])
@pytest.mark.parametrize("name", ["away", "info", "mixed", "new"])
def test_refused(scene, port, name):
    """A client sent out of TLS; a line that the guard overlooks; a redirect
    that the record does not tell.
    """
    server, _ = scene
    with open_front(server, port) as stream:
        assert log_in(stream, name)[1] == REFUSED
        assert stream.recv() == b""
        assert stream.end == ("eof" if "bare" in port else "close_notify")
    record = server.wait_connection(stream.local_port)
    assert record["end"] == "refused"
    assert "a redirect to where there is no TLS" in record["message"]


def test_second_reply(scene):
    """A guard that is gone when the proxied server redirects."""
    with connect(scene[0], "refuses") as stream:
        assert log_in(stream, "proxied")[1] == AGAIN
        assert log_in(stream, "proxied")[1] == REFUSED


@pytest.mark.parametrize("port, name, says", [
    ("refuses", "safe", SAFE),
    ("rewrites", "safe", SAFE),
    ("passes", "away", ELSEWHERE),
    ("bare", "away", ELSEWHERE),
    ("rewrites", "away", REFUSED),
])
def test_what_passes(scene, port, name, says):
    """A rule that is another port's."""
    with open_front(scene[0], port) as stream:
        assert log_in(stream, name)[1] == says


def test_results_pass(scene):
    """A query's result that is taken for a login's reply."""
    with connect(scene[0], "refuses") as stream:
        log_in(stream)
        assert ask(stream, ELSEWHERE) == ELSEWHERE


@pytest.mark.parametrize("sni, name", [
    ("sales.example", "sales.example"),
    (None, "127.0.0.1"),
    ("x-y.Wild.example", "x-y.Wild.example"),
])
def test_rewritten(scene, sni, name):
    """A redirect to the backend that does not lead back to this port.

    By the name that the client knows it by, or else by the address.
    """
    server, _ = scene
    with connect(server, "rewrites", sni=sni) as stream:
        assert log_in(stream, "home")[1] == (
            f"^monetdbs://{name}:{server.ports['rewrites']}/a\n".encode())
    assert server.wait_connection(stream.local_port)["end"] != "refused"


def test_tls_ports_before_a_backend(start, monetdb):
    """-b and -f without a guard."""
    database = monetdb(databases={"away": ELSEWHERE})
    server = start("-b", database.target, "-f", f"0:{database.target}")
    for name in ("server1", "forward", "plain"):
        with open_front(server, name) as stream:
            assert log_in(stream, "away")[1] == (
                ELSEWHERE if name == "plain" else REFUSED)


def test_the_simulator_redirects(shared):
    """Port redirect guarded against."""
    with connect(shared, "redirect") as stream:
        assert mapi.login(stream)[1].startswith(b"^monetdbs://")


def test_other_protocols(configured, backend, pki):
    """Bytes held back, or changed, where nobody speaks MAPI."""
    def ssh(peer):
        peer.send(b"SSH-2.0-x\r\n")
        backends.echo(peer)

    server = configured(front("a", pki, backend(backends.echo).target),
                        front("b", pki, backend(ssh).target))
    for size in (1, 3, 100, 100000):
        with connect(server, "a") as stream:
            exchange(stream, ELSEWHERE * (size // 10 + 1))
            for byte in b"^monetdb://":
                exchange(stream, bytes([byte]))
    with connect(server, "b") as stream:
        assert stream.recv_exactly(11) == b"SSH-2.0-x\r\n"
        exchange(stream, mapi.message(ELSEWHERE))


CUTS = {
    mapi.message(b"#hello\n")[:-3]: mapi.message(b"#hello\n")[:-3],
    mapi.message(ELSEWHERE)[:-3]: mapi.message(REFUSED),
    b"\x01": b"\x01",
}


def test_end_in_the_middle_of_a_reply(configured, backend, pki):
    """Bytes that are held for ever, or an end that is."""
    left = list(CUTS)

    def handler(peer):
        peer.send(mapi.message(b"salt:mserver:9:SHA1:LIT:SHA512:"))
        mapi.read_message(peer)
        peer.send(left.pop(0))
        peer.fin()
        assert peer.recv_exactly(4) == b"more"

    server = configured(front("a", pki, backend(handler).target))
    for says in CUTS.values():
        with connect(server, "a") as stream:
            mapi.read_message(stream)
            stream.send(mapi.LOGIN)
            assert stream.recv_all() == says and stream.end == "close_notify"
            stream.send(b"more")
    assert left == []


def test_long_reply(configured, backend, pki):
    """A reply that nobody can hold, passed unseen."""
    server = configured(front("a", pki, backend(
        backends.monetdb(b"#" * 20000 + b"\n" + ELSEWHERE)).target))
    with connect(server, "a") as stream:
        assert log_in(stream)[1] == REFUSED
    server.wait_line("refused: a login reply that is too long")


def test_no_peer_chooses_an_address(configured, backend, monetdb, pki):
    """A front that connects to where a peer points it.

    A PROXY header's addresses and TLVs, the server name and the redirect all
    name a listener that must hear nothing, and the backend is asked each time.
    """
    trap = backend(lambda peer: None)
    database = monetdb(databases={
        "away": f"^mapi:monetdb://{trap.target}/demo\n".encode()})
    server = configured(
        front("a", pki, database.target, redirects="rewrite",
              accept_proxy=["127.0.0.1"]),
        front("b", pki, database.target, redirects="pass"))
    address = struct.pack(">4s4sHH", bytes([127, 0, 0, 1]),
                          bytes([127, 0, 0, 1]), trap.port, trap.port)
    for kind in (0x01, 0x02, 0x05, 0xe0, 0xe1):
        for text in (trap.target.encode(), b"a",
                     f"^monetdb://{trap.target}/\n".encode()):
            address += struct.pack(">BH", kind, len(text)) + text
    header = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
              + struct.pack(">H", len(address)) + address)
    for name in (trap.target, "127.0.0.1", "elsewhere.example", None):
        with connect(server, "a", sni=name, handshake=False) as stream:
            stream.sock.sendall(header)
            stream.handshake()
            assert log_in(stream, "away")[1] == REFUSED
        with connect(server, "b", sni=name) as stream:
            assert log_in(stream, "away")[1] == database.databases["away"]
    assert database.logins == [("away", True)] * 8
    assert trap.peers == []
