"""TLS records during the handshake: cut, altered, and of our own making

Every refusal is an alert that the client can read, followed by FIN and not by
a reset, and the log knows of it; a good client is served right after.

SPDX-License-Identifier: MPL-2.0
"""

import ssl
import time

import pytest

import mapi
from records import (ALERT, CCS, DATA, FINISHED, HANDSHAKE, KEY_UPDATE,
                     LEGACY_CCS, TLS1_2, TLS1_3, Client, fragment, message,
                     record, split, wait_read)
from server import SANITIZED
from streams import client_context
from verdicts import (BAD_MAC, DECODE_ERROR, DECRYPT_ERROR, ILLEGAL,
                      OVERFLOW, PORTS, SEALED_MAX, UNEXPECTED, VERSION,
                      accepted, assert_served, refusal)

STEP = 11 if SANITIZED else 1       # of byte boundaries
TOGETHER = 100                      # split connections at a time

# What is cut, and delayed


def batches(length, step=STEP):
    """Every boundary inside `length` bytes, some at a time."""
    cuts = list(range(1, length, step))
    return [cuts[at:at + TOGETHER] for at in range(0, len(cuts), TOGETHER)]


@pytest.mark.parametrize("flight", [0, 1], ids=["hello", "finished"])
@pytest.mark.parametrize("version", [TLS1_3, TLS1_2])
def test_split_flight(shared, keylog, version, flight):
    """A flight that must come whole: each byte boundary, the rest later."""
    port = PORTS[version]
    with Client(shared.address(port), keylog, version) as whole:
        length = len(whole.flights[flight])
        mapi.login(whole)

    def begin(cut):
        def change(number, data):
            if number != flight:
                return data
            assert abs(len(data) - length) <= 1     # DER's leading zeros
            stream.held = data[cut:]
            return data[:cut]

        stream = Client(shared.address(port), keylog, version, change,
                        handshake=False)
        stream.advance()
        return stream

    for cuts in batches(length - 1):
        streams = [begin(cut) for cut in cuts]
        wait_read(shared.port(port))
        for stream in streams:
            stream.release()
        for stream in streams:
            accepted(shared, stream, port)


@pytest.mark.parametrize("port", ["server1", "tls12", "clientauth"])
def test_byte_by_byte(shared, files, keylog, port):
    """A server that gives up on a client whose bytes come one at a time."""
    context = client_context(certificate=files("client2.keycrt"))

    def send_slowly(data):
        for byte in data:
            stream.sock.sendall(bytes([byte]))
            time.sleep(1e-4)

    def change(_, data):
        send_slowly(data)
        return b""

    stream = Client(shared.address(port), keylog, None, change,
                    context=context, handshake=False)
    accepted(shared, stream, port)


@pytest.mark.parametrize("version", [TLS1_3, TLS1_2])
def test_split_data(shared, keylog, version):
    """A record of data that is torn at any byte, or joined to the next."""
    port = PORTS[version]

    def begin(cut):
        stream = Client(shared.address(port), keylog, version)
        assert mapi.CHALLENGE.fullmatch(mapi.read_message(stream))
        keys = stream.keys()
        half = len(mapi.LOGIN) // 2
        data = (keys.seal(DATA, mapi.LOGIN[:half])
                + keys.seal(DATA, mapi.LOGIN[half:]))
        stream.sock.sendall(data[:cut])
        stream.held = data[cut:]
        return stream, len(data)

    length = begin(1)[1]
    for cuts in batches(length):
        streams = [begin(cut)[0] for cut in cuts]
        wait_read(shared.port(port))
        for stream in streams:
            stream.release()
        for stream in streams:
            with stream:
                assert mapi.read_message(stream) == mapi.sorry(port)
                assert stream.recv_all() == b""
                assert stream.end == "close_notify"


@pytest.mark.parametrize("version, size", [
    (TLS1_3, 1), (TLS1_3, 3), (TLS1_3, 4), (TLS1_3, 5), (TLS1_3, 100),
    (TLS1_2, 1), (TLS1_2, 100)])
def test_fragmented_hello(shared, keylog, version, size):
    """A ClientHello over several records, which TLS allows."""
    stream = Client(shared.address(PORTS[version]), keylog, version,
                    lambda n, data: fragment(data, size) if n == 0 else data,
                    handshake=False)
    accepted(shared, stream, PORTS[version])


# What is altered during the handshake

HELLO_GOOD = {
    "an empty record first": lambda d: record(HANDSHAKE, b"") + d,
    "32 empty records first": lambda d: record(HANDSHAKE, b"") * 32 + d,
    "CCS behind": lambda d: d + LEGACY_CCS,
    "version 3.0": lambda d: d[:1] + b"\x03\x00" + d[3:],
    "version 3.255": lambda d: d[:1] + b"\x03\xff" + d[3:],
    "user_canceled behind": lambda d: d + record(ALERT, b"\x01\x5a"),
}

HELLO_BAD = {
    "33 empty records first":
        (lambda d: record(HANDSHAKE, b"") * 33 + d, UNEXPECTED),
    "empty records between":
        (lambda d: b"".join(one + record(HANDSHAKE, b"")
                            for one in split(fragment(d, 100))), UNEXPECTED),
    "100 CCS behind": (lambda d: d + LEGACY_CCS * 100, UNEXPECTED),
    "10,000 CCS behind": (lambda d: d + LEGACY_CCS * 10_000, UNEXPECTED),
    "CCS inside": (lambda d: fragment(d, 100)[:105] + LEGACY_CCS
                   + fragment(d, 100)[105:], UNEXPECTED),
    "CCS of 2": (lambda d: d + record(CCS, b"\x02"), ILLEGAL),
    "CCS of two bytes": (lambda d: d + record(CCS, b"\x01\x01"), ILLEGAL),
    "two hellos": (lambda d: d * 2, UNEXPECTED),
    "a byte too many":
        (lambda d: record(HANDSHAKE, d[5:] + b"x", d[1:3]), UNEXPECTED),
    "a record of 2^14+1": (lambda d: d[:3] + b"\x40\x01" + bytes(0x4001),
                           OVERFLOW),
    "a record of 2^16-1": (lambda d: d[:3] + b"\xff\xff" + bytes(0xffff),
                           OVERFLOW),
    "a record of 2^14+257 behind":
        (lambda d: d + record(DATA, bytes(SEALED_MAX + 1)), OVERFLOW),
    "a message of 2^24-1":
        (lambda d: record(HANDSHAKE, b"\x01\xff\xff\xff" + d[9:]), ILLEGAL),
    "a ServerHello": (lambda d: record(HANDSHAKE, b"\x02" + d[6:]),
                      UNEXPECTED),
    "data behind": (lambda d: d + record(DATA, b"x"), BAD_MAC),
    **{f"type {kind} behind":
       (lambda d, kind=kind: d + record(kind, b"x"), UNEXPECTED)
       for kind in (0, 19, 24, 99, 255)},
    **{f"an alert of {len(text)} bytes":
       (lambda d, text=text: d + record(ALERT, text), UNEXPECTED)
       for text in (b"", b"\x02", b"\x02\x28\x00", b"\x02\x28\x02\x28")},
    "5 user_canceled behind":
        (lambda d: d + record(ALERT, b"\x01\x5a") * 5, UNEXPECTED),
    "an alert inside": (lambda d: fragment(d, 100)[:105]
                        + record(ALERT, b"\x02\x28"), UNEXPECTED),
}


def altered(server, keylog, flight, alter, version=None):
    """A client, yet to handshake, one of whose flights will be altered."""
    return Client(server.address(PORTS[version or TLS1_3]), keylog, version,
                  lambda n, data: alter(data) if n == flight else data,
                  handshake=False)


@pytest.mark.parametrize("what", HELLO_GOOD)
def test_odd_hello(shared, keylog, what):
    """A hello that is odd, but allowed, and is refused."""
    accepted(shared, altered(shared, keylog, 0, HELLO_GOOD[what]), "server1")


@pytest.mark.parametrize("what", HELLO_BAD)
def test_bad_hello(shared, keylog, what):
    """A broken hello that crashes, hangs, or loses its alert to a reset."""
    alter, alert = HELLO_BAD[what]
    assert refusal(shared, altered(shared, keylog, 0, alter)) == alert
    assert_served(shared)


FLIGHT_GOOD = {
    "without CCS": lambda d: d[len(LEGACY_CCS):],
    "31 CCS more": lambda d: LEGACY_CCS * 31 + d,
}

FLIGHT_BAD = {
    "33 CCS more": (lambda d: LEGACY_CCS * 33 + d, UNEXPECTED),
    "10,000 CCS more": (lambda d: LEGACY_CCS * 10_000 + d, UNEXPECTED),
    "CCS behind Finished": (lambda d: d + LEGACY_CCS, UNEXPECTED),
    "a flipped bit": (lambda d: d[:-1] + bytes([d[-1] ^ 1]), BAD_MAC),
    "plain garbage behind":
        (lambda d: d + record(HANDSHAKE, b"x" * 50), UNEXPECTED),
    "garbage behind": (lambda d: d + b"x" * 50, VERSION),
    "NULs behind": (lambda d: d + bytes(50), VERSION),
}


@pytest.mark.parametrize("what", FLIGHT_GOOD)
def test_odd_flight(shared, keylog, what):
    """A client's second flight that is odd, but allowed, and is refused."""
    accepted(shared, altered(shared, keylog, 1, FLIGHT_GOOD[what]),
             "server1")


@pytest.mark.parametrize("what", FLIGHT_BAD)
def test_bad_flight(shared, keylog, what):
    """A broken second flight whose alert is lost, or that gets through."""
    alter, alert = FLIGHT_BAD[what]
    assert refusal(shared, altered(shared, keylog, 1, alter)) == alert
    assert_served(shared)


# What stands in the place of Finished, encrypted as that is

FINISHED_BAD = {
    "garbage in its record":
        (lambda k, f: k.seal(HANDSHAKE, f + b"x" * 10), UNEXPECTED),
    "KeyUpdate in its record":
        (lambda k, f: k.seal(HANDSHAKE, f + message(KEY_UPDATE, b"\0")),
         UNEXPECTED),
    "twice": (lambda k, f: k.seal(HANDSHAKE, f) + k.seal(HANDSHAKE, f),
              BAD_MAC),
    "of other bytes":
        (lambda k, f: k.seal(HANDSHAKE, f[:-1] + bytes([f[-1] ^ 1])),
         DECRYPT_ERROR),
    "short": (lambda k, f: k.seal(HANDSHAKE, message(FINISHED, f[4:-1])),
              DECODE_ERROR),
    "data": (lambda k, f: k.seal(DATA, b"x"), UNEXPECTED),
    "KeyUpdate": (lambda k, f: k.seal(HANDSHAKE, message(KEY_UPDATE, b"\0")),
                  UNEXPECTED),
    "a certificate": (lambda k, f: k.seal(HANDSHAKE, message(11, bytes(4))),
                      UNEXPECTED),
    "EndOfEarlyData": (lambda k, f: k.seal(HANDSHAKE, message(5, b"")),
                       UNEXPECTED),
    "nothing": (lambda k, f: k.seal(HANDSHAKE, b""), UNEXPECTED),
    "only padding": (lambda k, f: k.seal(None, b"", 100), UNEXPECTED),
}


def with_finished(server, keylog, make):
    """A client whose Finished is replaced by make(keys, Finished)."""
    def change(number, data):
        if number != 1:
            return data
        keys = stream.handshake_keys()
        _, finished = keys.open(data[len(LEGACY_CCS):])
        keys.count = 0
        return LEGACY_CCS + make(keys, finished)

    stream = Client(server.address("server1"), keylog, None, change,
                    handshake=False)
    return stream


def test_finished_in_fragments(shared, keylog):
    """A Finished that comes a byte a record, which TLS allows."""
    accepted(shared, with_finished(
        shared, keylog, lambda keys, finished: b"".join(
            keys.seal(HANDSHAKE, bytes([byte])) for byte in finished)),
        "server1")


@pytest.mark.parametrize("what", FINISHED_BAD)
def test_bad_finished(shared, keylog, what):
    """Something else that passes for Finished: nobody was authenticated."""
    make, alert = FINISHED_BAD[what]
    assert refusal(shared, with_finished(shared, keylog, make)) == alert
    assert_served(shared)


# Alerts from the client during the handshake


def told_off(server, stream):
    """The record of a client that is not heard any more."""
    with stream:
        try:
            stream.handshake()
            data = stream.recv_all()
            assert data == b"" or stream.tls.version() == "TLSv1.3", data
        except ssl.SSLError:
            pass
    noted = server.wait_connection(stream.local_port)
    # Who has left in good order may be answered by a reset if he talks on.
    assert stream.end != "reset" or noted["alert_received"] is None
    assert noted["handshake"] is False and noted["bytes_up"] == 0
    return noted["alert_received"], noted["alert_sent"], noted["end"]


@pytest.mark.parametrize("level, alert", [
    (1, 40), (2, 40), (3, 40), (0, 48), (2, 48), (1, 255), (255, 255),
    (2, 3)])
def test_alert_in_handshake(shared, keylog, level, alert):
    """An alert of odd level or number that is not told in the log."""
    stream = altered(shared, keylog, 0,
                     lambda d: d + record(ALERT, bytes([level, alert])))
    assert told_off(shared, stream) == (alert, None, "eof")
    assert_served(shared)


@pytest.mark.parametrize("level", [0, 1, 2, 255])
def test_close_notify_in_handshake(shared, keylog, level):
    """A client that leaves in good order, and is said to have refused."""
    stream = altered(shared, keylog, 0,
                     lambda d: d + record(ALERT, bytes([level, 0])))
    assert told_off(shared, stream) == (None, None, "eof")


@pytest.mark.parametrize("level, alert, expected", [
    (2, 40, (40, None, "eof")), (2, 0, (0, None, "eof")),
    (2, 90, (90, None, "eof")), (2, 255, (255, None, "eof")),
    (1, 0, (None, None, "eof")),
    (0, 0, (None, ILLEGAL, "refused")), (3, 40, (None, ILLEGAL, "refused")),
    (255, 255, (None, ILLEGAL, "refused"))])
def test_alert_in_handshake_1_2(shared, keylog, level, alert, expected):
    """TLS 1.2, where the level counts: our refusal noted as the client's."""
    stream = altered(shared, keylog, 0, lambda d: d
                     + record(ALERT, bytes([level, alert])), TLS1_2)
    assert told_off(shared, stream) == expected
    assert_served(shared, "tls12")


@pytest.mark.parametrize("alert", [40, 90, 255])
def test_warning_in_handshake_1_2(shared, keylog, alert):
    """A warning in TLS 1.2 that ends the handshake."""
    accepted(shared, altered(shared, keylog, 0, lambda d: d
                             + record(ALERT, bytes([1, alert])), TLS1_2),
             "tls12")


@pytest.mark.parametrize("encrypted", [True, False])
@pytest.mark.parametrize("level, alert", [(2, 48), (1, 42), (7, 200)])
def test_alert_for_finished(shared, keylog, encrypted, level, alert):
    """The alert of a client that refuses us, which is what we are for."""
    text = bytes([level, alert])
    stream = with_finished(
        shared, keylog, lambda keys, finished:
        keys.seal(ALERT, text) if encrypted else record(ALERT, text))
    assert told_off(shared, stream) == (alert, None, "eof")
