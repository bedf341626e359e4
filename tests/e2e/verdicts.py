"""verdicts.py - what a server made of a records.Client

SPDX-License-Identifier: MPL-2.0
"""

import ssl

import pytest

import mapi
from load import login_once
from records import TLS1_2, TLS1_3, Client
from streams import client_context

UNEXPECTED, BAD_MAC, OVERFLOW, ILLEGAL = 10, 20, 22, 47
DECODE_ERROR, DECRYPT_ERROR, VERSION, INTERNAL = 50, 51, 70, 80
REASONS = {
    "SSLV3_ALERT_UNEXPECTED_MESSAGE": UNEXPECTED,
    "SSLV3_ALERT_BAD_RECORD_MAC": BAD_MAC,
    "TLSV1_ALERT_RECORD_OVERFLOW": OVERFLOW,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": 40,
    "SSLV3_ALERT_ILLEGAL_PARAMETER": ILLEGAL,
    "TLSV1_ALERT_DECODE_ERROR": DECODE_ERROR,
    "TLSV1_ALERT_DECRYPT_ERROR": DECRYPT_ERROR,
    "TLSV1_ALERT_PROTOCOL_VERSION": VERSION,
    "TLSV1_ALERT_INTERNAL_ERROR": INTERNAL,
}
PORTS = {TLS1_3: "server1", TLS1_2: "tls12"}
SEALED_MAX = (1 << 14) + 256        # bytes of an encrypted record


def assert_served(server, port="server1"):
    """A good client gets what it came for."""
    login_once(server, port, client_context())


def refusal(server, stream):
    """The alert that ends the stream, which must not end by a reset."""
    with stream:
        with pytest.raises(ssl.SSLError) as caught:
            stream.handshake()
            data = stream.recv_all()
            raise AssertionError(f"not refused: {data!r}, {stream.end}")
        assert caught.value.reason in REASONS, (caught.value, stream.end)
        assert stream.end != "reset"
        assert stream.socket_end() == "eof"
    alert = REASONS[caught.value.reason]
    noted = server.wait_connection(stream.local_port, end="refused")
    assert noted["alert_sent"] == alert
    assert noted["alert_received"] is None
    assert noted["bytes_up"] == 0
    return alert


def accepted(server, stream, port):
    """The stream logs in; bytes come through as they were sent."""
    with stream:
        stream.handshake()
        assert mapi.login(stream)[1] == mapi.sorry(port)
    noted = server.wait_connection(stream.local_port)
    assert noted["alert_sent"] is None and noted["alert_received"] is None
    assert noted["bytes_up"] == len(mapi.LOGIN)


def established(server, keylog, version=None, port=None):
    """A client that has read the challenge, and its keys."""
    stream = Client(server.address(port or PORTS[version or TLS1_3]), keylog,
                    version)
    mapi.read_message(stream)
    return stream, stream.keys()
