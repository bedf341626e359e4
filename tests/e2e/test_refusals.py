"""Refusals: the right alert, and readable by a client that writes first

SPDX-License-Identifier: MPL-2.0
"""

import ssl
import subprocess

import pytest

import backends
import mapi
from streams import Raw, Tls, client_context, client_hello

TLS1_2, TLS1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
TLS1_1 = ssl.TLSVersion.TLSv1_1
REQUIRED = "TLSV13_ALERT_CERTIFICATE_REQUIRED"      # 116
UNKNOWN_CA = "TLSV1_ALERT_UNKNOWN_CA"               # 48
UNRECOGNIZED = "TLSV1_UNRECOGNIZED_NAME"            # 112
VERSION = "TLSV1_ALERT_PROTOCOL_VERSION"            # 70
ALERTS = {REQUIRED: 116, UNKNOWN_CA: 48, UNRECOGNIZED: 112, VERSION: 70}


def refusal(server, port, context, name="localhost", first=b"",
            session=None):
    """The alert that a client reads that writes before it reads."""
    stream = Tls(server.address(port), context, name, session=session,
                 handshake=False)
    with stream:
        with pytest.raises(ssl.SSLError) as caught:
            stream.handshake()
            for at in range(0, len(first), 4096):
                stream.send(first[at:at + 4096])
            data = stream.recv()
            raise AssertionError(f"not refused: {data!r}, {stream.end}")
        assert stream.end != "reset"
        assert stream.socket_end() == "eof"
    reason = caught.value.reason
    record = server.wait_connection(stream.local_port)
    assert record["alert_sent"] == ALERTS[reason]
    assert record["end"] == "refused"
    assert record["handshake"] is False
    assert record["bytes_up"] == 0
    return reason


FIRST = pytest.mark.parametrize("first", [b"", mapi.LOGIN, b"x" * 200_000],
                                ids=["reads", "login", "200 KB"])


@FIRST
def test_no_client_certificate(shared, files, first):
    """clientauth without a certificate: let in, or a reset for an alert."""
    context = client_context(files.text("ca1.crt"))
    assert refusal(shared, "clientauth", context, first=first) == REQUIRED


@FIRST
def test_wrong_client_certificate(shared, files, first):
    """clientauth with a certificate of CA 1, not CA 2."""
    context = client_context(
        files.text("ca1.crt"),
        certificate=(files("server1.crt"), files("server1.key")))
    assert refusal(shared, "clientauth", context, first=first) == UNKNOWN_CA


def test_right_client_certificate(shared, files):
    """clientauth that refuses everyone proves nothing above."""
    context = client_context(
        files.text("ca1.crt"),
        certificate=(files("client2.crt"), files("client2.key")))
    with Tls(shared.address("clientauth"), context, "localhost") as stream:
        assert mapi.login(stream)[1] == mapi.sorry("clientauth")


@pytest.mark.parametrize("name", [None, "wrong.example", "localhost.x",
                                  "ocalhost", "127.0.0.1"])
def test_unrecognized_name(shared, name):
    """sni without a name, or with one that is none of ours."""
    assert refusal(shared, "sni", client_context(), name) == UNRECOGNIZED


@pytest.mark.parametrize("name", ["localhost", "LocalHost",
                                  "mapitest.example", "MAPITEST.example"])
def test_recognized_name(shared, name):
    """A hostname that is refused for its case, or for not being first."""
    with Tls(shared.address("sni"), client_context(), name) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("sni")


def test_alert_before_unread_bytes(shared):
    """A close with unread bytes: the peer sees a reset, not the alert."""
    hello = client_hello(name=None)
    for _ in range(20):
        with Raw(shared.address("sni")) as stream:
            stream.send(hello + b"\x14\x03\x03\x00\x01\x01"
                        + b"\x17\x03\x03\x10\x00" + bytes(4096))
            stream.send(bytes(100_000))
            assert stream.recv_all() == b"\x15\x03\x03\x00\x02\x02\x70"
            assert stream.end == "eof"


@pytest.mark.parametrize("port, version", [
    ("server1", TLS1_2), ("server2", TLS1_2), ("server3", TLS1_2),
    ("expiredcert", TLS1_2), ("clientauth", TLS1_2), ("sni", TLS1_2),
    ("alpn_mapi9", TLS1_2), ("redirect", TLS1_2), ("tls12", TLS1_3),
    ("tls12", TLS1_1), ("server1", TLS1_1)])
def test_protocol_version(shared, port, version):
    """A version that the port must not speak, or another alert for it."""
    assert refusal(shared, port, client_context(version=version)) == VERSION


# ALPN


@pytest.mark.parametrize("offered", [None, ["http/1.1"], ["mapi/8", "h2"],
                                     ["MAPI/9"], ["mapi/9x"]])
def test_alpn_missing(shared, offered):
    """alpn_mapi9 that fails the handshake, or lets MAPI through."""
    context = client_context(alpn=offered)
    with Tls(shared.address("alpn_mapi9"), context, "localhost") as stream:
        assert stream.recv_all() == b""
        assert stream.end == "close_notify"
        assert stream.tls.selected_alpn_protocol() is None
    record = shared.wait_connection(stream.local_port)
    assert record["handshake"] is True
    assert record["end"] == "refused"
    assert record["bytes_down"] == 0


def test_alpn_missing_client_writes_first(shared):
    """A reset instead of an orderly end for a client that logs in blindly."""
    with Tls(shared.address("alpn_mapi9"), client_context()) as stream:
        stream.send(b"x" * 100_000)
        assert stream.recv_all() == b""
        assert stream.end == "close_notify"


@pytest.mark.parametrize("port", ["server1", "alpn_mapi9", "redirect"])
@pytest.mark.parametrize("offered", [["mapi/9"], ["h2", "mapi/9"],
                                     ["mapi/9", "http/1.1"]])
def test_alpn_selected(shared, port, offered):
    """mapi/9 that is offered and not selected."""
    context = client_context(alpn=offered)
    with Tls(shared.address(port), context, "localhost") as stream:
        assert stream.tls.selected_alpn_protocol() == "mapi/9"
        assert mapi.CHALLENGE.fullmatch(mapi.read_message(stream))


@pytest.mark.parametrize("port", ["server1", "tls12"])
def test_alpn_without_overlap(shared, port):
    """A client that offers other protocols only and is refused for it."""
    context = client_context(alpn=["http/1.1", "imap"])
    with Tls(shared.address(port), context, "localhost") as stream:
        assert stream.tls.selected_alpn_protocol() is None
        assert mapi.login(stream)[1] == mapi.sorry(port)


# Tickets


def ticket_of(address, context):
    with Tls(address, context, "localhost") as stream:
        stream.send(b"x")
        stream.recv_exactly(1)      # the ticket came before it
        return stream.tls.session


def test_tickets(start, backend, files_of):
    """A ticket of one port that gets past another's client certificate."""
    server = start("-f", f"0:{backend(backends.echo).target}",
                   "-n", "localhost")
    context = client_context()
    session = ticket_of(server.address("forward"), context)
    assert session.has_ticket
    # Worth something where it comes from, whichever worker answers...
    for _ in range(10):
        with Tls(server.address("forward"), context, "localhost",
                 session=session) as stream:
            assert stream.tls.session_reused
            stream.send(b"y")
            assert stream.recv_exactly(1) == b"y"
    # ... nothing where more is asked for ...
    assert refusal(server, "clientauth", context,
                   session=session) == REQUIRED
    # ... and nothing on the other ports.
    for port in ("server1", "server3", "redirect"):
        with Tls(server.address(port), context, "localhost",
                 session=session) as stream:
            assert not stream.tls.session_reused
            assert mapi.CHALLENGE.fullmatch(mapi.read_message(stream))


@pytest.mark.parametrize("port", ["server1", "clientauth", "redirect",
                                  "tls12"])
def test_no_tickets(shared, files, port):
    """Test ports whose resumed clients verify nothing."""
    context = client_context(certificate=files("client2.keycrt"))
    with Tls(shared.address(port), context, "localhost") as stream:
        mapi.login(stream)
        session = stream.tls.session
    assert not session.has_ticket
    with Tls(shared.address(port), context, "localhost",
             session=session) as stream:
        assert not stream.tls.session_reused


def test_no_early_data(start, backend):
    """A ticket that invites to send data that can be replayed."""
    def greets(peer):
        peer.send(b"hello")         # the ticket is on its way before it
        peer.fin()
        peer.recv_all()

    server = start("-f", f"0:{backend(greets).target}")
    done = subprocess.run(
        ["openssl", "s_client", "-ign_eof", "-connect",
         f"127.0.0.1:{server.port('forward')}"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert "TLS session ticket:" in done.stdout, done.stdout
    assert "Max Early Data: 0" in done.stdout
