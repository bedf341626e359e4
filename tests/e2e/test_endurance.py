"""Many connections and much nonsense: no growth, no crash

SPDX-License-Identifier: MPL-2.0
"""

import random
import ssl
import threading

import pytest

import mapi
import procfs
from load import Crowd, login_once
from server import SANITIZED, scaled, wait_for
from streams import Ended, Raw, Tls, client_context, client_hello

MIB = 1 << 20
PORTS = ["base", "server1", "server2", "server3", "plain", "expiredcert",
         "tls12", "clientauth", "sni", "alpn_mapi9", "redirect"]


def usage(server):
    """{pid: (descriptors, memory)} once no connection is open."""
    wait_for(lambda: all(
        row["active"] == 0
        for row in server.api("/api/status")["ports"].values()),
        20, "no connection is active")
    return {pid: (procfs.descriptors(pid), procfs.pss(pid))
            for _, pid in server.processes()}


def assert_no_growth(server, before, least=2 * MIB):
    """The same processes, with the same descriptors and memory, in the end:
    what is open or freed at the moment, HTTP for one, may take its time."""
    def grown():
        after = usage(server)
        assert before.keys() == after.keys()
        return [(pid, before[pid], after[pid]) for pid in after
                if after[pid][0] > before[pid][0] + 1
                or (not SANITIZED and after[pid][1] - before[pid][1] >= least)]

    wait_for(lambda: not grown(), 10, f"no growth, {grown()}")


def visit(server, kind, context):
    """One connection of a kind that a port sees every day."""
    if kind == "plain":
        login_once(server, "plain", None)
    elif kind == "tls":
        login_once(server, "server1", context)
    elif kind == "probe":
        Raw(server.address("server1")).close()
    elif kind == "no tls":
        with Raw(server.address("server2")) as stream:
            stream.send(mapi.NULS)
            assert stream.recv_all() == b""
    elif kind == "hang up":
        with Raw(server.address("server3")) as stream:
            stream.send(client_hello())
            stream.recv(1)
    elif kind == "reset":
        stream = Raw(server.address("plain"))
        stream.recv(1)
        stream.reset()
    elif kind == "refused":
        with Raw(server.address("sni")) as stream:
            stream.send(client_hello(None))
            assert stream.recv_all()[:1] == b"\x15"


def test_sequential_connections(start):
    """10,000 connections, each of which leaves a little behind."""
    server = start("-n", "localhost", "--history", "100")
    kinds = ["plain", "tls", "probe", "no tls", "plain", "hang up", "plain",
             "reset", "refused", "plain"]

    def many(number):
        failures = []

        def some(offset):
            context = client_context()
            try:
                for at in range(offset, number, 4):
                    visit(server, kinds[at // 4 % len(kinds)], context)
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=some, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []

    many(scaled(2000))
    before = usage(server)
    many(scaled(8000))
    assert_no_growth(server, before)


@pytest.mark.parametrize("port", ["plain", "server1"])
def test_concurrent_connections(start, port):
    """2,000 connections at once: refused, slow, or never given back."""
    server = start("--handshake-timeout", "120",
                   "--first-byte-timeout", "120", "-n", "localhost")
    number = scaled(2000)
    Crowd(server, port, number).run()       # memory that is kept for later
    before = usage(server)

    def all_there():
        row = server.api("/api/status")["ports"][port]
        assert row["active"] == number

    Crowd(server, port, number).run(all_there)
    assert_no_growth(server, before, least=4 * MIB)


def nonsense(seed):
    """Bytes that are random, or a hello with a flaw."""
    source = random.Random(seed)
    hello = client_hello()
    kind = seed % 6
    if kind == 0:
        return source.randbytes(source.randrange(1, 4000))
    if kind == 1:
        return hello[:source.randrange(1, len(hello))]
    if kind == 2:                   # some bytes changed
        flawed = bytearray(hello)
        for _ in range(source.randrange(1, 20)):
            flawed[source.randrange(len(flawed))] = source.randrange(256)
        return bytes(flawed)
    if kind == 3:                   # the record's length is wrong
        return hello[:3] + source.randbytes(2) + hello[5:]
    if kind == 4:
        return b"\x16\x03" + source.randbytes(source.randrange(1, 4000))
    return mapi.block(source.randbytes(source.randrange(0, 600)),
                      source.random() < 0.5) * source.randrange(1, 40)


@pytest.mark.parametrize("port", PORTS)
def test_garbage(shared, port):
    """Garbage or truncated input that crashes, hangs or leaks."""
    before = shared.processes()
    address = shared.address(port)
    for seed in range(scaled(120, 60)):
        with Raw(address) as stream:
            try:
                stream.send(nonsense(seed))
                if seed % 2 and port != "base":
                    stream.fin()
                    stream.recv_all()
                elif seed % 3 == 0:
                    stream.reset()
            except OSError:
                pass                # it had been told off before
    assert shared.processes() == before
    assert shared.reports() == []
    assert shared.get("/").status == 200
    wait_for(lambda: port == "base" or shared.api("/api/status")["ports"]
             [port]["active"] == 0, 15, f"{port}: none active")
    with Raw(shared.address("plain")) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("plain")


@pytest.mark.parametrize("port", ["server1", "tls12", "redirect"])
def test_garbage_inside_tls(shared, port):
    """Garbage after a good handshake that reaches the simulator."""
    context = client_context()
    for seed in range(scaled(60, 30)):
        with Tls(shared.address(port), context, "localhost") as stream:
            stream.send(nonsense(seed))
            if seed % 2:
                stream.close_notify()
            stream.fin()
            try:
                stream.recv_all()
            except Ended:
                pass
    with Tls(shared.address(port), context, "localhost") as stream:
        assert mapi.CHALLENGE.fullmatch(mapi.read_message(stream))


@pytest.mark.parametrize("seed", range(3))
def test_broken_records(shared, seed):
    """Records that do not decrypt: told by an alert, never relayed."""
    with Tls(shared.address("server1"), client_context()) as stream:
        mapi.read_message(stream)
        source = random.Random(seed)
        stream.sock.sendall(b"\x17\x03\x03\x00\x40" + source.randbytes(64))
        with pytest.raises(ssl.SSLError) as caught:
            data = stream.recv()
            raise AssertionError(f"{data!r} {stream.end}")
        assert caught.value.reason == "SSLV3_ALERT_BAD_RECORD_MAC"
        record = shared.wait_connection(stream.local_port)
    assert record["alert_sent"] == 20
    assert record["bytes_up"] == 0
