"""Socket activation: ports that systemd opened

SPDX-License-Identifier: MPL-2.0
"""

import os
import signal
import socket

import pytest

import mapi
import procfs
from load import login_once
from server import wait_for
from service import Manager, activated, listener, troubles, write_config
from streams import Raw, client_context


@pytest.fixture
def sockets():
    """sockets(NUMBER) -> [(socket, port)] as a .socket unit opens them."""
    opened = []

    def make(number):
        made = [listener() for _ in range(number)]
        opened.extend(made)
        return made

    yield make
    for sock, _ in opened:
        sock.close()


def inodes(pid):
    """The sockets that a process has open."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            found.add(int(target[8:-1]))
    return found


def inode(sock):
    return os.fstat(sock.fileno()).st_ino


def logs_in(number, port="plain"):
    with Raw(("127.0.0.1", number)) as stream:
        return mapi.login(stream)[1] == mapi.sorry(port)


def begin(start, pairs, *options, **keywords):
    """A server whose base port, plain and server1 were opened for it."""
    (_, base), (_, plain), (_, server1) = pairs
    return activated(
        start, [sock for sock, _ in pairs], "-l", "127.0.0.1", "-a",
        f"plain={plain}", "-a", f"server1={server1}", "-n", "localhost",
        *options, base=base, **keywords)


def test_ports_of_the_table(start, sockets):
    """Sockets that are taken from systemd and not listened on."""
    pairs = sockets(3)
    server = begin(start, pairs)
    (base, _), (plain, plain_number), (server1, server1_number) = pairs
    assert server.ports["plain"] == plain_number
    assert server.ports["server1"] == server1_number
    login_once(server, "plain", None)
    login_once(server, "server1", client_context())
    login_once(server, "server2", client_context())
    worker = server.processes("worker")[0]
    control, = server.processes("control")
    assert {inode(plain), inode(server1)} <= inodes(worker)
    assert inode(base) not in inodes(worker)
    assert inode(base) in inodes(control)
    assert inode(plain) not in inodes(control)
    assert troubles(server) == []


def test_two_workers(start, sockets):
    """One worker that is given the one socket, and others that idle."""
    pairs = sockets(3)
    server = begin(start, pairs, "--workers", "2")
    workers = server.processes("worker")
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
        wait_for(lambda: procfs._stat(worker)[0] == "T", what="the stop")
        for _ in range(5):
            login_once(server, "plain", None)
            login_once(server, "server1", client_context())
        os.kill(worker, signal.SIGCONT)
    # Gone is what the dead one had, but not the socket.
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: workers[0] not in server.processes("worker")
             and len(server.processes("worker")) == 2, what="another worker")
    assert all(inode(pairs[1][0]) in inodes(worker)
               for worker in server.processes("worker"))
    login_once(server, "plain", None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_restart_refuses_nobody(start, sockets, number):
    """A connection refused, or lost, because nobody serves just now."""
    pairs = sockets(3)
    server = begin(start, pairs)
    assert server.stop(number) == (0 if number == signal.SIGTERM else -9)
    wait_for(lambda: not server.survivors(), what="its end")
    waiting = [Raw(("127.0.0.1", pairs[1][1])) for _ in range(5)]
    server = begin(start, pairs)
    for stream in waiting:
        with stream:
            assert mapi.login(stream)[1] == mapi.sorry("plain")


def test_nobody_asked_for_it(start, sockets):
    """A port of the unit that is open and that nobody will ever serve."""
    (first, number), (second, _) = sockets(2)
    server = activated(start, [first, second], "-l", "127.0.0.1", base=0,
                       names="one\n:two")
    assert len(troubles(server)) == 2
    server.wait_line(fr"one\\+x0a.* 127.0.0.1:{number}: no port of ours")
    server.wait_line("'two'")
    assert not any({inode(first), inode(second)} & inodes(pid)
                   for pid in server.survivors())


def unconnected():
    return listener(listening=False)[0]


@pytest.mark.parametrize("make, says", [
    (lambda: open("/dev/null"), "non-socket"),
    (lambda: listener(socket.SOCK_DGRAM, listening=False)[0], "not a TCP"),
    (lambda: socket.socket(socket.AF_UNIX), "not a TCP socket"),
    (unconnected, "does not listen"),
    (lambda: None, "Bad file descriptor"),
], ids=["file", "udp", "unix", "unbound", "nothing"])
def test_wrong_descriptors(start, sockets, make, says):
    """A unit with a mistake in it that serves some other port instead."""
    (good, _), = sockets(1)
    wrong = make()
    try:
        with Manager() as manager:
            server = activated(start, [good, wrong], names="good:wrong",
                               ready=False, env=manager.env)
            assert server.wait_exit() == 1
            manager.nothing_more()
    finally:
        if wrong is not None:
            wrong.close()
    line, = server.log()
    assert "descriptor 4 (wrong): " in line and says.lower() in line.lower()


@pytest.mark.parametrize("count", ["-1", "x", "99999"])
def test_wrong_count(start, count):
    """A number that is read as none, or as many."""
    server = activated(start, [], count=count, ready=False)
    assert server.wait_exit() == 1
    line, = server.log()
    assert "LISTEN_FDS" in line


def test_for_another_process(start, sockets):
    """Descriptors that were meant for our parent."""
    (sock, number), = sockets(1)
    server = start("-l", "127.0.0.1", env={
        "LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())})
    assert troubles(server) == []


def test_configured_ports_and_reload(start, sockets, tmp_path):
    """A reload that binds anew what only systemd can bind."""
    pairs = sockets(2)
    (front, number), (http, http_number) = pairs
    config = write_config(
        tmp_path, [("front", f"127.0.0.1:{number}", {"plain": True})],
        http=[f"127.0.0.1:{http_number}"])
    server = activated(start, [front, http], "--config", config, "--workers",
                       "2", base=None, ready=False)
    server.wait_line("Serving 1 configured ports")
    server.base = http_number
    for done in range(3):
        assert server.api("/api/status")["reload"]["done"] == done
        workers = server.processes("worker")
        for worker in workers:
            assert inode(front) in inodes(worker)
            os.kill(worker, signal.SIGSTOP)
            assert logs_in(number, "front")
            os.kill(worker, signal.SIGCONT)
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: server.api("/api/status")["reload"]["done"] > done
                 and len(server.processes("worker")) == 2
                 and not set(workers) & set(server.processes("worker")),
                 what="the reload")
    assert logs_in(number, "front")
    assert troubles(server) == []


def test_reload_drops_a_port(start, sockets, tmp_path):
    """A port that is gone from the file, and that still accepts."""
    pairs = sockets(2)
    ports = [(f"front{at}", f"127.0.0.1:{number}", {"plain": True})
             for at, (_, number) in enumerate(pairs)]
    config = write_config(tmp_path, ports)
    server = activated(start, [sock for sock, _ in pairs], "--config", config,
                       base=None, ready=False)
    server.wait_line("Serving 2 configured ports")
    write_config(tmp_path, ports[:1])
    server.send_signal(signal.SIGHUP)
    server.wait_line("reloaded: 1 configured ports")
    assert logs_in(pairs[0][1], "front0")
    assert not any(inode(pairs[1][0]) in inodes(pid)
                   for pid in server.survivors())
