"""Processes: killed, stopped, and started where something is missing

SPDX-License-Identifier: MPL-2.0
"""

import os
import select
import signal
import time

import pytest

import backends
import mapi
import procfs
from load import Load, login_once
from server import SLOW, wait_for
from streams import Raw, Tls, client_context
from test_commandline import fails, run

SECOND = 1.0 * SLOW             # "within a second"


def echoes(stream, data=b"still here"):
    """True if the connection through to the echo server lives."""
    try:
        stream.send(data)
        return stream.recv_exactly(len(data)) == data
    except Exception:
        return False


@pytest.fixture
def front(start, backend):
    """front(OPTION...) -> a server with an echo server behind forward."""
    def begin(*options):
        return start("-f", f"0:{backend(backends.echo).target}",
                     "-n", "localhost", *options)
    return begin


def connect(server):
    stream = Tls(server.address("forward"), client_context())
    assert echoes(stream)
    return stream


def replaced(server, kind, old, number=1):
    """Wait until others of this kind, so many, run instead of old."""
    def look():
        try:
            pids = server.processes(kind)
        except OSError:
            return None
        return old not in pids and len(pids) == number and pids
    started = time.monotonic()
    pids = wait_for(look, 5, f"{kind} {old} replaced")
    assert time.monotonic() - started < SECOND
    return pids


# Killed


def test_kill_worker(front):
    """A worker's death that takes other connections, or its port, along."""
    server = front("--workers", "2")
    streams = [connect(server) for _ in range(40)]
    victim, other = server.processes("worker")
    with Load(server) as load:
        wait_for(lambda: load.done > 20, what="load")
        os.kill(victim, signal.SIGKILL)
        killed_at = time.monotonic()
        assert other in replaced(server, "worker", victim, 2)
        time.sleep(max(0, killed_at + SECOND - time.monotonic()))
        done = load.done
        late = [f for f in load.failures if f[0] > killed_at + SECOND]
        wait_for(lambda: load.done > done + 50, what="load goes on")
    assert late == []
    # What the dead worker had accepted is lost: one per client at most,
    # and what its replacement was not there for yet.
    assert all(when - killed_at < SECOND for when, _ in load.failures)
    alive = sum(map(echoes, streams))
    assert 0 < alive < 40
    rows = server.api("/api/status")["processes"]
    assert sum(row["restarts"] for row in rows) == 1
    for stream in streams:
        stream.close()


def test_kill_all_workers(front):
    """A queue that is lost with its worker: connections refused."""
    server = front("--workers", "2")
    for pid in server.processes("worker"):
        os.kill(pid, signal.SIGKILL)
    # Nobody is refused in between: the master keeps the sockets.
    context = client_context()
    for _ in range(20):
        login_once(server, "server1", context)


def test_kill_control(front):
    """control's death that disturbs a connection or a worker."""
    server = front("--workers", "2")
    stream = connect(server)
    control, = server.processes("control")
    workers = server.processes("worker")
    with Load(server) as load:
        wait_for(lambda: load.done > 20, what="load")
        os.kill(control, signal.SIGKILL)
        replaced(server, "control", control)
        done = load.done
        wait_for(lambda: load.done > done + 50, what="load goes on")
    assert load.failures == []
    assert server.processes("worker") == workers
    assert echoes(stream)
    stream.close()
    before = dict(server.ports)
    server.fetch_ports()
    assert server.ports == before
    assert server.file("server1.crt").startswith(b"-----BEGIN")


def test_kill_control_keeps_certificates(start):
    """Files over HTTP that no longer are what the workers present."""
    server = start("-n", "localhost")
    before = server.file("server1.der"), server.file("ca1.key")
    control, = server.processes("control")
    os.kill(control, signal.SIGKILL)
    replaced(server, "control", control)
    assert (server.file("server1.der"), server.file("ca1.key")) == before


def test_kill_simulator(front):
    """A simulator that is not replaced, or that others depend on."""
    server = front("--workers", "2")
    stream = connect(server)
    simulator, = server.processes("simulator")
    workers = server.processes("worker")
    with Load(server) as load:
        wait_for(lambda: load.done > 20, what="load")
        os.kill(simulator, signal.SIGKILL)
        killed_at = time.monotonic()
        replaced(server, "simulator", simulator)
        time.sleep(max(0, killed_at + SECOND - time.monotonic()))
        done = load.done
        wait_for(lambda: load.done > done + 50, what="load goes on")
    assert all(when - killed_at < SECOND for when, _ in load.failures)
    assert server.processes("worker") == workers
    assert echoes(stream)
    stream.close()


def test_kill_again_and_again(front):
    """A child that is replaced once only, or ever more slowly."""
    server = front("--workers", "1")
    for _ in range(4):
        for kind in ("worker", "simulator", "control"):
            victim, = server.processes(kind)
            os.kill(victim, signal.SIGKILL)
            replaced(server, kind, victim)
            wait_for(lambda: works(server), 3, "a login")


def works(server):
    try:
        login_once(server, "plain", None)
        return True
    except Exception:
        return False


def is_refused(address):
    try:
        Raw(address).close()
    except ConnectionRefusedError:
        return True
    return False


def test_kill_master(front):
    """Children that outlive the master, or keep its ports."""
    server = front("--workers", "2")
    streams = [connect(server) for _ in range(10)]
    family = server.survivors()
    assert len(family) >= 5
    with Load(server):
        os.kill(server.pid, signal.SIGKILL)
        started = time.monotonic()
        wait_for(lambda: not server.survivors(), 5, "children gone")
        assert time.monotonic() - started < SECOND
    for name, port in server.ports.items():
        wait_for(lambda port=port: is_refused((server.host, port)),
                 SECOND, f"{name} is free")
    for stream in streams:
        stream.close()


# Stopped


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_idle(front, number):
    """A stop without a connection that waits for the drain time."""
    server = front("--drain-timeout", "30")
    started = time.monotonic()
    assert server.stop(number) == 0
    assert time.monotonic() - started < 2 * SLOW
    assert server.survivors() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_drains(front, number):
    """Open connections cut at once, or a stop that never comes."""
    server = front("--drain-timeout", "2")
    with connect(server) as stream:
        server.send_signal(number)
        started = time.monotonic()

        def is_refused():
            try:
                Raw(server.address("plain")).close()
            except OSError:
                return True
            return False

        wait_for(is_refused, 1, "no new connections")
        assert echoes(stream)
        assert server.process.poll() is None
        assert stream.recv_all() == b""
        assert server.wait_exit() == 0
    assert 1.5 < time.monotonic() - started < 2 + 2 * SLOW
    assert server.survivors() == []


def test_stop_ends_with_the_last_connection(front):
    """A drain time that is waited for with nothing left to drain."""
    server = front("--drain-timeout", "30")
    with connect(server) as stream:
        server.send_signal(signal.SIGTERM)
        server.wait_line(".")
        assert echoes(stream)
        stream.close_notify()
        assert stream.recv_all() == b""
    started = time.monotonic()
    assert server.wait_exit() == 0
    assert time.monotonic() - started < 3 * SLOW


def test_interrupt_from_the_terminal(front):
    """Ctrl-C reaches every process: children must leave it to the master."""
    server = front("--drain-timeout", "1")
    with connect(server) as stream:
        os.killpg(server.pid, signal.SIGINT)
        assert echoes(stream)
        assert server.wait_exit() == 0
    assert server.survivors() == []


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.4, 0.6, 0.8])
def test_stop_while_starting(start, delay):
    """A stop before all is up that leaves half of it behind."""
    server = start(ready=False)
    time.sleep(delay)               # at whatever point of the start this is
    server.stop(signal.SIGTERM)
    wait_for(lambda: not server.survivors(), 1, "nothing left")


# Started where something is missing


def test_no_ipv6(start, make_network):
    """A host without IPv6 on which nothing starts."""
    network = make_network(
        "for f in all default lo; do"
        " echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done")
    server = start("-n", "localhost", netns=network.pid,
                   prefix=network.prefix)
    context = client_context()
    server.inside(lambda: login_once(server, "plain", None))
    server.inside(lambda: login_once(server, "server1", context))
    assert "::1" in server.text()   # that it is left out must be said


def test_no_ipv4(start, make_network):
    """A host with IPv6 only."""
    network = make_network("ip link set lo up; ip addr del 127.0.0.1/8 dev lo")
    server = start("-n", "localhost", netns=network.pid,
                   prefix=network.prefix, host="::1")
    server.inside(lambda: login_once(server, "plain", None))


def test_no_address_at_all(make_network):
    """Neither address: an error, not a program that serves nobody."""
    network = make_network(
        "for f in all default lo; do"
        " echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done;"
        " ip link set lo up; ip addr del 127.0.0.1/8 dev lo")
    code, _, errors = run("-p", "0", prefix=network.prefix)
    assert code == 1 and errors.count("\n") == 1, errors
    assert "127.0.0.1" in errors and "::1" in errors


def test_explicit_address_is_missing(netns):
    """-l of an address that the host lacks: no silent fallback."""
    fails([1], "-p", "0", "-l", "127.0.0.1", "-l", "192.0.2.7",
          says=["192.0.2.7"], prefix=netns.prefix)


# Descriptors


def cpu_seconds(pid):
    fields = procfs._stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("limit", [128])
def test_out_of_descriptors(start, limit):
    """EMFILE that ends a worker, spins, or is never recovered from."""
    server = start("--workers", "1", prefix=[
        "prlimit", f"--nofile={limit}:{limit}", "--"])
    before = server.processes()
    streams = []
    for _ in range(2 * limit):
        streams.append(Raw(server.address("plain")))
    time.sleep(0.5)                 # what is measured: idling at the limit
    busy = {pid: cpu_seconds(pid) for _, pid in before}
    time.sleep(1)
    for kind, pid in before:
        assert cpu_seconds(pid) - busy[pid] < 0.5, f"{kind} spins"
    served = len(select.select([s.sock for s in streams], [], [], 0)[0])
    for stream in streams:
        stream.close()
    assert 10 < served < limit
    wait_for(lambda: works(server), 5, "a login after the rush")
    assert server.processes() == before
    assert "descriptors" in server.text() or "files" in server.text()


def test_descriptor_limit_is_raised(start):
    """A soft limit that stays where the shell left it."""
    server = start(prefix=["prlimit", "--nofile=256:4096", "--"])
    for _, pid in server.processes():
        with open(f"/proc/{pid}/limits") as limits:
            line, = (l for l in limits if l.startswith("Max open files"))
        assert line.split()[3:5] == ["4096", "4096"]


def test_children_hold_what_they_need(start, backend):
    """Descriptors that leak from the master, or from the shell, to all."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        server = start()
        counts = {kind: procfs.descriptors(pid)
                  for kind, pid in server.processes()}
        # 12 ports, two families; some for the loop, log and channels.
        assert max(counts.values()) < 24 * 4 + 40, counts
        assert counts["simulator"] < 24
    finally:
        os.close(read)
        os.close(write)


def test_mapi_after_all(shared):
    """The shared server has seen no restart by what others did to theirs."""
    rows = shared.api("/api/status")["processes"]
    assert all(row["restarts"] == 0 for row in rows)
    with Raw(shared.address("plain")) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("plain")


@pytest.mark.parametrize("closed", ["0<&-", "0<&- 1>&-"])
def test_started_without_standard_input(start, closed):
    """Log lines in a client's connection, which got the number of stderr."""
    server = start(prefix=["sh", "-c", f'exec "$@" {closed}', "sh"])
    for pid in server.survivors():
        for fd in range(3):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert target.startswith(("/dev/null", "pipe:")), (pid, fd, target)


def test_simulator_waits_longer_than_the_worker(start):
    """--first-byte-timeout cut short by the simulator's own timer."""
    for seconds in ("100", "0"):
        server = start("--first-byte-timeout", seconds)
        pid, = server.processes("simulator")
        with open(f"/proc/{pid}/cmdline") as file:
            words = file.read().split("\0")
        patience = float(words[words.index("--login-timeout") + 1])
        assert patience > 110
