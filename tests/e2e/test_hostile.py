"""Hostile ports: each misbehaves as it says, to good clients and to bad ones

SPDX-License-Identifier: MPL-2.0
"""

import hashlib
import re
import ssl

import pytest

import backends
import mapi
import procfs
import records
from fronts import front, simulated, write_config
from server import Mapitest, wait_for
from streams import Ended, Raw, Tls, client_context, client_hello

# As ports.md has them, in the order of the numbers.
EXPECTED = {
    "silent": "refuse", "hangup": "refuse", "garbage": "refuse",
    "alert": "refuse", "tls11": "refuse", "truncate": "refuse",
    "cut_message": "refuse", "tiny_records": "accept", "slow": "accept",
    "key_update": "accept", "redirect_plain": "refuse",
    "redirect_badhash": "refuse", "redirect_loop": "refuse",
    "login": "accept",
}
WITHOUT_SIMULATOR = ["silent", "hangup", "garbage", "alert", "tls11"]
NO_HANDSHAKE = WITHOUT_SIMULATOR
HANDSHAKE = [name for name in EXPECTED if name not in NO_HANDSHAKE]
GROUPS = ("--ports", "classic,hostile", "-n", "localhost")
TIMERS = ("--silent-timeout", 1, "--handshake-timeout", 3,
          "--first-byte-timeout", 6, "--idle-timeout", 4,
          "--half-closed-timeout", 3)
HELD_MAX = 256                      # of one port that keeps its clients
OPTIONS = b"sql=6:"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, pki):
    """One server for all that leave it as it was."""
    config = write_config(
        tmp_path_factory.mktemp("hostile"),
        front("twoway", pki, client_ca=str(pki.clients.path),
              client_certificate="required"))
    server = Mapitest(*GROUPS, *TIMERS, "--config", config)
    try:
        yield server.wait_ready()
        server.check_end()
    finally:
        server.discard()


def context_for(name, server, **options):
    version = ssl.TLSVersion.TLSv1_1 if name == "tls11" else None
    return client_context(server.file("ca1.crt").decode(), version=version,
                          **options)


def connect(server, name, **options):
    return Tls(server.address(name), context_for(name, server), "localhost",
               **options)


def begin_login(server, name):
    """A stream that has sent its response."""
    stream = connect(server, name)
    mapi.read_message(stream)
    stream.send(mapi.LOGIN)
    return stream


def ended(server, stream):
    """The record of a connection that has been closed by the client."""
    stream.close()
    return server.wait_connection(stream.local_port)


def last_message(server, name):
    with connect(server, name) as stream:
        return mapi.login(stream)[1].decode()


def test_port_map(hostile):
    """A port that is missing, out of its place, or expects another thing."""
    ports = hostile.api("/api/portmap")["ports"]
    rows = {name: row["expect"] for name, row in ports.items()
            if row["group"] == "hostile"}
    assert rows == EXPECTED
    assert [name for name in hostile.ports if name in rows] == list(rows)
    assert ports["tls11"]["tls"] == ["1.0", "1.1"]


# At the ClientHello


def test_silent_client_leaves(hostile):
    """silent: any answer, or a client that leaves unseen."""
    stream = Raw(hostile.address("silent"))
    stream.send(client_hello())
    stream.fin()
    assert stream.recv_all() == b"" and stream.end == "eof"
    record = ended(hostile, stream)
    assert (record["first"], record["end"]) == ("tls", "eof")
    assert record["handshake"] is False and record["alert_sent"] is None


def test_silent_closes(hostile):
    """silent: a client that is held for ever."""
    with Raw(hostile.address("silent")) as stream:
        for piece in range(4):      # what comes in pieces is known, too
            stream.send(client_hello()[piece * 3:piece * 3 + 3])
        assert stream.recv_all() == b"" and stream.end == "eof"
        record = ended(hostile, stream)
    assert (record["first"], record["end"]) == ("tls", "timeout")


def test_hangup(hostile):
    """hangup: an alert, a reset, or FIN before the ClientHello is there."""
    hello = client_hello()
    with Raw(hostile.address("hangup")) as stream:
        stream.send(hello[:-1])
        records.wait_read(hostile.port("hangup"))
        stream.send(hello[-1:])
        assert stream.recv_all() == b"" and stream.end == "eof"
        record = ended(hostile, stream)
    assert (record["first"], record["end"]) == ("tls", "refused")
    assert record["alert_sent"] is None and record["handshake"] is False


def test_garbage(hostile):
    """garbage: what a TLS client could take for an answer."""
    with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
        connect(hostile, "garbage")
    with Raw(hostile.address("garbage")) as stream:
        stream.send(client_hello())
        answer = stream.recv_all()
        assert stream.end == "eof"
        record = ended(hostile, stream)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert record["end"] == "refused" and record["alert_sent"] is None


def test_alert(hostile):
    """alert: another one, or none."""
    with Raw(hostile.address("alert")) as stream:
        stream.send(client_hello())
        answer = stream.recv_all()
        assert stream.end == "eof"
        record = ended(hostile, stream)
    (alert,) = records.split(answer)
    assert alert[0] == records.ALERT and alert[5:] == b"\x02\x28"
    assert (record["end"], record["alert_sent"]) == ("refused", 40)


@pytest.mark.parametrize("version", [None, records.TLS1_2, records.TLS1_3])
def test_tls11_refused(hostile, version):
    """tls11: a modern client without a protocol_version."""
    context = client_context(version=version)
    if version is None:
        context.minimum_version = records.TLS1_2
    stream = Tls(hostile.address("tls11"), context, "localhost",
                 handshake=False)
    with stream, pytest.raises(ssl.SSLError, match="PROTOCOL"):
        stream.handshake()
    record = ended(hostile, stream)
    # A ClientHello of 1.2 alone offers 1.1, too, and what such a client says of
    # our choice comes in a record of 1.2, which OpenSSL does not open.
    refused = None if version == records.TLS1_2 else 70
    assert (record["end"], record["alert_sent"]) == ("refused", refused)
    assert record["handshake"] is False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1,
                                     ssl.TLSVersion.TLSv1_1])
def test_tls11_accepted(hostile, version):
    """tls11 that refuses everybody proves nothing above."""
    context = client_context(version=version)
    with Tls(hostile.address("tls11"), context, "localhost") as stream:
        assert mapi.login(stream)[1] == mapi.sorry("tls11")
    record = ended(hostile, stream)
    assert record["tls"]["version"] == stream.tls.version()


# After the handshake


@pytest.mark.parametrize("name, end", [("truncate", "eof"),
                                       ("cut_message", "close_notify")])
def test_cut(hostile, name, end):
    """Half a message that is whole, or that ends in the other way."""
    whole = mapi.message(mapi.sorry(name))
    with begin_login(hostile, name) as stream:
        assert stream.recv_all() == whole[:len(whole) // 2]
        assert stream.end == end
        record = ended(hostile, stream)
    assert record["handshake"] and record["alert_sent"] is None
    assert record["bytes_up"] == len(mapi.LOGIN)


class Tapped(Tls):
    """A Tls that keeps what came."""

    tap = b""

    def _fill(self):
        before = self.incoming.pending
        super()._fill()
        data = self.incoming.read()
        if self.tls.version() is not None:      # past the ServerHello
            self.tap += data[before:]
        self.incoming.write(data)


def test_tiny_records(hostile):
    """tiny_records: a record or a block of another size."""
    context = context_for("tiny_records", hostile)
    with Tapped(hostile.address("tiny_records"), context,
                "localhost") as stream:
        stream.tap = b""
        heard = stream.recv_exactly(3)
        stream.send(mapi.LOGIN)
        heard += stream.recv_all()
        assert stream.end == "close_notify"
        lengths = [len(one) - 5 for one in records.split(stream.tap)]
        record = ended(hostile, stream)
    # The byte, the content type and the tag; at last an alert.
    assert set(lengths[:-1]) == {18} and lengths[-1] == 19
    assert len(lengths) == len(heard) + 1 == record["bytes_down"] + 1
    messages = []
    for at in range(0, len(heard), 3):
        assert heard[at:at + 2] in (b"\x02\x00", b"\x03\x00")
        messages.append(heard[at + 2:at + 3]
                        + b"\n" * (heard[at] & 1))
    challenge, last, rest = b"".join(messages).split(b"\n")
    assert mapi.CHALLENGE.fullmatch(challenge)
    assert last == mapi.sorry("tiny_records") and rest == b""


def test_slow(hostile):
    """slow: bytes that come at once, or a timer that cuts them off."""
    with connect(hostile, "slow") as stream:
        assert mapi.login(stream)[1] == mapi.sorry("slow")
    record = ended(hostile, stream)
    assert record["end"] == "eof"   # the client's, after our close_notify
    # It cannot be faster, however loaded: half, for the loop's old clock.
    assert record["seconds"]["total"] > 0.01 * record["bytes_down"]


def test_key_update(hostile, keylog):
    """key_update: none, one that asks for nothing, or at another moment."""
    context = context_for("key_update", hostile)
    context.keylog_filename = str(keylog)
    stream = Tapped(hostile.address("key_update"), context, "localhost")
    with stream:
        stream.tap = b""
        challenge = mapi.read_message(stream)
        stream.send(mapi.LOGIN)
        assert mapi.read_message(stream) == mapi.sorry("key_update")
        stream.close_notify()       # under the new keys that were asked for
        stream.fin()
        assert stream.recv_all() == b"" and stream.end == "close_notify"
        record = ended(hostile, stream)
    assert record["end"] == "close_notify" and record["alert_sent"] is None
    keys = records.Keys13(server_secret(keylog))
    said = []
    for sealed in records.split(stream.tap):
        kind, payload = keys.open(sealed)
        said.append((kind, payload))
        if kind == records.HANDSHAKE:
            keys.key_update(0)
    update = records.message(records.KEY_UPDATE, b"\x01")
    assert said.count((records.HANDSHAKE, update)) == 1
    at = said.index((records.HANDSHAKE, update))
    assert b"".join(text for _, text in said[:at]) == mapi.message(challenge)
    assert said[at + 1:] == [
        (records.DATA, mapi.message(mapi.sorry("key_update"))),
        (records.ALERT, b"\x01\x00")]


def server_secret(keylog):
    """Of the one connection in a key log."""
    (line,) = re.findall("^SERVER_TRAFFIC_SECRET_0 .*$", keylog.read_text(),
                         re.MULTILINE)
    return bytes.fromhex(line.split()[2])


def sha256(server, name):
    return hashlib.sha256(server.file(name)).hexdigest()


def test_redirects(hostile):
    """A redirect to another place, or with a hash that is right or wrong
    where it should not be."""
    address = "localhost:{}"
    loop, two = (address.format(hostile.port(name))
                 for name in ("redirect_loop", "server2"))
    plain = address.format(hostile.port("plain"))
    hashes = {name: sha256(hostile, name + ".der")
              for name in ("server1", "server2", "server3")}
    assert len(set(hashes.values())) == 3
    assert last_message(hostile, "redirect_plain") == (
        f"^monetdb://{plain}\n")
    assert last_message(hostile, "redirect_badhash") == (
        f"^monetdbs://{two}?certhash=sha256:{hashes['server3']}\n")
    assert last_message(hostile, "redirect_loop") == (
        f"^monetdbs://{loop}?certhash=sha256:{hashes['server1']}\n")
    assert last_message(hostile, "redirect") == (
        f"^monetdbs://{two}?certhash=sha256:{hashes['server2']}\n")


def test_login(hostile):
    """login: a connect() that does not return, or a query that hangs."""
    with connect(hostile, "login") as stream:
        challenge = mapi.read_message(stream)
        assert challenge.replace(b":mserver:", b":merovingian:").endswith(
            OPTIONS)
        assert challenge.split(b":")[1] == b"mserver"
        stream.send(mapi.message(mapi.RESPONSE + b"auto_commit=1:FILETRANS:"))
        assert mapi.read_message(stream) == b""
        stream.send(mapi.message(b"Xauto_commit 1"))
        assert mapi.read_message(stream) == b""
        stream.send(mapi.message(b"sSELECT 1\n;"))
        assert mapi.read_message(stream) == mapi.sorry("login")
        stream.send(mapi.message(b"sSELECT " + b"1" * 20_000)
                    + mapi.message(b"Xreply_size 100"))
        assert mapi.read_message(stream) == mapi.sorry("login")
        assert mapi.read_message(stream) == b""
        stream.close_notify()
        stream.fin()
        assert stream.recv_all() == b"" and stream.end == "close_notify"
        record = ended(hostile, stream)
    assert record["end"] == "close_notify"


# Two-way TLS


def one_way(server, name, **options):
    """Log in with a context of these options."""
    with Tls(server.address(name), client_context(**options),
             "localhost") as stream:
        return mapi.login(stream)[1]


def test_two_way_right_on_both_ends(hostile, files_of):
    """clientauth with CA 1 here and CA 2 there: refused."""
    files = files_of(hostile)
    assert one_way(hostile, "clientauth", ca=files.text("ca1.crt"),
                   certificate=(files("client2.crt"), files("client2.key"))
                   ) == mapi.sorry("clientauth")


def test_two_way_client_trusts_another(hostile, files_of):
    """A client that trusts CA 3 and goes on all the same."""
    files = files_of(hostile)
    context = client_context(
        files.text("ca3.crt"),
        certificate=(files("client2.crt"), files("client2.key")))
    stream = Tls(hostile.address("clientauth"), context, "localhost",
                 handshake=False)
    with stream, pytest.raises(ssl.SSLCertVerificationError):
        stream.handshake()
    record = ended(hostile, stream)
    assert record["alert_received"] == 48 and record["handshake"] is False


def test_two_way_server_trusts_another(hostile, files_of, pki):
    """A client certificate of a CA that the server does not know: let in."""
    context = client_context(files_of(hostile).text("ca1.crt"),
                             certificate=pki.client.pair)
    stream = Tls(hostile.address("clientauth"), context, "localhost",
                 handshake=False)
    with stream, pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
        stream.handshake()
        stream.recv()
    record = ended(hostile, stream)
    assert (record["alert_sent"], record["end"]) == (48, "refused")


def test_two_way_no_certificate(hostile):
    """A client without a certificate: let in."""
    context = client_context(hostile.file("ca1.crt").decode())
    stream = Tls(hostile.address("clientauth"), context, "localhost",
                 handshake=False)
    with stream, pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        stream.handshake()
        stream.recv()
    assert ended(hostile, stream)["alert_sent"] == 116


def test_two_way_alternative_on_both_ends(hostile, pki):
    """A port with certificates of another CA, for clients of a third."""
    assert one_way(hostile, "twoway", ca=pki.ca.path,
                   certificate=pki.client.pair) == mapi.sorry("twoway")
    with pytest.raises((ssl.SSLError, Ended)):
        one_way(hostile, "twoway", ca=pki.ca.path)


# Clients that are no better


def descriptors(server):
    return {pid: procfs.descriptors(pid)
            for kind, pid in server.processes()
            if kind in ("worker", "simulator")}


def test_nobody_stays(hostile):
    """A port that is held, or a descriptor that is left, by a client that
    never writes, or never reads."""
    wait_for(lambda: all(row["active"] == 0
                         for row in hostile.api("/api/status")["ports"]
                         .values()), what="earlier tests' clients gone")
    before = descriptors(hostile)
    streams = []
    for name in EXPECTED:
        streams.append(Raw(hostile.address(name)))      # writes nothing
        streams.append(Raw(hostile.address(name)))      # reads nothing
        streams[-1].send(client_hello())
    for name in HANDSHAKE:
        streams.append(connect(hostile, name))          # logs in, and leaves
        streams[-1].send(mapi.LOGIN)                    # the rest to us
    for stream in streams:
        record = hostile.wait_connection(stream.local_port, seconds=20)
        assert record["end"] in ("timeout", "refused"), record
    wait_for(lambda: descriptors(hostile) == before,
             what=f"descriptors as before: {before}")
    for stream in streams:
        stream.close()


def test_held_clients_hold_nobody(start):
    """Clients of silent or login that keep all others out; and redirects to
    ports that are not open."""
    server = start("--ports", "hostile", "-n", "localhost")
    assert set(EXPECTED) - set(server.ports) == {"redirect_plain",
                                                 "redirect_badhash"}
    held = []
    for name in ("silent", "login"):
        held += [Raw(server.address(name)) for _ in range(HELD_MAX + 4)]
        server.wait_line(rf"port '{name}': limit reached")
    simulated(server, "key_update")
    for stream in held:
        stream.close()


def test_with_a_backend(start, backend):
    """-b: a port that promises what a real MonetDB does not do, or a deed
    that needs a simulator."""
    server = start(*GROUPS, "-b", backend(backends.echo).target)
    assert [name for name in EXPECTED if name in server.ports] == \
        WITHOUT_SIMULATOR
    with Raw(server.address("alert")) as stream:
        stream.send(client_hello())
        assert stream.recv_all()[5:] == b"\x02\x28"
