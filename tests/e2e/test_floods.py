"""KeyUpdates and half-open handshakes in great numbers

SPDX-License-Identifier: MPL-2.0
"""

import random
import socket
import threading

import pytest

import backends
import procfs
from load import Load
from records import ALERT, DATA, Client, unread
from server import SANITIZED, long_tier, scaled, wait_for
from streams import Raw, client_hello
from verdicts import assert_served

# KeyUpdate

@pytest.mark.parametrize("request_back", [0, 1])
def test_key_update_flood(start, backend, keylog, request_back):
    """10,000 KeyUpdates that grow the memory or keep others waiting."""
    server = start("-f", f"0:{backend(backends.echo).target}", "-n",
                   "localhost", "--workers", "1")
    worker, = server.processes("worker")

    def flood(number):
        with Client(server.address("forward"), keylog) as stream:
            keys = stream.keys()
            for _ in range(10):
                stream.sock.sendall(b"".join(
                    keys.key_update(request_back)
                    for _ in range(number // 10)) + keys.seal(DATA, b"x"))
                assert stream.recv_exactly(1) == b"x"

    flood(1000)
    before = procfs.pss(worker)
    with Load(server, ("plain", "server1"), threads=2) as others:
        flood(scaled(10_000, 1000))
        wait_for(lambda: others.done > 5, 20, "others are served")
    assert others.failures == []
    if not SANITIZED:
        assert procfs.pss(worker) - before < 1 << 20


@pytest.mark.parametrize("request_back", [0, 1])
def test_key_updates_in_bulk(start, backend, keylog, request_back):
    """New keys in the middle of much data, both ways: bytes lost."""
    server = start("-f", f"0:{backend(backends.echo).target}")
    size, piece = scaled(16 << 20, 1 << 20), 16384
    data = random.Random(2).randbytes(piece)
    with Client(server.address("forward"), keylog) as stream:
        keys = stream.keys()

        def send():
            for at in range(size // piece):
                sealed = keys.seal(DATA, data)
                if at % 3 == 0:
                    sealed += keys.key_update(request_back)
                stream.sock.sendall(sealed)
            stream.sock.sendall(keys.seal(ALERT, b"\x01\x00"))

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(size // piece):
            assert stream.recv_exactly(piece) == data
        assert stream.recv_all() == b""
        assert stream.end == "close_notify"
        sender.join()
    noted = server.wait_connection(stream.local_port)
    assert noted["bytes_up"] == noted["bytes_down"] == size
    assert noted["end"] == "close_notify"


def test_key_updates_unanswered(start, backend, keylog):
    """Answers to KeyUpdates that pile up for a client that never reads."""
    server = start("-f", f"0:{backend(backends.echo).target}",
                   "--workers", "1", "--stall-timeout", "1")
    worker, = server.processes("worker")
    before = procfs.pss(worker)
    stream = Client(server.address("forward"), keylog, receive_buffer=4096)
    with stream:
        keys = stream.keys()
        stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while True:             # until the stall timer ends it
                stream.sock.sendall(b"".join(keys.key_update(1)
                                             for _ in range(500)))
                if not SANITIZED:
                    assert procfs.pss(worker) - before < 2 << 20
        noted = server.wait_connection(stream.local_port)
        assert noted["end"] == "timeout"


# Half-open


@pytest.mark.parametrize("most, seconds", [
    (5000, 8),
    pytest.param(19_000, 45, marks=long_tier)])     # of 20,000 open files
def test_half_open(start, most, seconds):
    """Handshakes never completed: memory, descriptors, or nobody served."""
    number = scaled(most)
    server = start("-n", "localhost", "--workers", "4",
                   "--handshake-timeout", str(seconds))
    hello = client_hello()

    def usage():
        return {pid: (procfs.descriptors(pid), procfs.pss(pid))
                for pid in server.processes("worker")}

    def row():
        return server.api("/api/status")["ports"]["server1"]

    def memory_of(first, step, data):
        """Bytes for each of every step-th connection, which sends data."""
        before = usage()
        for at in range(first, number, step):
            stream = Raw(server.address("server1"))
            streams.append(stream)
            stream.send(data(at))
        wait_for(lambda: row()["active"] >= len(streams) * 0.99
                 and unread(server.port("server1")) == 0, seconds,
                 "all at once")
        return sum(now[1] - before[pid][1]
                   for pid, now in usage().items()) / (number // step)

    streams = []
    before = usage()
    try:
        silent = memory_of(0, 2, lambda at: b"")
        begun = memory_of(1, 2, lambda at: hello if at % 20 == 1
                          else hello[:1 + at % (len(hello) - 1)])
        if not SANITIZED:
            assert silent < 16 << 10 and begun < 64 << 10, (silent, begun)
        assert_served(server, "server2")
        assert_served(server, "plain")
        wait_for(lambda: row()["active"] == 0, seconds + 10,
                 "all are cut")
        ended = row()["ended"]
        assert ended["timeout"] == len(streams), ended
        for stream in streams[::100]:
            stream.recv_all()
            assert stream.end == "eof"
    finally:
        for stream in streams:
            stream.close()
    wait_for(lambda: all(now[0] <= before[pid][0]
                         for pid, now in usage().items()),
             10, "no descriptor is left")
    assert usage().keys() == before.keys()
    assert_served(server)
