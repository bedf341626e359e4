"""A service: what systemd is told, log priorities, harmless checks

SPDX-License-Identifier: MPL-2.0
"""

import os
import re
import signal
import subprocess
import time

import pytest

import mapi
import procfs
from load import login_once
from server import BIN, ROOT, wait_for
from service import (Manager, Names, activated, listener, troubles,
                     write_config)
from streams import Raw, Tls, client_context
from test_health import health, unhealthy

NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID",
         "LISTEN_FDS", "LISTEN_FDNAMES")
PLAIN = ("front", "127.0.0.1:0", {"plain": True})


def environment(pid):
    with open(f"/proc/{pid}/environ") as file:
        return dict(word.split("=", 1) for word in file.read().split("\0")
                    if "=" in word)


def commands(server):
    """{pid: name} of its processes, which prctl(2) gave them."""
    names = {}
    for pid in server.survivors():
        try:
            with open(f"/proc/{pid}/comm") as file:
                names[pid] = file.read().strip()
        except OSError:
            pass
    return names


# What systemd is told


@pytest.mark.parametrize("abstract", [False, True])
def test_ready(start, tmp_path, abstract):
    """A service that others are started after, and that serves nobody yet."""
    with Manager(None if abstract else tmp_path) as manager:
        server = start("-n", "localhost", ready=False, env=manager.env)
        message = manager.wait(server, "READY")
        assert message == {
            "READY": "1", "STATUS": "10 test ports, 0 configured ports"}
        server.wait_ready()
        for name in server.ports.keys() - {"base"}:
            Raw(server.address(name)).close()
        login_once(server, "plain", None)
        login_once(server, "server1", client_context())
        assert server.stop() == 0
        assert manager.wait(server, "STOPPING") == {"STOPPING": "1"}
        manager.nothing_more()


def test_not_ready(start):
    """READY=1 from one that could not start."""
    with Manager() as manager, listener()[0] as taken:
        server = start(ready=False, base=taken.getsockname()[1],
                       env=manager.env)
        assert server.wait_exit() == 1
        manager.nothing_more()


def test_reload(start, tmp_path):
    """A reload whose end systemd waits for in vain, also if it failed."""
    config = write_config(tmp_path, [PLAIN])
    with Manager() as manager:
        server = start("--config", config, env=manager.env)
        good = manager.wait(server, "READY")
        assert good["STATUS"] == "10 test ports, 1 configured ports"
        for text in (config.read_text(), "{"):
            config.write_text(text)
            before = time.monotonic_ns() // 1000
            server.send_signal(signal.SIGHUP)
            message = manager.wait(server, "RELOADING")
            assert message["RELOADING"] == "1"
            now = int(message["MONOTONIC_USEC"])
            assert before <= now <= time.monotonic_ns() // 1000
            status = manager.wait(server, "READY")["STATUS"]
            assert status.startswith(good["STATUS"])
            assert ("not reloaded" in status) == (text == "{"), status


def test_nothing_to_reload(start):
    """systemctl reload that waits for an answer without a --config."""
    with Manager() as manager:
        server = start(env=manager.env)
        manager.wait(server, "READY")
        server.send_signal(signal.SIGHUP)
        manager.wait(server, "RELOADING")
        manager.wait(server, "READY")


def test_reload_while_starting(start, tmp_path):
    """READY=1 because a reload is over, with workers that are not up yet."""
    config = write_config(tmp_path, [PLAIN])
    with Manager() as manager:
        server = start("--config", config, "--workers", "32", ready=False,
                       env=manager.env)
        wait_for(lambda: "mapitest:worker" in commands(server).values(), 20,
                 "a worker")
        server.send_signal(signal.SIGHUP)
        for key in ("READY", "RELOADING", "READY"):
            manager.wait(server, key)
        server.wait_ready()


def test_stop_with_a_connection(start):
    """STOPPING=1 when all is over; or READY=1 after it."""
    with Manager() as manager:
        server = start("--drain-timeout", "100", env=manager.env)
        manager.wait(server, "READY")
        with Raw(server.address("plain")) as stream:
            wait_for(lambda: server.api("/api/status")["ports"]["plain"][
                "active"] == 1, what="the connection")
            server.send_signal(signal.SIGTERM)
            manager.wait(server, "STOPPING")
            assert mapi.login(stream)[1] == mapi.sorry("plain")
        assert server.wait_exit() == 0
        manager.nothing_more()


def test_stop_beside_a_silent_name_server(start, tmp_path):
    """A stop that waits for getaddrinfo(3), with nothing left to drain."""
    config = write_config(tmp_path, [("front", "127.0.0.1:0", {
        "plain": True, "backend": "localhost:1"})])
    server = start("--config", config, "--drain-timeout", "100")
    pid, = server.processes("resolver")
    os.kill(pid, signal.SIGSTOP)
    assert server.stop() == 0


def test_stop_in_a_reload(start, tmp_path, make_network):
    """READY=1 after STOPPING=1, because a check has come to its end."""
    config = write_config(tmp_path, [PLAIN])
    # Not an abstract socket: those are the network namespace's.
    with (Manager(tmp_path) as manager,
          Names(make_network(), tmp_path) as names):
        server = start("--config", config, "--drain-timeout", "100",
                       env=manager.env, **names.options)
        manager.wait(server, "READY")
        stream = server.inside(lambda: Raw(server.address("plain")))
        assert stream.recv(1)       # it is not in the queue any more
        write_config(tmp_path, [("front", "127.0.0.1:0", {
            "plain": True, "backend": "db.example:1"})])
        server.send_signal(signal.SIGHUP)
        manager.wait(server, "RELOADING")
        question = names.asked()
        assert "mapitest:check" in commands(server).values()
        server.send_signal(signal.SIGTERM)
        manager.wait(server, "STOPPING")
        names.deny(*question)
        while "mapitest:check" in commands(server).values():
            try:
                names.deny(*names.asked(0.1))
            except TimeoutError:
                pass
        stream.close()
        assert server.wait_exit() == 0
        manager.nothing_more()


def test_children_do_not_know(start):
    """A child that takes the master's variables for its own."""
    variables = {name: "1000000" for name in NAMES}
    with Manager() as manager:
        server = start(env={**variables, **manager.env})
        manager.wait(server, "READY")
        pid, = server.processes("simulator")
        assert environment(server.pid).keys() >= set(NAMES)
        # The name is set before the program is.
        wait_for(lambda: "MAPITEST_E2E_MARK" in environment(pid)
                 and commands(server)[pid] == "mapisim", what="the simulator")
        assert not environment(pid).keys() & set(NAMES)


# The watchdog

PERIOD = 2                      # seconds; a sign of life each half


@pytest.fixture
def watched(start):
    """watched(OPTION...) -> (manager, server) with a watchdog."""
    with Manager(WATCHDOG_USEC=str(PERIOD * 1000000)) as manager:
        server = start("--workers", "2", env=manager.env)
        manager.wait(server, "READY")
        yield manager, server
        for pid in server.survivors():
            os.kill(pid, signal.SIGCONT)


def test_watchdog(watched):
    """Signs of life that come too late, or all the time."""
    manager, server = watched
    manager.wait(server, "WATCHDOG")
    began = time.monotonic()
    for _ in range(3):
        manager.wait(server, "WATCHDOG", PERIOD)
    assert time.monotonic() - began > 1.4 * PERIOD / 2 * 1.5
    assert "does not answer" not in server.text()


@pytest.mark.parametrize("kind", ["worker", "control"])
def test_watchdog_of_a_process_that_hangs(watched, kind):
    """A service that is alive for systemd, and for nobody else."""
    manager, server = watched
    victim = server.processes(kind)[-1]
    os.kill(victim, signal.SIGSTOP)
    line = server.wait_line("does not answer")
    assert f"{kind} " in line and f"(pid {victim})" in line
    # What was sent before the line is there; no more follows it.
    manager.sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        while manager.sock.recv(4096) == b"WATCHDOG=1\n":
            pass
    at = len(server.log())
    wait_for(lambda: "does not answer" in server.text(at), what="once more")
    manager.nothing_more()
    os.kill(victim, signal.SIGCONT)
    manager.wait(server, "WATCHDOG")


def test_watchdog_of_a_master_that_was_away(start):
    """An answer that waits to be read, or cannot be there yet, counted as
    none: a service that is killed after a pause."""
    with Manager(WATCHDOG_USEC=str(PERIOD * 1000000)) as manager:
        server = start("--workers", "1", env=manager.env)
        manager.wait(server, "READY")
        worker, = server.processes("worker")
        manager.wait(server, "WATCHDOG")
        # The ping that came with it was answered, and the answer was read.
        login_once(server, "plain", None)
        server.send_signal(signal.SIGHUP)
        manager.wait(server, "RELOADING")
        manager.wait(server, "READY")
        os.kill(worker, signal.SIGSTOP)
        manager.wait(server, "WATCHDOG")
        os.kill(server.pid, signal.SIGSTOP)
        os.kill(worker, signal.SIGCONT)
        login_once(server, "plain", None)
        time.sleep(PERIOD * 1.1)    # what is measured: two turns are missed
        os.kill(server.pid, signal.SIGCONT)
        for _ in range(2):
            manager.wait(server, "WATCHDOG")
        assert "does not answer" not in server.text()


# Log priorities


@pytest.mark.parametrize("option", ["journal", None])
def test_journal_of_all_processes(start, option):
    """A process whose lines all look alike to journalctl -p."""
    stream = 'export JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr); exec "$@"'
    prefix = [] if option else ["bash", "-c", stream, "bash"]
    server = start("-v", log_format=option, prefix=prefix)
    login_once(server, "plain", None)
    worker = server.processes("worker")[0]
    server.wait_line("^<6>plain 127.0.0.1:")
    os.kill(worker, signal.SIGKILL)
    server.wait_line(f"^<4>warning: worker .*{worker}")
    simulator, = server.processes("simulator")
    assert "journal" in open(f"/proc/{simulator}/cmdline").read().split("\0")
    assert server.stop() == 0
    server.wait_line("^<7>mapisim: ")
    lines = server.log()
    assert [l for l in lines if not re.match("<[3467]>[^<]", l)] == []


# Harmless


def test_harmless(start, files_of):
    """A load balancer's checks, in the log as failures by the thousand."""
    # -v: probes are not told otherwise.
    server = start("-v", "-n", "localhost", "-f", "0:127.0.0.1:1")
    context = client_context(
        alpn=["mapi/9"], certificate=files_of(server)("client2.keycrt"))
    names = [name for name in server.ports if name not in ("base", "forward")]
    at = len(server.log())
    for name in [*names, "forward"]:
        with Raw(server.address(name)) as stream:
            pass
        server.wait_connection(stream.local_port)
        with Raw(server.address(name)) as stream:
            stream.reset()
        server.wait_connection(stream.local_port)
    Raw(("127.0.0.1", server.base)).close()
    for name in names:
        if name == "plain":
            continue
        with Tls(server.address(name), context, "localhost") as stream:
            stream.close_notify()
        server.wait_connection(stream.local_port)
    status = server.api("/api/status")
    assert troubles(server, at) == []
    for name in names:
        ended = status["ports"][name]["ended"]
        assert [ended[end] for end in ("refused", "timeout", "backend")] == [
            0, 0, 0], (name, ended)
    assert all(row["restarts"] == 0 for row in status["processes"])


# mapitest --health


def test_health_of_a_configuration(start, tmp_path):
    """A check that only knows the base port."""
    sock, number = listener()
    with sock:
        config = write_config(tmp_path, [PLAIN], http=[f"127.0.0.1:{number}"])
        server = activated(start, [sock], "--config", config, base=None,
                           ready=False)
        server.wait_line("Serving 1 configured ports")
        code, line = health(f"http://127.0.0.1:{number}")
        assert code == 0 and line.startswith("healthy: 1 port, 0 connections")
        assert troubles(server) == []


def test_health_before_ready():
    """A check that passes because systemd's socket takes the connection."""
    sock, number = listener()
    with sock:
        assert "within 5 seconds" in unhealthy(f"http://127.0.0.1:{number}")


# Exit status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_exit_of_a_configuration(start, tmp_path, number):
    """A stop that Restart=on-failure takes for a failure."""
    config = write_config(tmp_path, [PLAIN])
    server = start("--config", config, base=None, ready=False)
    server.wait_line("Serving 1 configured ports")
    assert server.stop(number) == 0
    assert procfs.family(server.pid, server.mark) == []


@pytest.mark.parametrize("status, options", [
    (1, ["--config", "/nonexistent/config.json"]),
    (1, ["--config", "/nonexistent/config.json", "--check"]),
    (1, ["-p", "0", "-w", "/proc/nonexistent"]),
    (1, ["-p", "0", "-l", "192.0.2.1"]),
    (2, ["--check"]), (2, ["--user"]), (2, ["--user", ""]),
    (2, ["-p", "0", "--log-format", "syslog"]),
])
def test_exit_with_an_error(start, status, options):
    """A wrong command line that is restarted for ever, or not told apart."""
    server = start(*options, base=None, log_format=None, ready=False)
    assert server.wait_exit() == status
    assert len(server.log()) == 1, server.log()


# The units

UNITS = ("mapitest.service", "mapitest.socket")
EXPOSURE = 13                   # tenths; what is left is what a front needs


@pytest.fixture
def units(tmp_path):
    """The units of deploy/systemd, for the program that is tested."""
    for name in UNITS:
        text = (ROOT / "deploy/systemd" / name).read_text()
        (tmp_path / name).write_text(
            text.replace("/usr/local/bin/mapitest", str(BIN)))
    return [str(tmp_path / name) for name in UNITS]


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", "--no-pager", *arguments],
                          capture_output=True, text=True)


def test_units_are_right(units):
    """A key that systemd does not know, and ignores."""
    done = analyze("verify", *units)
    assert (done.returncode, done.stderr) == (0, "")


def test_service_is_confined(units):
    """A right that the unit leaves to who breaks in."""
    done = analyze("security", "--offline=yes", f"--threshold={EXPOSURE}",
                   units[0])
    assert done.returncode == 0, done.stdout


def test_command_of_the_unit(start, tmp_path):
    """An option that was renamed, everywhere but there; and keys for test
    ports that do not exist, which take seconds."""
    text = (ROOT / "deploy/systemd/mapitest.service").read_text()
    command, = re.findall(r"^ExecStart=\S+ (.*)$", text, re.M)
    config = write_config(tmp_path, [PLAIN])
    words = [word.replace("/etc/mapitest/mapitest.json", str(config))
             .replace("${STATE_DIRECTORY}", str(tmp_path / "state"))
             for word in command.split()]
    with Manager() as manager:
        server = start(*words, base=None, log_format=None, ready=False,
                       env=manager.env)
        manager.wait(server, "READY")
    # Keys of the published CAs have no place beside an operator's ports.
    assert {path.name for path in (tmp_path / "state").iterdir()} == {
        "lock", "tickets.secret"}
