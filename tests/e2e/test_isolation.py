"""Test ports and configured ports, side by side, share nothing to exhaust

SPDX-License-Identifier: MPL-2.0
"""

import backends
import mapi
from fronts import connect, exchange, front
from server import wait_for
from streams import Raw, client_hello
from verdicts import assert_served

LIMIT = 128                         # of open files, for each process
FEW = ["prlimit", f"--nofile={LIMIT}:{LIMIT}", "--"]


def flood(server, port, number, say=b""):
    """So many connections that say no more; some wait in the queue."""
    streams = []
    for _ in range(number):
        streams.append(Raw(server.address(port)))
        if say:
            streams[-1].send(say)
    return streams


def at_the_limit(server):
    return "new connections wait" in server.text(server.test_from)


def test_flooded_test_ports(configured, backend, pki):
    """A tester's clients, of whom the operator's clients notice something."""
    target = backend(backends.echo).target
    server = configured(front("sales", pki, target),
                        options=["--workers", "1"], prefix=FEW)
    before = server.processes()
    with connect(server, "sales") as old:
        exchange(old)
        for port, say in (("server1", client_hello()[:50]), ("plain", b"")):
            server.test_from = len(server.log())
            streams = flood(server, port, 2 * LIMIT, say)
            if port == "server1":
                wait_for(lambda: at_the_limit(server), 10, "exhausted")
            for _ in range(20):
                with connect(server, "sales") as stream:
                    exchange(stream)
            exchange(old)
            for stream in streams:
                stream.close()
    assert server.processes() == before
    assert_served(server)


def test_flooded_configured_ports(configured, backend, pki):
    """The other way round."""
    target = backend(backends.echo).target
    server = configured(front("sales", pki, target),
                        front("clear", None, target),
                        options=["--workers", "1"], prefix=FEW)
    before = server.processes()
    streams = flood(server, "sales", 2 * LIMIT, client_hello()[:50])
    wait_for(lambda: at_the_limit(server), 10, "exhausted")
    for port in ("server1", "plain", "tls12"):
        for _ in range(5):
            assert_served(server, port)
    for stream in streams:
        stream.close()
    with connect(server, "sales") as stream:
        exchange(stream)
    assert server.processes() == before


def test_limits_are_apart(configured, backend, pki):
    """A limit of the test ports that the operator's clients use up."""
    target = backend(backends.echo).target
    server = configured(
        front("clear", None, target), root={"limits": {"connections": 3}},
        options=["--limit-connections", "2", "--limit-per-client", "2"])
    held = [Raw(server.address("clear")) for _ in range(3)]
    for stream in held:
        exchange(stream)
    tests = [Raw(server.address("plain")) for _ in range(2)]
    for stream in tests:
        mapi.read_message(stream)
    for port in ("clear", "plain"):
        with Raw(server.address(port)) as stream:
            assert stream.recv_all() == b""
    limits = server.api("/api/status")["limits"]
    assert limits["configured"]["active"] == 3
    assert limits["test"]["active"] == 2
    assert limits["configured"]["connections"] == {"limit": 3, "reached": 1}
    assert limits["test"]["connections"] == {"limit": 2, "reached": 1}
    assert limits["test"]["connections_per_client"] == 2
    for stream in held + tests:
        stream.close()
