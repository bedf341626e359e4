"""A load balancer in front: a real HAProxy, and headers byte by byte

SPDX-License-Identifier: MPL-2.0
"""

import os
import select
import ssl

import pytest

import backends
from balancers import Haproxy
from fronts import (connect, exchange, front, proxy_header, read_proxy_header,
                    tlv, write_config)
from server import Mapitest, wait_for
from streams import TIMEOUT, Raw, Tls, client_context, client_hello

CLIENT = ("192.0.2.77", 4711)


@pytest.fixture
def haproxy(tmp_path):
    """haproxy(ADDRESS, OPTIONS) -> one that runs until the test ends."""
    made = []

    def begin(address, options=""):
        made.append(Haproxy(tmp_path, address, options))
        return made[-1]

    yield begin
    for one in made:
        one.close()


def row(server, name="a"):
    return server.api("/api/status")["ports"][name]


# HAProxy


@pytest.mark.parametrize("host, source", [
    ("127.0.0.1", "127.0.0.9"), ("127.0.0.1", "127.0.0.1"), ("::1", "::1")])
def test_haproxy(configured, haproxy, backend, pki, host, source):
    """HAProxy's address in the records, instead of the client's."""
    seen = []

    def handler(peer):
        seen.append(read_proxy_header(peer))
        backends.echo(peer)

    server = configured(front("a", pki, backend(handler).target,
                              accept_proxy=["127.0.0.1"], send_proxy=True))
    front_end = haproxy(server.address("a"))
    with connect(server, "a", address=front_end.addresses[host],
                 source=source) as stream:
        exchange(stream)
        exchange(stream, os.urandom(1 << 18))
        stream.close_notify()
        assert stream.recv() == b""
    record = server.wait_connection(stream.local_port)
    assert record["client"] == source
    assert record["via"].startswith("127.0.0.1:")
    assert record["via"] != f"127.0.0.1:{stream.local_port}"
    assert record["end"] == "close_notify"
    assert record["bytes_up"] == record["bytes_down"] == (1 << 18) + 4
    # The backend hears of the client, not of HAProxy.
    assert seen[0][1] == (source, stream.local_port)


def test_haproxy_plain(configured, haproxy, echo):
    """The same for a port where HAProxy does the TLS."""
    server = configured(front("a", None, echo, accept_proxy=["127.0.0.0/8"]))
    with Raw(haproxy(server.address("a")).addresses["127.0.0.1"],
             source="127.0.0.9") as stream:
        exchange(stream)
        stream.fin()
        assert stream.recv_all() == b""
    record = server.wait_connection(stream.local_port)
    assert record["client"] == "127.0.0.9" and record["end"] == "eof"


@pytest.mark.parametrize("with_tls", [False, True])
def test_haproxy_checks(configured, haproxy, echo, pki, with_tls):
    """Health checks that are failures, or fill the log."""
    options = "check check-send-proxy inter 50ms"
    if with_tls:
        options += " check-ssl verify none"
    server = configured(front("a", pki, echo, accept_proxy=["127.0.0.1"]),
                        options=["--workers", "1"])
    checker = haproxy(server.address("a"), options)
    wait_for(lambda: row(server)["accepted"] >= 5, 20, "five checks")
    values = checker.checks()
    assert values["status"] == "UP", values
    assert values["check_status"] == ("L6OK" if with_tls else "L4OK"), values
    assert values["chkfail"] == 0, values
    ended = row(server)["ended"]
    assert ended["refused"] == ended["timeout"] == ended["backend"] == 0
    if not with_tls:
        assert row(server)["probes"] >= 4
        assert server.connections() == []
    assert not [line for line in server.log() if '"level":"warning"' in line]
    with connect(server, "a",
                 address=checker.addresses["127.0.0.1"]) as stream:
        exchange(stream)


def test_haproxy_check_without_header(configured, haproxy, echo, pki):
    """A bare TCP check, which sends no header, that is a failure."""
    server = configured(front("a", pki, echo, accept_proxy=["127.0.0.1"]),
                        options=["--workers", "1"])
    checker = haproxy(server.address("a"),
                      "check no-check-send-proxy inter 50ms")
    wait_for(lambda: row(server)["probes"] >= 3, 20, "three checks")
    assert checker.checks()["status"] == "UP"
    assert set(row(server)["ended"].values()) == {0}


# Headers, by hand


@pytest.fixture(scope="module")
def announced(pki, tmp_path_factory):
    """A server with TLS and plain ports that want a header."""
    backend = backends.Backend(backends.echo)
    keys = {"backend": backend.target, "accept_proxy": ["127.0.0.1", "::1"]}
    path = write_config(
        tmp_path_factory.mktemp("announced"),
        front("a", pki, **keys), front("probed", pki, **keys),
        front("clear", None, listen=["127.0.0.1:0", "[::1]:0"], **keys),
        front("slow", pki, timers={"handshake": 0.3}, **keys))
    server = Mapitest("--config", path, "--workers", "1")
    try:
        yield server.wait_ready()
        server.check_end()
    finally:
        server.discard()
        backend.close()


class Announced(Tls):
    """TLS behind bytes of the test's, which go out before."""

    def __init__(self, address, header, pieces=False):
        super().__init__(address, client_context(), "localhost",
                         handshake=False)
        if pieces:
            for at in range(len(header)):
                self.sock.sendall(header[at:at + 1])
            self.handshake()
        else:                       # one segment with the ClientHello
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.sock.sendall(header + self.outgoing.read())
            self.handshake()


def check_served(server, stream, client=CLIENT):
    with stream:
        exchange(stream)
        here = stream.local_port
    record = server.wait_connection(client[1] if client else here)
    assert record["client"] == (client[0] if client else "127.0.0.1")
    assert record["via"] == (f"127.0.0.1:{here}" if client else None)


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("client", [CLIENT, ("2001:db8::77", 4711)])
def test_header(announced, pieces, client):
    """A header that must come in one piece, or takes what follows it."""
    check_served(announced, Announced(announced.address("a"),
                                      proxy_header(client), pieces), client)


@pytest.mark.parametrize("header", [
    proxy_header(None), proxy_header(None, command=0),
    proxy_header(CLIENT, command=0)])
def test_header_without_a_client(announced, header):
    """LOCAL, or an unknown family: the peer itself is the client."""
    check_served(announced, Announced(announced.address("a"), header), None)


@pytest.mark.parametrize("size", [3, 100, 4096 - 28])
def test_tlvs(announced, size):
    """TLVs that are not skipped, up to the longest header."""
    header = proxy_header(CLIENT, tlv(0xEE, bytes(size - 3)))
    assert len(header) == 28 + size
    check_served(announced, Announced(announced.address("a"), header))


def test_crc(announced):
    """A CRC32C that is wrong, and not noticed."""
    header = proxy_header(CLIENT, tlv(0x03, b"\0\0\0\1"))
    check_refused(announced, header)


def check_refused(server, sent, port="a", fin=False):
    with Raw(server.address(port)) as stream:
        stream.send(sent)
        if fin:
            stream.fin()
        assert stream.recv_all() == b""
        assert stream.end == "eof"
    record = server.wait_connection(stream.local_port)
    assert record["end"] == "refused"
    assert record["client"] == "127.0.0.1" and record["via"] is None
    said = server.text(server.test_from)
    assert "the load balancer's PROXY header: " in said
    assert record["backend"] is None and record["bytes_up"] == 0


@pytest.mark.parametrize("port", ["a", "clear"])
@pytest.mark.parametrize("sent", [
    b"PROXY TCP4 192.0.2.77 192.0.2.1 4711 50000\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01", bytes(8),
    b"\r\n\r\n\0\r\nQUIX", proxy_header(CLIENT)[:12] + b"\x11",
    proxy_header(CLIENT)[:12] + b"\x2f",
    proxy_header(CLIENT)[:13] + b"\x11\x00\x04abcd",
    proxy_header(CLIENT)[:13] + b"\x11\x10\x00"],
    ids=["v1", "http", "tls", "nul", "signature", "version", "command",
         "short", "long"])
def test_garbage(announced, port, sent):
    """Bytes that are no header, and are guessed to be something else."""
    check_refused(announced, sent, port)


def test_client_hello_without_header(announced):
    """A listed peer that is served without a header."""
    check_refused(announced, client_hello())


@pytest.mark.parametrize("length", [1, 12, 15, 16, 27])
def test_cut_off(announced, length):
    """A header that is cut off, and believed."""
    check_refused(announced, proxy_header(CLIENT)[:length], fin=True)


def test_probe(announced):
    """A connection without a byte that is a failure."""
    before = row(announced, "probed")
    with Raw(announced.address("probed")):
        pass
    wait_for(lambda: row(announced, "probed")["probes"]
             == before["probes"] + 1, 5, "it is a probe")
    assert row(announced, "probed")["ended"] == before["ended"]


@pytest.mark.parametrize("sent", [b"", proxy_header(CLIENT)[:20]])
def test_no_header(announced, sent):
    """A balancer that sends no header, and keeps its place for ever."""
    with Raw(announced.address("slow")) as stream:
        stream.send(sent)
        assert stream.recv_all() == b""
    record = announced.wait_connection(stream.local_port)
    assert record["end"] == "timeout"
    assert "sent no whole PROXY header" in announced.text()


def test_one_time_for_both(configured, echo, pki):
    """A header that comes late, and a handshake that has its time again.

    One that comes in between, and sends nothing at all, is cut later.
    """
    server = configured(front("a", pki, echo, accept_proxy=["127.0.0.1"],
                              timers={"handshake": 1}),
                        front("b", pki, echo, timers={"handshake": 0.5}),
                        options=["--workers", "1"])
    with Raw(server.address("a")) as first:
        # Its time is half over when another's, with less, ends.
        with Raw(server.address("b")) as marker:
            assert marker.recv_all() == b""
        with Raw(server.address("a")) as second:
            wait_for(lambda: row(server)["accepted"] == 2, 5, "it is in")
            first.send(proxy_header(CLIENT))
            ended = select.select([first.sock, second.sock], [], [],
                                  TIMEOUT)[0]
            assert ended == [first.sock]


def test_others(configured, echo, pki):
    """A peer that is not listed: it needs no header, and its is refused."""
    server = configured(front("a", pki, echo, accept_proxy=["127.0.0.1"]))
    with connect(server, "a", source="127.0.0.2") as stream:
        exchange(stream)
    record = server.wait_connection(stream.local_port)
    assert record["client"] == "127.0.0.2" and record["via"] is None
    with Raw(server.address("a"), source="127.0.0.2") as stream:
        stream.send(proxy_header(CLIENT) + client_hello())
        stream.recv_all()
    record = server.wait_connection(stream.local_port)
    assert record["end"] == "refused" and record["client"] == "127.0.0.2"
    assert record["alert_sent"] is None


def test_others_on_a_plain_port(configured, backend):
    """A stranger's header that is taken away, instead of relayed as it is."""
    got = []

    def handler(peer):
        got.append(peer.recv_exactly(28))

    server = configured(front("a", None, backend(handler).target,
                              accept_proxy=["10.0.0.0/8"]))
    with Raw(server.address("a")) as stream:
        stream.send(proxy_header(CLIENT))
        stream.recv_all()
    assert got == [proxy_header(CLIENT)]
    assert server.wait_connection(stream.local_port)["client"] == "127.0.0.1"


def test_ipv6_balancer(announced):
    """A balancer on the other family."""
    with Raw(("::1", announced.port("clear"))) as stream:
        stream.send(proxy_header(CLIENT) + b"ping")
        assert stream.recv_exactly(4) == b"ping"
    record = announced.wait_connection(CLIENT[1])
    assert record["via"] == f"[::1]:{stream.local_port}"


@pytest.mark.parametrize("how", ["fin", "reset"])
def test_gone_after_the_header(announced, how):
    """A client that leaves before its handshake begins, as a failure."""
    accepted = row(announced, "probed")["accepted"]
    with Raw(announced.address("probed")) as stream:
        stream.send(proxy_header(CLIENT))
        if how == "fin":
            stream.fin()
            assert stream.recv_all() == b""
        else:
            stream.reset()
    wait_for(lambda: row(announced, "probed")["accepted"] == accepted + 1
             and row(announced, "probed")["active"] == 0, 5, "it is over")
    ended = row(announced, "probed")["ended"]
    assert ended["refused"] == ended["timeout"] == 0
