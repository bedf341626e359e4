"""Configured ports: where they listen, their backends and timers

SPDX-License-Identifier: MPL-2.0
"""

import re
import select
import socket
import subprocess

import pytest

import backends
import mapi
from fronts import (connect, exchange, front, read_proxy_header, simulated,
                    write_config)
from server import BIN, wait_for
from streams import TIMEOUT, Raw, client_hello
from verdicts import assert_served

LONG = {"handshake": 600, "connect": 600, "first_byte": 600, "idle": 600,
        "stall": 600, "half_closed": 600}


# Listening


def test_listen_addresses(configured, pki):
    """One of several addresses, or families, that nobody serves."""
    server = configured(front("a", pki, listen=[
        "127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]))
    for host in ("127.0.0.1", "127.0.0.2", "::1"):
        with connect(server, "a", address=(host, server.port("a"))) as stream:
            mapi.login(stream)
        record = server.wait_connection(stream.local_port)
        assert record["client"] == ("::1" if host == "::1" else "127.0.0.1")


def test_listen_on_a_name(configured, pki):
    """A name that stands for both families, of which one is served."""
    server = configured(front("a", pki, listen=["localhost:0"]))
    names = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    for host in {row[4][0] for row in names}:
        with connect(server, "a", address=(host, server.port("a"))) as stream:
            mapi.login(stream)


def test_given_numbers(start, netns, tmp_path, pki):
    """--config alone: ports that have other numbers, no HTTP, test ports."""
    path = write_config(tmp_path, front("a", pki, listen=["127.0.0.1:50001"]),
                        front("b", listen=["127.0.0.1:50002", "[::1]:50003"]),
                        http=["127.0.0.1:50080", "[::1]:50081"])
    server = start("--config", path, base=None, netns=netns.pid, http=50080,
                   prefix=netns.prefix)
    assert server.ports == {"a": 50001, "b": 50002}
    listening = netns.run(lambda: subprocess.run(
        ["ss", "-tlnH"], capture_output=True, text=True).stdout)
    found = {row.split()[3] for row in listening.splitlines()}
    simulators = {a for a in found if not re.search(r":500[08]\d$", a)}
    assert found - simulators == {
        "127.0.0.1:50001", "127.0.0.1:50002", "[::1]:50003",
        "127.0.0.1:50080", "[::1]:50081"}
    assert len(simulators) == 1
    netns.run(lambda: simulated(server, "a"))
    assert server.api("/api/portmap")["base"] is None
    server.base = 50081
    server.host = "::1"
    server.fetch_ports()


def test_http_of_the_file_beside_the_base_port(start, netns, tmp_path, pki):
    """-p and a file with http: one of the two that is not served."""
    path = write_config(tmp_path, front("a", pki), http=["127.0.0.1:50080"])
    server = start("--config", path, netns=netns.pid, prefix=netns.prefix)
    ports = server.ports
    assert {"base", "server1", "a"} <= ports.keys()
    server.base = 50080
    server.fetch_ports()
    assert server.ports == ports
    netns.run(lambda: simulated(server, "a"))
    netns.run(lambda: assert_served(server))


# Backends


def test_backends_in_turn(configured, backend, dead, pki):
    """A backend that is not asked when the first one refuses.

    And the dead one, asked first again and again.
    """
    alive = backend(backends.echo)
    server = configured(front("a", pki, [dead.target, alive.target]),
                        options=["--workers", "1"])
    with connect(server, "a") as stream:
        exchange(stream)
    record = server.wait_connection(stream.local_port)
    assert record["backend"] == alive.target
    dead.raise_()
    for _ in range(3):
        with connect(server, "a") as stream:
            exchange(stream)
        record = server.wait_connection(stream.local_port)
        assert record["backend"] == alive.target


def test_backends_change_places(configured, backend, dead, pki):
    """The second backend asked first though it is dead by now."""
    first = backends.Dead()
    second = backend(backends.echo)
    server = configured(front("a", pki, [first.target, second.target]),
                        options=["--workers", "1"])
    with connect(server, "a") as stream:
        exchange(stream)
    first.raise_()
    second.close()
    for _ in range(2):
        with connect(server, "a") as stream:
            stream.send(b"x")
            peer, _ = first.sock.accept()
            with peer:
                assert peer.recv(1) == b"x"
        record = server.wait_connection(stream.local_port)
        assert record["backend"] == first.target
    # Were the dead one still asked first, it would now be reached.
    revived = socket.socket()
    revived.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    revived.bind(("127.0.0.1", second.port))
    revived.listen(10)
    with connect(server, "a") as stream:
        stream.send(b"x")
        peer, _ = first.sock.accept()
        peer.close()
    record = server.wait_connection(stream.local_port)
    assert record["backend"] == first.target
    revived.close()
    first.close()


def test_backends_in_turn_for_many(configured, backend, mute, pki):
    """A client that is sent to the dead backend twice, never to the other.

    While it waits for the dead one, another client finds the one that lives,
    and that changes which is asked first.
    """
    alive = backend(backends.echo)
    server = configured(
        front("a", None, [mute.target, alive.target],
              timers={"connect": 0.3}), options=["--workers", "1"])
    streams = [Raw(server.address("a"))]
    streams[0].send(b"x")
    while not select.select([streams[0].sock], [], [], 0.02)[0]:
        streams.append(Raw(server.address("a")))
        streams[-1].send(b"x")
    assert len(streams) > 1
    for stream in streams:
        with stream:
            assert stream.recv_exactly(1) == b"x"
        record = server.wait_connection(stream.local_port)
        assert record["backend"] == alive.target


def test_no_backend_answers(configured, dead, pki):
    """A client that is kept though no backend is there; see test_apology."""
    other = backends.Dead()
    server = configured(front("a", pki, [dead.target, other.target]))
    with connect(server, "a") as stream:
        mapi.login(stream)
        assert stream.end == "close_notify"
    record = server.wait_connection(stream.local_port)
    assert record["end"] == "backend" and record["backend"] == other.target
    other.close()


def test_backend_by_name(configured, backend, pki):
    """A name with an address that refuses, and one that does not."""
    alive = backend(backends.echo)
    server = configured(front("a", pki, f"localhost:{alive.port}"))
    for _ in range(3):
        with connect(server, "a") as stream:
            exchange(stream)
    assert ("resolver", ) in {row[:1] for row in server.processes()}


def test_unknown_backend(tmp_path, pki):
    """A name that does not exist, found out by the first client."""
    path = write_config(tmp_path, front("a", pki, "nowhere.invalid:50000"))
    done = subprocess.run([BIN, "--config", path, "--check"], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    assert done.returncode == 1
    assert "port 'a': cannot resolve 'nowhere.invalid'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_send_proxy(configured, backend, pki, host):
    """A PROXY header that does not say who the client is, and how it came."""
    seen = []

    def handler(peer):
        seen.append(read_proxy_header(peer))
        backends.echo(peer)

    target = backend(handler).target
    ca = str(pki.clients.path)
    server = configured(
        front("tls", pki, target, send_proxy=True, listen=["127.0.0.1:0"],
              client_certificate="optional", client_ca=ca),
        front("clear", None, target, send_proxy=True, listen=["[::1]:0"]))
    if host == "::1":
        with Raw((host, server.port("clear"))) as stream:
            exchange(stream)
    else:
        with connect(server, "tls", sni="sales.example", alpn=["mapi/9"],
                     certificate=pki.client.pair) as stream:
            exchange(stream)
    (command, source, destination, tlvs), = seen
    assert command == 1
    assert source == (host, stream.local_port)
    assert destination == (host, server.port(
        "clear" if host == "::1" else "tls"))
    record = server.wait_connection(stream.local_port)
    assert tlvs[0x05] == str(record["id"]).encode()
    assert not tlvs.keys() & {0xE0, 0xE1}   # ours, for the simulator
    if host == "::1":
        assert tlvs.keys() == {0x05}
        return
    assert tlvs[0x01] == b"mapi/9" and tlvs[0x02] == b"sales.example"
    tls = tlvs[0x20]
    assert tls[0] == 7 and tls[1:5] == bytes(4)
    for part in (b"TLSv1.3", record["tls"]["cipher"].encode(), b"alice"):
        assert part in tls


def test_no_send_proxy(configured, backend, pki):
    """A header that nobody asked for."""
    got = []

    def handler(peer):
        got.append(peer.recv_exactly(4))

    server = configured(front("a", pki, backend(handler).target))
    with connect(server, "a") as stream:
        stream.send(b"ping")
        stream.recv_all()
    assert got == [b"ping"]


# Timers


def test_timers_of_a_port(configured, backend, mute, pki):
    """A port's own timer that is not the one that runs."""
    def endless(peer):
        while True:
            peer.send(bytes(1 << 16))

    echo = backend(backends.echo).target
    late = {"tls": ("handshake", echo), "slow": ("connect", mute.target),
            "silent": ("first_byte", echo), "idle": ("idle", echo),
            "stalled": ("stall", backend(endless).target),
            "half": ("half_closed", backend(lambda peer: (
                peer.recv_exactly(1), peer.fin(), peer.recv_all())).target)}
    server = configured(*(
        front(name, pki if name == "tls" else None, target,
              timers={timer: 0.2}) for name, (timer, target) in late.items()),
        root={"timers": LONG})
    streams = {name: Raw(server.address(name), receive_buffer=4096)
               for name in late}
    try:
        exchange(streams["idle"])
        for name in ("stalled", "half"):
            streams[name].send(b"x")
        for name, stream in streams.items():
            if name == "slow":          # it is told, as the answer to this
                mapi.login(stream)
            record = server.wait_connection(stream.local_port, name)
            expected = "backend" if name == "slow" else "timeout"
            assert record["end"] == expected, record
    finally:
        for stream in streams.values():
            stream.close()
    said = server.text()
    for why in ("the handshake did not complete", "the client sent nothing",
                "timed out: idle", "does not read", "backend was done"):
        assert why in said


def test_timers_of_the_file(configured, backend):
    """A timer of the file, or of the command line, that no port has."""
    target = backend(backends.echo).target
    server = configured(front("own", None, target, timers={"idle": 0}),
                        front("files", None, target),
                        root={"timers": {"idle": 0.2}},
                        options=["--first-byte-timeout", "600"])
    with Raw(server.address("own")) as own:
        exchange(own)
        with Raw(server.address("files")) as stream:
            exchange(stream)
            assert stream.recv_all() == b""
        record = server.wait_connection(stream.local_port)
        assert record["end"] == "timeout"
        exchange(own)


def test_keepalive_of_a_port(configured, backend):
    """A dead client's host that TCP asks for at another port's interval."""
    server = configured(
        front("a", None, backend(backends.echo).target,
              timers={"keepalive": 7200 * 3}))
    with Raw(server.address("a")) as stream:
        exchange(stream)
        shown = subprocess.run(
            ["ss", "-tnoH", "sport", "=", f":{server.port('a')}"],
            capture_output=True, text=True, check=True).stdout
        minutes = re.search(r"keepalive,(\d+)min", shown)
        assert minutes and 350 <= int(minutes[1]) <= 360, shown


# The backend connected while the handshake runs


def stall(server, name):
    """A client that has our flight and says nothing more."""
    stream = Raw(server.address(name))
    stream.send(client_hello())
    assert stream.recv()
    return stream


def test_early(start, pki, tmp_path, backend):
    """More than 8 stalled handshakes that hold a MonetDB's connections, or
    others that do without being asked to; and clients that cannot get in."""
    early, late = backend(backends.echo), backend(backends.echo)
    path = write_config(
        tmp_path, front("early", pki, early.target, connect_early=True),
        front("late", pki, late.target))
    server = start("--config", path, "--workers", "1")
    stalled = [stall(server, "early") for _ in range(12)]
    also = stall(server, "late")
    wait_for(lambda: len(early.peers) == 8, 10, "8 early connections")
    assert late.peers == []
    for name in ("early", "late"):
        with connect(server, name) as stream:
            stream.send(b"hello")
            assert stream.recv_exactly(5) == b"hello"
    assert len(early.peers) == 9 and len(late.peers) == 1
    for stream in [*stalled, also]:
        stream.close()
    # They are given back when their handshakes fail, and nobody was served.
    for stream in stalled:
        assert server.wait_connection(stream.local_port)["backend"] is None
    wait_for(lambda: all(peer.sock.fileno() == -1 for peer in early.peers), 10,
             "the end of the early connections")
