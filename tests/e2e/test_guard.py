"""The downgrade guard: login replies that would lead out of TLS.

SPDX-License-Identifier: MPL-2.0
"""

import struct

import pytest

import mapi
import backends
from fronts import connect, exchange, front, open_front
from monetdbd import AGAIN, ask, log_in
from streams import Raw

REFUSED = (b"!08001!the database server redirects to where there is no TLS, "
           b"which this port refuses\n")
ELSEWHERE = b"^mapi:monetdb://elsewhere.example:50001/demo\n"


def test_refused(configured, monetdb, pki):
    """A client sent out of TLS; a redirect that the record does not tell."""
    database = monetdb(databases={"away": ELSEWHERE})
    server = configured(front("a", pki, database.target))
    with connect(server, "a") as stream:
        assert log_in(stream, "away")[1] == REFUSED
        assert stream.recv() == b"" and stream.end == "close_notify"
    record = server.wait_connection(stream.local_port)
    assert record["end"] == "refused" and record["handshake"]
    server.wait_line("refused: a redirect to where there is no TLS")


@pytest.mark.parametrize("reply", [
    b"#hello\n" + ELSEWHERE,
    b"^monetdbs://safe.example:50000/demo\n" + ELSEWHERE,
    b"^monetdb://elsewhere.example:50000/demo",
])
def test_every_line_is_looked_at(configured, backend, pki, reply):
    """A line that the guard overlooks, in blocks of a byte each."""
    def handler(peer):
        peer.send(mapi.message(b"salt:mserver:9:SHA1:LIT:SHA512:"))
        mapi.read_message(peer)
        for at in range(len(reply)):
            peer.send(mapi.block(reply[at:at + 1], at + 1 == len(reply)))
        peer.recv_all()

    server = configured(front("a", pki, backend(handler).target))
    with connect(server, "a") as stream:
        assert log_in(stream)[1] == REFUSED


def test_second_reply(configured, monetdb, pki):
    """A guard that is gone when the proxied server redirects."""
    database = monetdb(then=ELSEWHERE)
    server = configured(front("a", pki, database.target))
    with connect(server, "a") as stream:
        assert log_in(stream, "proxied")[1] == AGAIN
        assert log_in(stream, "proxied")[1] == REFUSED


def test_what_passes(configured, monetdb, pki):
    """A redirect that stays under TLS refused, or one of a plain port; a query
    result that begins like a redirect.
    """
    safe = b"^monetdbs://elsewhere.example:50001/demo\n"
    database = monetdb(databases={"safe": safe, "away": ELSEWHERE})
    server = configured(
        front("tls", pki, database.target),
        front("passes", pki, database.target, redirects="pass"),
        front("bare", None, database.target))
    with connect(server, "tls") as stream:
        assert log_in(stream, "safe")[1] == safe
    for name in ("passes", "bare"):
        with open_front(server, name) as stream:
            assert log_in(stream, "away")[1] == ELSEWHERE
    with connect(server, "tls") as stream:
        log_in(stream)
        assert ask(stream, ELSEWHERE) == ELSEWHERE


def test_plain_port_that_refuses(configured, monetdb):
    """A port behind a load balancer that has ended TLS already."""
    database = monetdb(databases={"away": ELSEWHERE})
    server = configured(front("bare", None, database.target,
                              redirects="refuse"))
    with Raw(server.address("bare")) as stream:
        assert log_in(stream, "away")[1] == REFUSED


def test_rewritten(configured, monetdb, pki):
    """A redirect to the backend that does not lead back to this port.

    By the name that the client knows it by, or else by the address.
    """
    database = monetdb()
    host, port = database.target.split(":")
    database.databases["home"] = f"^mapi:monetdb://{host}:{port}/demo\n".encode()
    database.databases["away"] = ELSEWHERE
    server = configured(front("a", pki, f"localhost:{port}",
                              redirects="rewrite"))
    here = server.ports["a"]
    for sni, name in (("sales.example", "sales.example"), (None, "127.0.0.1"),
                      ("x_y.Wild.example", "x_y.Wild.example")):
        with connect(server, "a", sni=sni) as stream:
            assert log_in(stream, "home")[1] == (
                f"^monetdbs://{name}:{here}/demo\n".encode())
        record = server.wait_connection(stream.local_port)
        assert record["end"] != "refused"
    with connect(server, "a") as stream:
        assert log_in(stream, "away")[1] == REFUSED


def test_tls_ports_before_a_backend(start, monetdb):
    """-b and -f without a guard."""
    database = monetdb(databases={"away": ELSEWHERE})
    server = start("-b", database.target, "-f", f"0:{database.target}")
    for name in ("server1", "redirect", "forward", "plain"):
        if name not in server.ports:
            continue            # simulator-only
        with open_front(server, name) as stream:
            assert log_in(stream, "away")[1] == (
                ELSEWHERE if name == "plain" else REFUSED)


def test_the_simulator_redirects(shared):
    """Port redirect guarded against."""
    with connect(shared, "redirect") as stream:
        assert mapi.login(stream)[1].startswith(b"^monetdbs://")


def test_other_protocols(configured, backend, pki):
    """Bytes held back, or changed, where nobody speaks MAPI."""
    server = configured(front("a", pki, backend(backends.echo).target),
                        front("b", pki, backend(lambda peer: (
                            peer.send(b"SSH-2.0-x\r\n"), backends.echo(peer))).target))
    for size in (1, 3, 100, 100000):
        with connect(server, "a") as stream:
            exchange(stream, ELSEWHERE * (size // 10 + 1))
            for byte in b"^monetdb://":
                exchange(stream, bytes([byte]))
    with connect(server, "b") as stream:
        assert stream.recv_exactly(11) == b"SSH-2.0-x\r\n"
        exchange(stream, mapi.message(ELSEWHERE))


@pytest.mark.parametrize("cut, says", [
    (mapi.message(b"#hello\n")[:-3], mapi.message(b"#hello\n")[:-3]),
    (mapi.message(ELSEWHERE)[:-3], mapi.message(REFUSED)),
    (b"\x01", b"\x01"),
])
def test_end_in_the_middle_of_a_reply(configured, backend, pki, cut, says):
    """Bytes that are held for ever, or an end that is."""
    def handler(peer):
        peer.send(mapi.message(b"salt:mserver:9:SHA1:LIT:SHA512:"))
        mapi.read_message(peer)
        peer.send(cut)
        peer.fin()
        assert peer.recv_exactly(4) == b"more"

    server = configured(front("a", pki, backend(handler).target))
    with connect(server, "a") as stream:
        mapi.read_message(stream)
        stream.send(mapi.LOGIN)
        assert stream.recv_all() == says and stream.end == "close_notify"
        stream.send(b"more")


def test_long_reply(configured, backend, pki):
    """A reply that nobody can hold, passed unseen."""
    server = configured(front("a", pki, backend(
        backends.monetdb(b"#" * 20000 + b"\n" + ELSEWHERE)).target))
    with connect(server, "a") as stream:
        assert log_in(stream)[1] == REFUSED
    server.wait_line("refused: a login reply that is too long")


@pytest.mark.parametrize("sni", ["127.0.0.1:1", "elsewhere.example", None])
def test_no_peer_chooses_an_address(configured, backend, monetdb, pki, sni):
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
    name = sni if sni != "127.0.0.1:1" else trap.target
    with connect(server, "a", sni=name, handshake=False) as stream:
        stream.sock.sendall(header)
        stream.handshake()
        assert log_in(stream, "away")[1] == REFUSED
    with connect(server, "b", sni=name) as stream:
        assert log_in(stream, "away")[1] == database.databases["away"]
    assert database.logins == [("away", True)] * 2
    assert trap.peers == []
