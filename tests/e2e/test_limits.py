"""Limits: at, below and above each, and room again afterwards

SPDX-License-Identifier: MPL-2.0
"""

import http.client
import json
import os
import select
import signal

import pytest

import mapi
from fronts import connect, exchange, front, proxy_header
from server import long_tier, wait_for
from streams import TIMEOUT, Raw, client_hello

BALANCER = "127.0.0.1"


def row(server, name):
    return server.api("/api/status")["ports"][name]


def reached(server, name, limit):
    return row(server, name)["limits"][limit]["reached"]


def turned_away(stream):
    """Closed at once: by FIN, or by RST if bytes were on their way."""
    with stream:
        assert stream.recv() == b"", "served"


class Places:
    """Connections that are held, to a plain port with an echo."""

    def __init__(self, server):
        self.server = server
        self.held = []

    def take(self, name, number=1, **options):
        for _ in range(number):
            stream = Raw(self.server.address(name), **options)
            self.held.append(stream)
            exchange(stream)

    def refuse(self, name, **options):
        turned_away(Raw(self.server.address(name), **options))

    def leave(self, number=1):
        """The last ones close, and are known to have closed."""
        for _ in range(number):
            stream = self.held.pop()
            stream.close()
            self.server.wait_connection(stream.local_port)

    def close(self):
        for stream in self.held:
            stream.close()


@pytest.fixture
def places():
    made = []

    def begin(server):
        made.append(Places(server))
        return made[-1]

    yield begin
    for one in made:
        one.close()


# Connections


def test_connections_of_a_port(configured, places, echo):
    """More than the limit, fewer, or a place that stays taken."""
    server = configured(front("a", None, echo, limits={"connections": 5}),
                        front("b", None, echo), options=["--workers", "2"])
    crowd = places(server)
    crowd.take("a", 5)
    assert reached(server, "a", "connections") == 0
    for _ in range(7):
        crowd.refuse("a")
    now = row(server, "a")
    assert now["active"] == 5
    assert now["limits"]["connections"] == {"limit": 5, "reached": 7}
    for _ in range(3):
        crowd.leave(2)
        crowd.take("a", 2)
        crowd.refuse("a")
    crowd.take("b", 10)
    assert reached(server, "a", "connections") == 10
    assert reached(server, "b", "connections") == 0
    crowd.leave(15)
    wait_for(lambda: row(server, "a")["active"] == 0, 5, "all have left")
    # Those turned away are no records: the port's counters have them.
    assert len([r for r in server.connections() if r["port"] == "a"]) == 11


def test_connections_of_all_ports(configured, places, echo):
    """A limit of all that each port, or each worker, has for itself."""
    server = configured(
        front("a", None, echo), front("b", None, echo,
                                      limits={"connections": 2}),
        root={"limits": {"connections": 6}}, options=["--workers", "2"])
    crowd = places(server)
    crowd.take("a", 4)
    crowd.take("b", 2)
    crowd.refuse("a")
    crowd.refuse("b")               # its own limit is looked at first
    limits = server.api("/api/status")["limits"]["configured"]
    assert limits["active"] == 6
    assert limits["connections"] == {"limit": 6, "reached": 1}
    assert reached(server, "b", "connections") == 1
    crowd.leave(2)
    crowd.take("a", 2)
    crowd.refuse("a")
    crowd.refuse("b")
    with Raw(server.address("plain")) as stream:    # nothing to do with it
        mapi.read_message(stream)


# Clients


def test_connections_of_a_client(configured, places, echo):
    """Clients that count together, or one that counts in each worker."""
    server = configured(
        front("a", None, echo, listen=["127.0.0.1:0", "[::1]:0"],
              limits={"connections_per_client": 3}),
        options=["--workers", "2"])
    crowd = places(server)
    for source in ("127.0.0.1", "127.0.0.2"):
        crowd.take("a", 3, source=source)
        crowd.refuse("a", source=source)
    server.host = "::1"
    six = ("::1", server.port("a"))
    for _ in range(3):
        stream = Raw(six)
        crowd.held.append(stream)
        exchange(stream)
    turned_away(Raw(six))
    server.host = "127.0.0.1"
    limit = row(server, "a")["limits"]["connections_per_client"]
    assert limit == {"limit": 3, "reached": 3}
    assert row(server, "a")["active"] == 9
    crowd.leave(3)                  # of ::1
    crowd.refuse("a", source="127.0.0.1")
    crowd.leave(2)                  # of 127.0.0.2
    crowd.take("a", 2, source="127.0.0.2")
    crowd.refuse("a", source="127.0.0.2")


def test_client_on_all_ports(configured, places, echo):
    """A client's connections in all, counted by port."""
    server = configured(
        front("a", None, echo, limits={"connections_per_client": 2}),
        front("b", None, echo), root={"limits": {"connections_per_client": 3}},
        options=["--workers", "2"])
    crowd = places(server)
    crowd.take("a", 2)
    crowd.refuse("a")
    crowd.take("b")
    for port in ("b", "a", "b"):
        crowd.refuse(port)
    crowd.take("b", 3, source="127.0.0.3")
    crowd.leave(3)
    crowd.leave()                   # b's
    crowd.take("b")
    crowd.refuse("b")
    assert reached(server, "a", "connections_per_client") == 2
    status = server.api("/api/status")["limits"]["configured"]
    assert status["connections_per_client"] == 3


def test_client_behind_a_balancer(configured, places, echo):
    """A load balancer counted as the client, or clients that share."""
    server = configured(front(
        "a", None, echo, accept_proxy=[BALANCER],
        limits={"connections_per_client": 2}), options=["--workers", "2"])
    held = []

    def come(client):
        stream = Raw(server.address("a"))
        stream.send(proxy_header((client, 4711)) + b"x")
        return stream

    for client in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "127.0.0.1"):
        for _ in range(2):
            held.append(come(client))
            assert held[-1].recv_exactly(1) == b"x"
        turned_away(come(client))
    for stream in held[:2]:
        stream.close()
    wait_for(lambda: row(server, "a")["active"] == 6, 5, "two have left")
    held.append(come("192.0.2.1"))
    assert held[-1].recv_exactly(1) == b"x"
    for stream in held:
        stream.close()


# Handshakes


def handshakes(server, name):
    """How many connections the workers have accepted."""
    return row(server, name)["accepted"]


def test_handshakes_of_a_port(configured, pki, echo):
    """Handshakes beyond the limit that are refused, or never served."""
    server = configured(
        front("a", pki, echo, limits={"handshakes": 4}), front("b", pki, echo),
        options=["--workers", "1"])
    pending = [Raw(server.address("a")) for _ in range(3)]
    pending[0].send(client_hello()[:20])
    wait_for(lambda: handshakes(server, "a") == 3, 5, "three are accepted")
    with connect(server, "a") as stream:        # the fourth
        exchange(stream)
        pending.append(Raw(server.address("a")))
        wait_for(lambda: handshakes(server, "a") == 5, 5, "the next fourth")
        late = connect(server, "a", handshake=False)
        later = connect(server, "a", handshake=False)
        exchange(stream)            # who is in is served
        with connect(server, "b") as other:
            exchange(other)
        assert handshakes(server, "a") == 5, "the surplus waits"
        pending.pop(0).close()
        with late, later:           # one place will do for both
            for one in (late, later):
                one.handshake()
                exchange(one)
    assert reached(server, "a", "handshakes") >= 1
    assert handshakes(server, "a") == 7
    for stream in pending:
        stream.close()


def test_handshakes_that_time_out(configured, pki, echo):
    """A queue that never moves when all handshakes hang."""
    server = configured(
        front("a", pki, echo, limits={"handshakes": 2},
              timers={"handshake": 0.3}), options=["--workers", "1"])
    pending = [Raw(server.address("a")) for _ in range(2)]
    with connect(server, "a") as stream:
        exchange(stream)
    for one in pending:
        assert server.wait_connection(one.local_port)["end"] == "timeout"
        one.close()


def test_handshakes_of_all_ports(configured, pki, echo):
    """A worker's limit that one port does not keep to, or waits for."""
    server = configured(
        front("a", pki, echo), front("b", pki, echo),
        front("clear", None, echo), root={"limits": {"handshakes": 2}},
        options=["--workers", "1"])
    pending = [Raw(server.address(name)) for name in ("a", "b")]
    for name in ("a", "b"):
        wait_for(lambda: handshakes(server, name) == 1, 5, "accepted")
    late = [connect(server, name, handshake=False) for name in ("a", "b")]
    assert handshakes(server, "a") + handshakes(server, "b") == 2
    for stream in late:
        stream.say_hello()
    pending.pop().close()
    while late:                     # whoever has its turn
        ready = select.select([one.sock for one in late], [], [], TIMEOUT)[0]
        assert ready
        stream, = (one for one in late if one.sock is ready[0])
        late.remove(stream)
        with stream:
            stream.handshake()
            exchange(stream)
    pending.pop().close()


def test_headers_count_as_handshakes(configured, echo):
    """A load balancer's silent connections that nothing bounds."""
    server = configured(front("a", None, echo, accept_proxy=[BALANCER],
                              limits={"handshakes": 2}),
                        options=["--workers", "1"])
    pending = [Raw(server.address("a")) for _ in range(2)]
    wait_for(lambda: handshakes(server, "a") == 2, 5, "accepted")
    with Raw(server.address("a")) as late:
        late.send(proxy_header(("192.0.2.1", 1)) + b"x")
        assert handshakes(server, "a") == 2
        pending[0].send(proxy_header(("192.0.2.2", 1)) + b"y")
        assert pending[0].recv_exactly(1) == b"y"
        assert late.recv_exactly(1) == b"x"
    for stream in pending:
        stream.close()


# Test ports, by options


def test_options(start, backend):
    """Options that limit nothing, or a port's own share."""
    server = start("--limit-connections", "4", "--limit-per-client", "3",
                   "--workers", "2")
    held = []

    def take(name, **options):
        held.append(Raw(server.address(name), **options))
        mapi.read_message(held[-1])

    take("plain")
    take("plain")
    take("plain")
    turned_away(Raw(server.address("plain")))
    turned_away(Raw(server.address("server1")))
    take("plain", source="127.0.0.2")
    turned_away(Raw(server.address("plain"), source="127.0.0.3"))
    status = server.api("/api/status")["limits"]["test"]
    assert status["active"] == 4
    assert status["connections"] == {"limit": 4, "reached": 1}
    assert status["connections_per_client"] == 3
    for stream in held:
        stream.close()
    held.clear()
    wait_for(lambda: row(server, "plain")["active"] == 0, 5, "all have left")
    take("plain")
    held[0].close()


def test_option_for_handshakes(start):
    """--limit-handshakes that limits nothing."""
    server = start("--limit-handshakes", "2", "--workers", "1")
    pending = [Raw(server.address("server1")) for _ in range(2)]
    wait_for(lambda: handshakes(server, "server1") == 2, 5, "accepted")
    late = connect(server, "server1", handshake=False)
    with Raw(server.address("plain")) as plain:
        with late:
            assert handshakes(server, "server1") == 2
            pending.pop().close()
            late.handshake()
            mapi.login(late)
        mapi.login(plain)
    pending.pop().close()


# Workers that die


def test_killed_worker_gives_back(configured, places, echo):
    """Places that a worker's death leaves taken."""
    server = configured(
        front("a", None, echo, limits={"connections": 4,
                                       "connections_per_client": 4}),
        root={"limits": {"connections": 4, "connections_per_client": 4}},
        options=["--workers", "2"])
    crowd = places(server)
    for _ in range(2):
        crowd.take("a", 4)
        crowd.refuse("a")
        for worker in server.api("/api/status")["processes"]:
            if worker["crew"] == "configured":
                os.kill(worker["pid"], signal.SIGKILL)
        crowd.close()
        crowd.held.clear()
        wait_for(lambda: row(server, "a")["active"] == 0
                 and server.api("/api/status")["limits"]["configured"][
                     "active"] == 0, 10, "nobody is there any more")
    crowd.take("a", 4)
    crowd.refuse("a")
    assert reached(server, "a", "connections") == 3


# The log


def test_one_line_in_an_interval(configured, places, echo):
    """A log that a flood fills, or that says nothing of it."""
    server = configured(front("a", None, echo, limits={"connections": 1}),
                        front("b", None, echo,
                              limits={"connections_per_client": 1}),
                        options=["--workers", "2"])
    crowd = places(server)
    for name, what in (("a", "connections to this port are open"),
                       ("b", "connections of one client are open")):
        crowd.take(name)
        for _ in range(50):
            crowd.refuse(name)
        said = [line for line in server.log() if what in line]
        assert len(said) == 1, said
        assert f"port '{name}': limit reached: 1 " in said[0]
        assert '"level":"warning"' in said[0]


# HTTP


def server_http(server, source):
    """limits.http of the status, asked for from another address."""
    connection = http.client.HTTPConnection(
        server.host, server.base, timeout=20, source_address=(source, 0))
    try:
        connection.request("GET", "/api/status")
        return json.loads(connection.getresponse().read())["limits"]["http"]
    finally:
        connection.close()


def ask(server, source=None):
    """A request that is complete but for its last line."""
    stream = Raw((server.host, server.base), source=source)
    stream.send(b"GET /api/status HTTP/1.1\r\nHost: x\r\n")
    return stream


def test_http(start):
    """One client that keeps all others from the status page."""
    server = start("--limit-http", "8", "--workers", "1")
    wait_for(lambda: server_http(server, "127.0.0.2")["active"] == 1, 5,
             "whoever asked for the ports has left")
    held = [ask(server) for _ in range(6)]          # three quarters
    wait_for(lambda: server_http(server, "127.0.0.2")["active"] == 7, 5,
             "all are in")
    turned_away(ask(server))
    now = server_http(server, "127.0.0.2")
    assert now["refused"] == 1
    assert now["connections"]["limit"] == 8
    held.append(ask(server, "127.0.0.2"))
    held.append(ask(server, "127.0.0.3"))
    late = ask(server, "127.0.0.4")                 # waits
    late.send(b"\r\n")
    held.pop(0).close()
    assert late.recv(12) == b"HTTP/1.1 200"
    late.close()
    for stream in held:
        stream.send(b"\r\n")
        assert stream.recv(12) == b"HTTP/1.1 200"
        stream.close()
    wait_for(lambda: server_http(server, "127.0.0.2")["active"] == 1, 5,
             "all have left")
    assert server_http(server, "127.0.0.2")["connections"]["reached"] >= 1
    assert "http: limit of 8 connections" in server.text()


def test_http_burst(start):
    """Connections that come together, and are closed instead of waiting."""
    server = start("--limit-http", "8")
    control, = server.processes("control")
    os.kill(control, signal.SIGSTOP)
    try:
        streams = [ask(server, f"127.0.0.{2 + at % 12}") for at in range(24)]
    finally:
        os.kill(control, signal.SIGCONT)
    for stream in streams:
        stream.send(b"Connection: close\r\n\r\n")
        assert stream.recv(12) == b"HTTP/1.1 200"
        stream.close()
    assert server_http(server, "127.0.0.1")["refused"] == 0


@long_tier
def test_http_age(start):
    """A client that drips its request, and stays for as long as it likes."""
    server = start("--limit-http", "8")
    with Raw((server.host, server.base)) as stream:
        stream.send(b"GET / HTTP/1.1\r\nX: ")
        while not select.select([stream.sock], [], [], 1)[0]:
            stream.send(b"x")
        assert stream.recv() == b""
    assert server_http(server, "127.0.0.1")["cut"] == 1
