"""The relay: every byte, both directions, and every way to end them

SPDX-License-Identifier: MPL-2.0
"""

import socket
import threading
import time

import pytest

import backends
import bulk
import mapi
import procfs
from server import SANITIZED, SLOW, scaled, wait_for
from streams import Raw, Tls, client_context

GIB = 1 << 30
MIB = 1 << 20


@pytest.fixture
def front(start, backend):
    """front(handler, OPTION...) -> a server with handler behind forward."""
    def begin(handler, *options):
        return start("-f", f"0:{backend(handler).target}", *options)
    return begin


def connect(server, **options):
    return Tls(server.address("forward"), client_context(), **options)


# Much data


@pytest.mark.parametrize("client, wait, backend_end", [
    ("close_notify", False, "after eof"),
    ("fin", False, "after eof"),
    ("both", False, "after sending"),
    ("both", True, "after sending"),
    ("fin", True, "after sending"),
], ids=["client first", "client first, truncated", "each when done",
        "backend first", "backend first, truncated"])
def test_gigabyte_both_ways(front, client, wait, backend_end):
    """A byte lost, doubled or swapped at any order of half-close."""
    size = scaled(GIB, 8 * MIB)
    handler = bulk.Duplex(size, backend_end)
    server = front(handler)
    with connect(server) as stream:
        exchange = bulk.Exchange(stream, size, client, wait)
        exchange.run(30 * SLOW)
        assert exchange.check.count == size
        assert stream.end == "close_notify"
        if client != "close_notify":
            assert stream.socket_end() == "eof"
        local = stream.local_port
    assert handler.eof.wait(20) and handler.check.count == size
    record = server.wait_connection(local)
    assert record["bytes_up"] == size
    assert record["bytes_down"] == size
    assert record["end"] == ("eof" if client == "fin" else "close_notify")


def test_echo(front):
    """Data that waits for data of the other direction."""
    size = scaled(256 * MIB, 4 * MIB)
    server = front(backends.echo)
    with connect(server) as stream:
        exchange = bulk.Exchange(stream, size, "close_notify",
                                 expected=bulk.UP)
        exchange.run(30 * SLOW)
        assert exchange.check.count == size


def test_ping_pong(front):
    """Nagle's algorithm on either side: 40 ms for each small reply."""
    server = front(backends.echo)
    with connect(server) as stream:
        started = time.monotonic()
        for _ in range(300):
            stream.send(b"a")
            stream.send(b"b")
            assert stream.recv_exactly(2) == b"ab"
        assert time.monotonic() - started < 3 * SLOW


def test_many_sizes(front):
    """A size of write that falls between two buffers."""
    server = front(backends.echo)
    with connect(server) as stream:
        for size in (1, 2, 255, 4095, 4096, 4097, 16383, 16384, 16385,
                     32767, 32768, 65535, 65536, 65537, 131072, 200_001):
            data = bytes(bulk.UP[:size])
            stream.send(data)
            assert stream.recv_exactly(size) == data


# Half-close


def end_stream(stream, how):
    if how in ("close_notify", "both"):
        stream.close_notify()
    if how in ("fin", "both"):
        stream.fin()


@pytest.mark.parametrize("size", [1, 1000, 100_000])
def test_close_notify_right_behind_data(front, size):
    """An end that arrives in one segment with the last data, and is lost."""
    server = front(backends.echo)
    for _ in range(30):
        with connect(server) as stream:
            stream.sock.settimeout(3 * SLOW)
            stream.tls.write(b"x" * size)
            stream.close_notify()   # one send() for both
            assert len(stream.recv_all()) == size
            assert stream.end == "close_notify"


@pytest.mark.parametrize("how", ["close_notify", "fin", "both"])
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_reply_after_the_clients_end(front, how, size):
    """A reply lost because the client had nothing more to say."""
    def handler(peer):
        data = peer.recv_all()
        assert peer.end == "eof"
        time.sleep(0.2)             # so that it is not on its way already
        peer.send(b"got %d;" % len(data) + b"y" * 300_000)

    server = front(handler)
    with connect(server) as stream:
        stream.send(b"x" * size)
        end_stream(stream, how)
        reply = stream.recv_all()
        assert reply == b"got %d;" % size + b"y" * 300_000
        assert stream.end == "close_notify"
        local = stream.local_port
    record = server.wait_connection(local)
    assert record["end"] == ("eof" if how == "fin" else "close_notify")
    assert record["alert_sent"] is None


@pytest.mark.parametrize("how", ["close_notify", "fin", "both"])
def test_client_goes_on_after_the_backends_end(front, how):
    """A client that is cut off because the backend has nothing to say."""
    received = []
    over = threading.Event()

    def handler(peer):
        peer.send(b"bye")
        peer.fin()
        received.append(peer.recv_all())
        over.set()

    server = front(handler)
    with connect(server) as stream:
        assert stream.recv_all() == b"bye"
        assert stream.end == "close_notify"
        for _ in range(10):
            stream.send(b"z" * 50_000)
        assert not over.is_set()
        end_stream(stream, how)
        assert over.wait(10 * SLOW)
    assert received == [b"z" * 500_000]


def test_half_close_on_plain(start, backend):
    """FIN on a plain port that ends both directions."""
    def handler(peer):
        peer.send(b"%d" % len(peer.recv_all()))
        peer.fin()

    server = start("-b", backend(handler).target)
    with Raw(server.address("plain")) as stream:
        stream.send(b"x" * 1000)
        stream.fin()
        assert stream.recv_all() == b"1000"
        assert stream.end == "eof"


def test_close_notify_without_answer(front):
    """A connection that stays for ever because nobody closes the socket."""
    server = front(backends.echo, "--half-closed-timeout", "0.5")
    with connect(server) as stream:
        stream.send(b"x")
        stream.close_notify()
        assert stream.recv_all() == b"x"
        assert stream.end == "close_notify"
        assert stream.socket_end() == "eof"


# Backpressure and timers


def sends_without_end(peer):
    data = bytes(bulk.DOWN[:bulk.PERIOD])
    while True:
        peer.send(data)


def fill(stream, patience=0.5):
    """Send until nothing is taken any more; returns the bytes sent."""
    stream.sock.settimeout(patience * SLOW)
    sent = 0
    try:
        while True:
            stream.send(b"f" * (1 << 16))
            sent += 1 << 16
    except TimeoutError:
        return sent


def workers_memory(server):
    return sum(map(procfs.pss, server.processes("worker")))


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's memory, not ours")
def test_memory_of_senders(front):
    """Relayed data that piles up for a peer that does not read."""
    server = front(backends.echo, "--workers", "1")
    with connect(server) as stream:
        stream.send(b"x")
        stream.recv_exactly(1)
    before = workers_memory(server)
    streams = [connect(server) for _ in range(16)]
    try:
        sent = []
        threads = [threading.Thread(target=lambda s=s: sent.append(fill(s)))
                   for s in streams]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # They were stopped, not served: there are eight kernel buffers on the
        # way, each of which may grow to 32 MB.
        assert len(sent) == 16 and max(sent) < 256 * MIB
        assert workers_memory(server) - before < 16 * 512 * 1024
    finally:
        for stream in streams:
            stream.close()


@pytest.mark.parametrize("how", ["close", "reset"])
def test_client_gone_behind_full_buffers(front, how):
    """A dead client that is kept because its last bytes find no room."""
    server = front(backends.echo)
    for _ in range(3):
        stream = connect(server)
        fill(stream)                # the echo server now waits for us
        getattr(stream, how)()      # an RST: there are unread bytes
        record = server.wait_connection(stream.local_port, seconds=5)
        assert record["end"] == "reset"


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's memory, not ours")
def test_memory_of_idle_connections(front):
    """Buffers that a connection keeps while they hold nothing."""
    server = front(backends.echo, "--workers", "1")
    streams = []
    try:
        for _ in range(10):
            streams.append(connect(server))
            streams[-1].send(b"x" * 50_000)
            streams[-1].recv_exactly(50_000)
        before = workers_memory(server)
        for _ in range(200):
            streams.append(connect(server))
            streams[-1].send(b"x" * 50_000)
            streams[-1].recv_exactly(50_000)
        each = (workers_memory(server) - before) / 200
        assert each < 48 * 1024, f"{each} bytes for an idle connection"
    finally:
        for stream in streams:
            stream.close()


def test_stall_timer(front):
    """A client that reads nothing and keeps the backend for ever."""
    server = front(sends_without_end, "--stall-timeout", "1",
                   "--first-byte-timeout", "0")
    with connect(server, receive_buffer=1 << 16) as stream:
        started = time.monotonic()
        record = server.wait_connection(stream.local_port, seconds=10)
        assert record["end"] == "timeout"
        assert 0.9 < time.monotonic() - started < 5 * SLOW


def test_stall_timer_spares_slow_readers(front):
    """A slow client that is taken for one that has stopped."""
    server = front(sends_without_end, "--stall-timeout", "1.5",
                   "--first-byte-timeout", "0")
    with connect(server) as stream:
        until = time.monotonic() + 4
        count = 0
        while time.monotonic() < until:
            count += len(stream.recv_exactly(MIB))
            time.sleep(0.15)        # this is what slow means
        assert count > 4 * MIB / SLOW
        local = stream.local_port
        stream.reset()
    assert server.wait_connection(local)["end"] != "timeout"


def test_first_byte_timer(front):
    """A client that never writes and keeps the backend for ever."""
    server = front(backends.echo, "--first-byte-timeout", "0.5")
    with connect(server) as silent, connect(server) as talking:
        talking.send(b"x")          # over for good by one byte
        started = time.monotonic()
        assert silent.recv_all() == b""
        assert 0.3 < time.monotonic() - started < 3 * SLOW
        record = server.wait_connection(silent.local_port)
        assert record["end"] == "timeout" and record["bytes_up"] == 0
        assert talking.recv_exactly(1) == b"x"
        talking.send(b"y")
        assert talking.recv_exactly(1) == b"y"


def test_idle_timer(front):
    """--idle-timeout that cuts a busy connection, or none at all."""
    server = front(backends.echo, "--idle-timeout", "1")
    with connect(server) as idle, connect(server) as busy:
        idle.send(b"x")
        for _ in range(10):         # longer than the timeout
            busy.send(b"y")
            assert busy.recv_exactly(1) == b"y"
            time.sleep(0.2)
        assert idle.recv_all() == b"x"
        assert server.wait_connection(idle.local_port)["end"] == "timeout"


def test_no_idle_timer(front):
    """An idle connection that is dropped by a timer it is not subject to."""
    server = front(backends.echo, "--handshake-timeout", "0.4",
                   "--first-byte-timeout", "0.4", "--stall-timeout", "0.4",
                   "--half-closed-timeout", "0.4", "--connect-timeout", "0.4")
    with connect(server) as stream:
        stream.send(b"x")
        assert stream.recv_exactly(1) == b"x"
        time.sleep(1.5)             # nothing to wait for: nothing happens
        stream.send(b"y")
        assert stream.recv_exactly(1) == b"y"


# Resets and missing backends


@pytest.mark.parametrize("busy", [False, True])
def test_client_resets(front, busy):
    """An RST that the backend never hears of, or that is logged as a FIN."""
    over = threading.Event()

    def handler(peer):
        try:
            if busy:
                sends_without_end(peer)
            peer.recv_all()
        finally:
            over.set()

    server = front(handler)
    stream = connect(server)
    stream.send(b"x")
    if busy:
        stream.recv_exactly(100_000)
    stream.reset()
    assert over.wait(5 * SLOW)
    assert server.wait_connection(stream.local_port)["end"] == "reset"


@pytest.mark.parametrize("sent", [0, 100_000])
def test_backend_resets(front, sent):
    """A backend's RST that looks to the client like a good end."""
    def handler(peer):
        peer.recv_exactly(1)
        peer.send(b"d" * sent)
        peer.recv_exactly(1)        # the client has it all
        peer.reset()

    server = front(handler)
    with connect(server) as stream:
        stream.send(b"x")
        assert stream.recv_exactly(sent) == b"d" * sent
        stream.send(b"x")
        assert stream.recv_all() == b""
        assert stream.end in ("eof", "reset")
        record = server.wait_connection(stream.local_port)
    assert record["end"] == "backend"


def test_backend_not_there(start):
    """A client that hangs because nobody listens behind us."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    server = start("-f", f"0:127.0.0.1:{port}")
    with connect(server) as stream:
        stream.send(mapi.LOGIN)
        started = time.monotonic()
        stream.recv_all()
        assert time.monotonic() - started < 5 * SLOW
        record = server.wait_connection(stream.local_port)
    assert record["end"] == "backend"


def test_backend_comes_back(start, backend):
    """An address that is given up after one failure."""
    # Bound, but not listening: refused, and nobody else's meanwhile.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = start("-f", f"0:127.0.0.1:{listener.getsockname()[1]}")
        with connect(server) as stream:
            stream.send(mapi.LOGIN)
            stream.recv_all()
        listener.listen()
        with connect(server) as stream:
            peer, _ = listener.accept()
            with peer:
                peer.sendall(b"hello")
                assert stream.recv_exactly(5) == b"hello"


def test_nothing_is_added(front):
    """A PROXY header, or any other byte, before a foreign backend."""
    seen = []

    def handler(peer):
        seen.append(peer.recv_exactly(5))
        peer.fin()

    server = front(handler)
    with connect(server) as stream:
        stream.send(b"hello")
        assert stream.recv_all() == b""
    assert seen == [b"hello"]
