"""TLS records after the handshake: what may be said, and what may not

Every refusal is an alert that the client can read, followed by FIN and not by
a reset, and the log knows of it; a good client is served right after.

SPDX-License-Identifier: MPL-2.0
"""

import random
import ssl

import pytest

import mapi
from load import Load
from records import (ALERT, CCS, DATA, HANDSHAKE, LEGACY_CCS, TLS1_2, TLS1_3,
                     Client, message, record)
from server import SANITIZED, wait_for
from verdicts import (BAD_MAC, ILLEGAL, INTERNAL, OVERFLOW, PORTS,
                      SEALED_MAX, UNEXPECTED, assert_served, established,
                      refusal)

# After the handshake


DATA_GOOD = {
    "as it is": lambda k: k.seal(DATA, mapi.LOGIN),
    "32 empty records": lambda k: b"".join(
        k.seal(DATA, b"") for _ in range(32)) + k.seal(DATA, mapi.LOGIN),
    "empty records between": lambda k: b"".join(
        k.seal(DATA, mapi.LOGIN[at:at + 1]) + k.seal(DATA, b"")
        for at in range(len(mapi.LOGIN))),
    "padding": lambda k: k.seal(DATA, mapi.LOGIN,
                                16384 - len(mapi.LOGIN)),
    "user_canceled": lambda k: (k.seal(ALERT, b"\x01\x5a")
                                + k.seal(DATA, mapi.LOGIN)),
    "fatal user_canceled": lambda k: (k.seal(ALERT, b"\x02\x5a")
                                      + k.seal(DATA, mapi.LOGIN)),
    "KeyUpdate": lambda k: k.key_update(0) + k.seal(DATA, mapi.LOGIN),
    "KeyUpdate, padded": lambda k: (k.key_update(1, 9000)
                                    + k.seal(DATA, mapi.LOGIN)),
    "a KeyUpdate for every byte": lambda k: b"".join(
        k.key_update(at % 2) + k.seal(DATA, mapi.LOGIN[at:at + 1])
        for at in range(len(mapi.LOGIN))),
}

DATA_BAD = {
    "33 empty records": (lambda k: b"".join(
        k.seal(DATA, b"") for _ in range(33)), UNEXPECTED),
    "only padding": (lambda k: k.seal(None, b"", 10), UNEXPECTED),
    "not even padding": (lambda k: k.seal(None, b""), BAD_MAC),
    "2^14+1 bytes": (lambda k: k.seal(DATA, bytes(16385)), OVERFLOW),
    "a record of 2^14+256": (lambda k: record(DATA, bytes(SEALED_MAX)),
                             BAD_MAC),
    "a record of 2^14+257": (lambda k: record(DATA, bytes(SEALED_MAX + 1)),
                             OVERFLOW),
    "a record of 2^16-1": (lambda k: record(DATA, bytes(0xffff)), OVERFLOW),
    "CCS": (lambda k: LEGACY_CCS, UNEXPECTED),
    "CCS storm": (lambda k: LEGACY_CCS * 10_000, UNEXPECTED),
    **{f"inner type {kind}":
       (lambda k, kind=kind: k.seal(kind, b"x"), UNEXPECTED)
       for kind in (0, 1, 20, 24, 99, 255)},
    **{f"outer type {kind}":
       (lambda k, kind=kind: record(kind, b"x"), UNEXPECTED)
       for kind in (0, 20, 21, 22, 24, 99, 255)},
    **{f"an alert of {length} bytes":
       (lambda k, length=length: k.seal(ALERT, b"\1" * length), UNEXPECTED)
       for length in (0, 1, 3)},
    # Messages that a client must not send, whatever they say.
    **{f"message {kind}":
       (lambda k, kind=kind: k.seal(HANDSHAKE, message(kind, bytes(10))),
        UNEXPECTED)
       for kind in (0, 1, 2, 4, 5, 8, 11, 13, 15, 20, 25, 254)},
    "KeyUpdate of 2": (lambda k: k.seal(HANDSHAKE, message(24, b"\2")),
                       ILLEGAL),
    "KeyUpdate of 10 bytes":
        (lambda k: k.seal(HANDSHAKE, message(24, bytes(10))), ILLEGAL),
    "two KeyUpdates in a record":
        (lambda k: k.seal(HANDSHAKE, message(24, b"\0") * 2), UNEXPECTED),
    "data inside a KeyUpdate":
        (lambda k: k.seal(HANDSHAKE, message(24, b"\0")[:2])
         + k.seal(DATA, b"x"), UNEXPECTED),
    "a message of 2^24-1":
        (lambda k: k.seal(HANDSHAKE, b"\x18\xff\xff\xff"), ILLEGAL),
    "an empty message": (lambda k: k.seal(HANDSHAKE, b""), UNEXPECTED),
}


@pytest.mark.parametrize("what", DATA_GOOD)
def test_odd_data(shared, keylog, what):
    """Records between the data that are allowed, and harm it."""
    stream, keys = established(shared, keylog)
    with stream:
        stream.sock.sendall(DATA_GOOD[what](keys))
        assert mapi.read_message(stream) == mapi.sorry("server1")
        assert stream.recv_all() == b""
        assert stream.end == "close_notify"
    noted = shared.wait_connection(stream.local_port)
    assert noted["bytes_up"] == len(mapi.LOGIN)
    assert noted["alert_sent"] is None and noted["alert_received"] is None


@pytest.mark.parametrize("what", DATA_BAD)
def test_bad_data(shared, keylog, what):
    """What no client may send: relayed, or a reset instead of the alert."""
    make, alert = DATA_BAD[what]
    stream, keys = established(shared, keylog)
    stream.sock.sendall(make(keys))
    assert refusal(shared, stream) == alert
    assert_served(shared)


@pytest.mark.parametrize("level, alert", [(1, 10), (2, 10), (255, 255),
                                          (1, 100), (0, 46)])
def test_alert_after_handshake(shared, keylog, level, alert):
    """A client that refuses late, as NSS does, and is not heard."""
    stream, keys = established(shared, keylog)
    with stream:
        stream.sock.sendall(keys.seal(ALERT, bytes([level, alert])))
        assert stream.recv_all() == b""
        assert stream.end != "reset"
    noted = shared.wait_connection(stream.local_port)
    assert (noted["alert_received"], noted["alert_sent"]) == (alert, None)
    assert noted["handshake"] is True


@pytest.mark.parametrize("version", [TLS1_3, TLS1_2])
def test_flipped_bits(shared, keylog, version):
    """A changed bit that gets through, or that others suffer from."""
    source = random.Random(1)
    port = PORTS[version]
    with Load(shared, (port, "plain"), threads=2) as others:
        header = 5 if version == TLS1_3 else 13     # 1.2: explicit nonce
        stream, keys = established(shared, keylog, version)
        length = len(keys.seal(DATA, mapi.LOGIN))
        stream.close()
        for at in range(5, length, 1 if not SANITIZED else 7):
            stream, keys = established(shared, keylog, version)
            sealed = bytearray(keys.seal(DATA, mapi.LOGIN))
            sealed[at] ^= 1 << source.randrange(8)
            stream.sock.sendall(sealed)
            assert refusal(shared, stream) == BAD_MAC, (at, header)
        wait_for(lambda: others.done > 10, 20, "others are served")
    assert others.failures == []


@pytest.mark.parametrize("more", ["nothing", "data", "garbage", "plain"])
def test_data_after_close_notify(start, backend, keylog, more):
    """A reply lost, or data taken, because of bytes behind close_notify."""
    received = []

    def handler(peer):
        received.append(peer.recv_all())
        peer.send(b"y" * 300_000)
        peer.fin()

    server = start("-f", f"0:{backend(handler).target}")
    with Client(server.address("forward"), keylog) as stream:
        keys = stream.keys()
        data = (keys.seal(DATA, b"first") + keys.seal(ALERT, b"\x01\x00")
                + {"nothing": b"", "data": keys.seal(DATA, b"second"),
                   "garbage": record(DATA, bytes(1000)),
                   "plain": bytes(100_000)}[more])
        stream.sock.sendall(data)
        assert stream.recv_all() == b"y" * 300_000
        assert stream.end == "close_notify"
    assert received == [b"first"]
    noted = server.wait_connection(stream.local_port)
    assert noted["bytes_up"] == 5 and noted["alert_sent"] is None
    assert noted["end"] == "close_notify"


# TLS 1.2 after the handshake

HELLO_AGAIN = message(1, b"\x03\x03" + bytes(32) + b"\0\0\2\xc0\x30\1\0")


@pytest.mark.parametrize("number", [1, 10])
def test_renegotiation(shared, keylog, number):
    """A client that renegotiates: its new certificate would go unseen."""
    stream, keys = established(shared, keylog, TLS1_2)
    with stream:
        stream.sock.sendall(b"".join(keys.seal(HANDSHAKE, HELLO_AGAIN)
                                     for _ in range(number)))
        with pytest.raises(ssl.SSLError) as caught:
            stream.recv_all()
        assert caught.value.reason == "NO_RENEGOTIATION"
    noted = shared.wait_connection(stream.local_port)
    assert noted["bytes_up"] == 0
    assert_served(shared, "tls12")


DATA_BAD_1_2 = {
    "HelloRequest": (lambda k: k.seal(HANDSHAKE, message(0, b"")),
                     UNEXPECTED),
    **{f"message {kind}":
       (lambda k, kind=kind: k.seal(HANDSHAKE, message(kind, bytes(10))),
        UNEXPECTED) for kind in (2, 4, 13, 20, 24)},
    "a level of 7": (lambda k: k.seal(ALERT, b"\x07\x5a"), ILLEGAL),
    "six warnings": (lambda k: b"".join(
        k.seal(ALERT, b"\x01\x5a") for _ in range(6)), UNEXPECTED),
    "no_renegotiation": (lambda k: k.seal(ALERT, b"\x01\x64"), 40),
    "CCS": (lambda k: k.seal(CCS, b"\x01"), UNEXPECTED),
    # Too short for AES-GCM: 20 in older OpenSSL, 80 from 3.0.19 on.
    "plain CCS": (lambda k: LEGACY_CCS, (BAD_MAC, INTERNAL)),
    "33 empty records": (lambda k: b"".join(
        k.seal(DATA, b"") for _ in range(33)), UNEXPECTED),
    "2^14+1 bytes": (lambda k: k.seal(DATA, bytes(16385)), OVERFLOW),
    "a record of 2^16-1": (lambda k: record(DATA, bytes(0xffff)), OVERFLOW),
}


@pytest.mark.parametrize("what", DATA_BAD_1_2)
def test_bad_data_1_2(shared, keylog, what):
    """The same in TLS 1.2, whose records and alerts differ."""
    make, alert = DATA_BAD_1_2[what]
    stream, keys = established(shared, keylog, TLS1_2)
    stream.sock.sendall(make(keys))
    said = refusal(shared, stream)
    assert said in alert if isinstance(alert, tuple) else said == alert
    assert_served(shared, "tls12")
