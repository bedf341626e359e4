"""First bytes on a TLS port that are no TLS: an end, no alert, no reset

An alert makes the Java driver crash; a reset hides what happened.

SPDX-License-Identifier: MPL-2.0
"""

import ssl
import time

import pytest

import mapi
from server import SLOW, Mapitest
from streams import Raw, Tls, client_context, client_hello

TLS_PORTS = ["server1", "server2", "server3", "expiredcert", "tls12",
             "clientauth", "sni", "alpn_mapi9", "redirect"]
QUICKLY = 1.5 * SLOW        # far below every timeout


def answer(address, data, fin=False):
    """What comes back, how it ends, and after how many seconds."""
    started = time.monotonic()
    with Raw(address) as stream:
        stream.send(data)
        if fin:
            stream.fin()
        received = stream.recv_all()
        return received, stream.end, time.monotonic() - started


def assert_quiet(address, data, within=QUICKLY, fin=False):
    received, end, seconds = answer(address, data, fin)
    assert received == b"", f"{data[:8]!r} is answered by {received!r}"
    assert end == "eof", f"{data[:8]!r} is answered by a {end}"
    assert seconds < within, f"{data[:8]!r}: {seconds} s"


@pytest.fixture(scope="module")
def hasty():
    """A server that waits for TLS half a second only."""
    server = Mapitest("--handshake-timeout", "0.5", "-n", "localhost")
    try:
        yield server.wait_ready()
        server.check_end()
    finally:
        server.discard()


@pytest.mark.parametrize("port", TLS_PORTS)
@pytest.mark.parametrize("data", [
    mapi.NULS, mapi.LOGIN, mapi.NULS + mapi.LOGIN,
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28",
    b"\x17\x03\x03\x00\x05hello", b"\x16\x02\x00\x00\x05hello",
    b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", b"0", b"\xff" * 20_000,
], ids=["nuls", "login", "nuls-login", "http", "alert", "data", "record-2.0",
        "sslv2", "unix", "junk"])
def test_no_tls(hasty, port, data):
    """An alert or a reset for a plain client on a TLS port."""
    assert_quiet(hasty.address(port), data)


@pytest.mark.parametrize("last", [True, False])
def test_mapi_blocks(shared, last):
    """A block whose header OpenSSL takes for a kind of record."""
    for length in range(1, 601):
        payload = b"BIG:monetdb:" + b"x" * 600
        data = mapi.block(payload[:length], last)
        if data[:2] == b"\x16\x03":
            assert (length, last) == (395, False)
            continue                # that is what TLS looks like
        if len(data) < 3:
            continue                # cannot be told yet
        assert_quiet(shared.address("server1"), data)


def test_mapi_header_of_tls(hasty):
    """The one block that begins like TLS, and lacks the rest of a hello."""
    data = mapi.block(b"BIG:monetdb:".ljust(395, b"x"), False)
    received, end, seconds = answer(hasty.address("server1"), data)
    assert end == "eof"
    assert seconds < QUICKLY
    # What follows 16 03 is beyond doubt for OpenSSL only: an alert at most.
    assert len(received) in (0, 7)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x02", b"\x16\x00\x00\x00", bytes(4), b"\x0d\x00he",
    b"GET ", b"\x16\x03\x03\x00"])
def test_few_bytes_and_silence(hasty, data, size):
    """1 to 4 bytes that OpenSSL waits behind, and then says something."""
    assert_quiet(hasty.address("server1"), data[:size])


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02", bytes(4)])
def test_few_bytes_and_fin(shared, data, size):
    """An end in the first record that is answered by decode_error."""
    assert_quiet(shared.address("server1"), data[:size], fin=True)


@pytest.mark.parametrize("port", TLS_PORTS)
def test_silence(hasty, port):
    """A silent client that stays, or is told why in an alert."""
    started = time.monotonic()
    assert_quiet(hasty.address(port), b"")
    assert time.monotonic() - started > 0.4


def test_silence_inside_the_hello(hasty):
    """A handshake that never goes on and that no timer ends."""
    hello = client_hello()
    received, end, _ = answer(hasty.address("server1"), hello[:-10])
    assert received == b"" and end == "eof"


def test_silence_after_the_hello(hasty):
    """A client that stops in the middle of the handshake for ever."""
    started = time.monotonic()
    with Raw(hasty.address("server1")) as stream:
        stream.send(client_hello())
        assert stream.recv_all()[:1] == b"\x16"
        assert stream.end == "eof"
    assert 0.4 < time.monotonic() - started < QUICKLY


class Piecemeal(Tls):
    """Sends its ClientHello one byte per segment."""

    def _flush(self):
        while data := self.outgoing.read():
            if self.tls.version() is None or len(data) > 300:
                for at in range(len(data)):
                    self.sock.sendall(data[at:at + 1])
            else:
                self.sock.sendall(data)


def test_hello_in_pieces(shared, files):
    """A hello that arrives byte by byte and is judged too early."""
    context = client_context(files.text("ca1.crt"))
    with Piecemeal(shared.address("server1"), context, "localhost") as stream:
        assert mapi.login(stream)[1] == mapi.sorry("server1")


def test_plain_waits_for_nothing(shared):
    """A challenge on plain that waits for the client's first byte."""
    with Raw(shared.address("plain")) as stream:
        assert mapi.CHALLENGE.fullmatch(mapi.read_message(stream))


def test_tls_on_plain(shared):
    """A TLS client on plain: the challenge at once, no early end."""
    with Raw(shared.address("plain")) as stream:
        stream.send(client_hello())
        assert mapi.CHALLENGE.fullmatch(mapi.read_message(stream))
    with pytest.raises(ssl.SSLError) as caught:
        Tls(shared.address("plain"), client_context())
    assert caught.value.reason == "WRONG_VERSION_NUMBER"


def test_first_byte_timer(start):
    """A client silent after the challenge that stays for ever."""
    server = start("--first-byte-timeout", "0.5")
    for port, make in (("plain", lambda a: Raw(a)),
                       ("server1", lambda a: Tls(a, client_context()))):
        started = time.monotonic()
        with make(server.address(port)) as stream:
            mapi.read_message(stream)
            assert stream.recv_all() == b""
            assert stream.end != "reset"
            record = server.wait_connection(stream.local_port)
        assert 0.4 < time.monotonic() - started < QUICKLY
        assert record["end"] == "timeout"


@pytest.mark.parametrize("data", [
    b"\xff\xff" + b"x" * 100,               # a header over 8190
    b"\xfe\x3f" + b"x" * 100,               # 8191
    b"".join(mapi.block(b"x" * 8000, False) for _ in range(9)),  # > 64 KiB
    mapi.LOGIN[:-1],                        # EOF inside the message
    mapi.LOGIN[:1],
    mapi.block(b"x", False),                # EOF before the last block
], ids=["65535", "8191", "72000", "cut", "half header", "no last"])
def test_illegal_response(shared, data):
    """A reply to a response that is no legal, complete message."""
    with Raw(shared.address("plain")) as stream:
        mapi.read_message(stream)
        stream.send(data)
        stream.fin()
        assert stream.recv_all() == b""
    assert shared.get("/").status == 200


def test_response_in_many_blocks(shared):
    """A legal response of many blocks that is refused, or answered early."""
    with Raw(shared.address("plain")) as stream:
        mapi.read_message(stream)
        for _ in range(7):
            stream.send(mapi.block(b"x" * 8190, False) + mapi.block(b"", 0))
        stream.send(mapi.block(b""))
        assert mapi.read_message(stream) == mapi.sorry("plain")


def test_response_byte_by_byte(shared):
    """A message that arrives in pieces."""
    with Raw(shared.address("plain")) as stream:
        mapi.read_message(stream)
        for at in range(len(mapi.LOGIN)):
            stream.send(mapi.LOGIN[at:at + 1])
        assert mapi.read_message(stream) == mapi.sorry("plain")
        assert stream.recv_all() == b""
