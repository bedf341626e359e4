"""Server and client on different hosts: loss, delay, small packets, silence

SPDX-License-Identifier: MPL-2.0
"""

import random
import shutil
import threading
import time

import pytest

import backends
import mapi
import procfs
from server import SLOW, long_tier, scaled, wait_for
from streams import Raw, Tls, client_context, client_hello
from topology import CLIENT, SERVER, SERVER6, Delay, Topology

BOTH = pytest.mark.parametrize("address", [SERVER, SERVER6],
                               ids=["IPv4", "IPv6"])
PIECE = 1 << 14


@pytest.fixture
def hosts(make_network):
    return Topology(make_network)


@pytest.fixture
def echo_target(hosts):
    """HOST:PORT of an echo server on the server's host."""
    backend = hosts.server.run(lambda: backends.Backend(backends.echo))
    yield backend.target
    backend.close()


def connect(hosts, address, tls=True, **options):
    """A stream from the client's host."""
    if not tls:
        return hosts.client.run(lambda: Raw(address, **options))
    return hosts.client.run(
        lambda: Tls(address, client_context(), "localhost", **options))


def log_in(hosts, server, address, ports=("plain", "server1", "tls12")):
    for port in ports:
        with connect(hosts, (address, server.port(port)),
                     port != "plain") as stream:
            assert mapi.login(stream)[1] == mapi.sorry(port)


def exchange(stream, size):
    """Bulk through an echo: all that was sent comes back, in order."""
    data = random.Random(size).randbytes(PIECE)
    number = size // PIECE

    ahead = 8       # pieces under way: one thread sends and receives
    for at in range(number + ahead):
        if at < number:
            stream.send(data)
        if at >= ahead:
            assert stream.recv_exactly(PIECE) == data, at
    stream.close_notify()
    assert stream.recv_all() == b""
    assert stream.end == "close_notify"


def gone(server, port):
    """How a connection ended, and how long that took."""
    started = time.monotonic()
    row = wait_for(lambda: [one for one in server.connections()
                            if one["client_port"] == port], 30,
                   "the connection has ended")
    return row[0], time.monotonic() - started


@BOTH
def test_other_host(start, hosts, address):
    """A server that serves its own host only, or one family only."""
    server = hosts.start(start)
    log_in(hosts, server, address)


@long_tier
@BOTH
def test_loss(start, hosts, echo_target, address):
    """Packets that come late, twice or in another order: bytes lost."""
    if not shutil.which("iptables"):
        pytest.skip("needs iptables")
    server = hosts.start(start, "-f", f"0:{echo_target}")
    hosts.lose(0.02)
    for _ in range(scaled(3)):
        log_in(hosts, server, address)
    with connect(hosts, (address, server.port("forward"))) as stream:
        exchange(stream, scaled(8 << 20, 1 << 20))


@long_tier
def test_small_packets(start, hosts, echo_target):
    """A flight or a record that is expected to come in one packet."""
    server = hosts.start(start, "-f", f"0:{echo_target}")
    hosts.narrow(576)
    log_in(hosts, server, SERVER)
    with connect(hosts, (SERVER, server.port("forward"))) as stream:
        exchange(stream, scaled(8 << 20, 1 << 20))


@long_tier
def test_delay(start, hosts, echo_target):
    """Something that must be answered at once, or is said to have been."""
    server = hosts.start(start, "-f", f"0:{echo_target}")
    seconds = 0.05

    def through(port):
        return hosts.client.run(
            lambda: Delay((SERVER, server.port(port)), seconds))

    relays = {port: through(port) for port in ("server1", "forward")}
    try:
        with connect(hosts, relays["server1"].address) as stream:
            assert mapi.login(stream)[1] == mapi.sorry("server1")
        with connect(hosts, relays["forward"].address) as stream:
            exchange(stream, 1 << 19)
    finally:
        for relay in relays.values():
            relay.close()
    wait_for(lambda: len(server.connections()) == 2, 10, "both are over")
    for noted in server.connections():
        assert noted["seconds"]["handshake"] > 2 * seconds
        assert noted["seconds"]["total"] > 4 * seconds


# Resets

STATES = ["connected", "first byte", "half of the hello", "hello",
          "handshake", "half of the response", "response", "relay"]


def reach(hosts, server, state):
    """A stream from the client's host that is in this state."""
    early = STATES.index(state) < STATES.index("handshake")
    port = "forward" if state == "relay" else "server1"
    stream = connect(hosts, (SERVER, server.port(port)), not early)
    hello = client_hello()
    if state == "first byte":
        stream.send(hello[:1])
    elif state == "half of the hello":
        stream.send(hello[:len(hello) // 2])
    elif state == "hello":
        stream.send(hello)
        stream.recv_exactly(1)
    elif state == "half of the response":
        mapi.read_message(stream)
        stream.send(mapi.LOGIN[:7])
    elif state == "response":
        mapi.read_message(stream)
        stream.send(mapi.LOGIN)
    elif state == "relay":
        stream.send(bytes(1 << 20))
        stream.recv_exactly(1)
    return stream


@long_tier
@pytest.mark.parametrize("state", STATES)
def test_reset(start, hosts, echo_target, state):
    """An RST in some state: a process dies, a descriptor or session stays."""
    server = hosts.start(start, "-f", f"0:{echo_target}")
    worker, = server.processes("worker")
    before = procfs.descriptors(worker)
    processes = server.processes()
    streams = [reach(hosts, server, state) for _ in range(3)]
    for stream in streams:
        stream.reset()
    for stream in streams:
        noted, _ = gone(server, stream.local_port) if state != "connected" \
            else (None, 0)
        # The session may have been over already.
        assert noted is None or noted["end"] == "reset" or (
            state == "response" and noted["end"] in ("eof", "close_notify"))
    wait_for(lambda: procfs.descriptors(worker) <= before, 10,
             "all descriptors are closed")
    assert server.processes() == processes
    log_in(hosts, server, SERVER)


# A host that vanishes

BOUND = 5       # seconds: 1 of silence, four questions a second apart


@long_tier
@BOTH
def test_silent_host(start, hosts, echo_target, address):
    """An idle connection that stays for ever after its client's host."""
    server = hosts.start(start, "-f", f"0:{echo_target}", "--keepalive", "1",
                         "--stall-timeout", "1")
    with connect(hosts, (address, server.port("forward"))) as stream:
        stream.send(b"x")
        stream.recv_exactly(1)
        # The client's host answers: silence alone is no reason.
        time.sleep(BOUND / 2)
        stream.send(b"x")
        stream.recv_exactly(1)
        hosts.cut()
        noted, seconds = gone(server, stream.local_port)
    assert noted["end"] == "reset"
    assert "does not answer" in noted["message"]
    assert seconds > 1


def test_silent_host_with_unsent_bytes(start, hosts):
    """Unacknowledged bytes keep TCP from asking: 15 minutes until the end."""
    cut = threading.Event()

    def handler(peer):
        peer.recv_exactly(1)
        cut.wait(60)
        peer.send(b"y" * 1000)      # fits into the socket: nobody stalls
        peer.recv_all()

    backend = hosts.server.run(lambda: backends.Backend(handler))
    try:
        server = hosts.start(start, "-f", f"0:{backend.target}",
                             "--keepalive", "1", "--stall-timeout", "1")
        stream = connect(hosts, (SERVER, server.port("forward")))
        with stream:
            stream.send(b"x")
            wait_for(lambda: backend.peers, 10, "the backend has it")
            hosts.cut()
            cut.set()
            noted, seconds = gone(server, stream.local_port)
        assert noted["end"] == "reset"
        assert noted["bytes_down"] == 1000
    finally:
        cut.set()
        backend.close()


@long_tier
def test_silent_backend(start, hosts):
    """A client that waits for ever for a backend whose host is gone."""
    def handler(peer):
        peer.recv_exactly(1)
        peer.send(b"x")
        peer.recv_all()

    backend = hosts.client.run(lambda: backends.Backend(handler, CLIENT))
    try:
        server = hosts.start(start, "-f", f"0:{backend.target}",
                             "--keepalive", "1")
        stream = hosts.server.run(
            lambda: Tls((SERVER, server.port("forward")), client_context()))
        with stream:
            stream.send(b"x")
            stream.recv_exactly(1)
            hosts.cut()
            noted, _ = gone(server, stream.local_port)
            assert noted["end"] == "backend"
    finally:
        backend.close()


@long_tier
def test_silent_host_in_handshake(start, hosts):
    """A half-open handshake that only keepalive would end."""
    server = hosts.start(start, "--handshake-timeout", "1")
    with connect(hosts, (SERVER, server.port("server1")), False) as stream:
        stream.send(client_hello()[:100])
        hosts.cut()
        noted, seconds = gone(server, stream.local_port)
    assert noted["end"] == "timeout"
    assert seconds < 5 * SLOW
