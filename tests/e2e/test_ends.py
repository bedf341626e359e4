"""Records of the rarer ends: the true cause, in the right words

SPDX-License-Identifier: MPL-2.0
"""

import os
import signal
import time

import pytest

import mapi
from streams import Raw, Tls, client_context, client_hello


def tls(server, port="forward", **options):
    return Tls(server.address(port), client_context(), "localhost", **options)


@pytest.mark.parametrize("port, options, words", [
    ("server1", ["--handshake-timeout", "0.3"], "handshake"),
    ("plain", ["--first-byte-timeout", "0.3"], "sent nothing"),
])
def test_timeout_of_one_who_stays(start, port, options, words):
    """A handshake timeout told as "idle" if the client does not close."""
    server = start(*options)
    with Raw(server.address(port)) as stream:
        record = server.wait_connection(stream.local_port)
    assert record["end"] == "timeout"
    assert words in record["message"]


def test_reset_behind_the_hello(start):
    """A ClientHello and a reset that are counted as a port scan."""
    server = start("--workers", "1")
    worker, = server.processes("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        stream = Raw(server.address("server1"))
        stream.send(client_hello())
        stream.reset()
    finally:
        os.kill(worker, signal.SIGCONT)
    record = server.wait_connection(stream.local_port)
    assert record["probe"] is False
    assert record["end"] == "reset" and record["first"] == "tls"
    assert record["tls"]["sni"] == "localhost"


@pytest.mark.parametrize("option", ["--first-byte-timeout", "--idle-timeout"])
@pytest.mark.parametrize("port", ["forward", "plain"])
def test_timeout_in_the_middle_is_no_end(start, backend, option, port):
    """Bytes dropped by a timer, and the rest sealed by a good-bye."""
    total = 32 << 20

    def handler(peer):
        peer.send(b"d" * total)
        peer.recv_all()

    target = backend(handler).target
    server = start(option, "0.5", "-f", f"0:{target}", "-b", target)
    stream = (Raw(server.address(port)) if port == "plain"
              else tls(server, port))
    with stream:
        time.sleep(1.2)             # timed out, and still lingering
        data = stream.recv_all()
        assert len(data) < total
        assert stream.end == ("reset" if port == "plain" else "eof")
        record = server.wait_connection(stream.local_port)
    assert record["end"] == "timeout"


@pytest.mark.parametrize("port", ["plain", "server1"])
def test_illegal_response_is_the_clients(shared, port):
    """A client's illegal message told as a failure of the backend."""
    blocks = b"".join(mapi.block(b"x" * 8000, False) for _ in range(60))
    stream = (Raw(shared.address(port)) if port == "plain"
              else tls(shared, port))
    with stream:
        mapi.read_message(stream)
        stream.send(blocks)
        assert stream.recv_all() == b""
        assert stream.end == ("eof" if port == "plain" else "close_notify")
        if port != "plain":
            stream.close_notify()
        stream.fin()
        record = shared.wait_connection(stream.local_port)
    assert record["end"] == ("eof" if port == "plain" else "close_notify")


@pytest.mark.parametrize("port, how, end", [
    ("plain", "fin", "eof"),
    ("plain", "reset", "reset"),
    ("forward", "close_notify", "close_notify"),
    ("forward", "fin", "eof"),
    ("forward", "reset", "reset"),
])
def test_end_after_the_backend_is_gone(start, backend, port, how, end):
    """An orderly end invented for a client that outlives its backend."""
    def handler(peer):
        peer.send(b"bye")

    target = backend(handler).target
    server = start("-f", f"0:{target}", "-b", target)
    stream = (Raw(server.address(port)) if port == "plain"
              else tls(server, port))
    with stream:
        assert stream.recv_all() == b"bye"
        for _ in range(3):
            stream.send(b"more")
            time.sleep(0.1)
        getattr(stream, how)()
        if how == "close_notify":
            stream.fin()
        record = server.wait_connection(stream.local_port)
    assert record["end"] == end
