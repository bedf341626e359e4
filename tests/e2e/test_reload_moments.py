"""Reload: deaths and signals at bad moments, and too many of them

SPDX-License-Identifier: MPL-2.0
"""

import os
import signal
import ssl

import pytest

from load import login_once
from reloads import (
    echoes, make_certificate, name_of, signal_pending, undisturbed)
from server import wait_for
from streams import Raw, Tls

# Deaths


def test_worker_dies_while_it_starts(idle_site, preload):
    """A reload that waits for ever for a worker that cannot start."""
    site = idle_site.start(env=preload.env)
    with undisturbed(site):
        preload.close("worker")
        before = site.reloads()
        site.hangup()
        wait_for(lambda: len(site.of_edition(1)) == 2, what="new workers")
        for row in site.of_edition(1):
            os.kill(row["pid"], signal.SIGKILL)
        after = site.wait_reload(before)
        preload.open("worker")
        assert after["failed"] == 1 and "worker" in after["error"]
        site.told("not reloaded", 1)
        wait_for(lambda: len(site.workers()) == 2, what="no worker too many")
        site.succeed()


def test_worker_dies_while_another_serves(idle_site, preload):
    """Connections that a new worker has accepted cut with its edition: it
    listens as soon as it is there, whatever becomes of the others."""
    site = idle_site.start(env=preload.env)
    name = b"mapitest:worker"
    preload.close("worker")
    site.hangup()
    first, second = wait_for(
        lambda: len(rows := site.of_edition(1)) == 2 and rows,
        what="new workers")
    # One gets through the gate: the other is stopped in front of it.
    os.kill(second["pid"], signal.SIGSTOP)
    preload.open("worker")
    wait_for(lambda: name_of(first["pid"]) == name, what="a worker's name")
    old = {row["pid"] for row in site.of_edition(0)}
    for pid in old:
        os.kill(pid, signal.SIGSTOP)
    number = site.number("one")
    # What falls to the socket of the stopped ones waits there.
    tried = [Raw(("127.0.0.1", number)) for _ in range(16)]
    wait_for(lambda: site.status()["ports"]["one"]["active"] > 0,
             what="a connection of the new worker's")
    for pid in old:
        os.kill(pid, signal.SIGCONT)
    streams = [StartTls(raw, site.context) for raw in tried]
    assert all(map(echoes, streams))
    before = site.reloads()
    os.kill(second["pid"], signal.SIGKILL)
    assert site.wait_reload(before)["failed"] == 1
    for stream in streams:
        assert echoes(stream)
        stream.close()
    wait_for(lambda: {row["pid"] for row in site.workers()} == old,
             what="the old workers only")
    site.succeed()


class StartTls(Tls):
    """TLS over a connection that is there already."""

    def __init__(self, raw, context):
        self.sock, self.local_port, self.end = raw.sock, raw.local_port, None
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ahead = b""
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.handshake()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_checker_is_killed(idle_site, preload, number):
    """A reload that waits for ever for its checker."""
    site = idle_site.start(env=preload.env)
    with undisturbed(site):
        preload.close("check")
        before = site.reloads()
        site.hangup()
        checker, = wait_for(lambda: site.server.processes("checker"),
                            what="a checker")
        if number == signal.SIGTERM:    # it is the master's to handle
            os.kill(checker, number)
            preload.open("check")
            assert site.wait_reload(before)["done"] == 1
            return
        os.kill(checker, number)
        after = site.wait_reload(before)
        preload.open("check")
        assert after["failed"] == 1 and "signal 9" in after["error"]
        site.told("not reloaded", 1)
        site.succeed()


# Signals at bad moments


def test_no_configuration(start):
    """A hangup that ends a server without --config."""
    server = start("-n", "localhost")
    before = server.processes()
    server.send_signal(signal.SIGHUP)
    server.wait_line("nothing to reload")
    login_once(server, "plain", None)
    assert server.processes() == before


def test_many_at_once(site):
    """Reloads that overlap, or a last one that is lost."""
    with undisturbed(site):
        for _ in range(20):
            site.hangup()
        site.ports["last"] = site.port()
        site.save()
        site.hangup()
        wait_for(lambda: "last" in site.status()["ports"], what="the last")
        # The workers of now, and the one that has our connection.
        wait_for(lambda: len(site.workers()) == 3, what="reloads over")
        del site.ports["last"]
        site.save()
        site.hangup()
        wait_for(lambda: "last" not in site.status()["ports"], what="gone")


@pytest.mark.parametrize("where", ["check", "worker"])
def test_hangup_during_reload(idle_site, preload, where):
    """A change that was saved during a reload, and never is read."""
    site = idle_site.start(env=preload.env)
    with undisturbed(site):
        preload.close(where)
        site.ports["early"] = site.port()
        site.save()
        number = len(site.status()["processes"])
        site.hangup()
        wait_for(lambda: len(site.status()["processes"]) > number,
                 what="a reload under way")
        site.ports["late"] = site.port()
        site.save()
        site.hangup()
        wait_for(lambda: not signal_pending(site.server.pid), what="taken")
        preload.open(where)
        wait_for(lambda: site.outcome()["done"] == 2, what="the second")
        site.login("late")
        del site.ports["early"], site.ports["late"]
        site.save()
        site.succeed()


def test_hangup_during_a_reload_that_fails(idle_site, preload):
    """A second reload that is forgotten if the first one fails late."""
    site = idle_site.start(env=preload.env)
    preload.close("check")
    site.ports["bad"] = site.port(tls={"ciphers": "ROT13"})
    site.save()
    site.hangup()
    wait_for(lambda: site.server.processes("checker"), what="a checker")
    del site.ports["bad"]
    site.ports["good"] = site.port()
    site.save()
    site.hangup()
    wait_for(lambda: not signal_pending(site.server.pid), what="taken")
    preload.open("check")
    wait_for(lambda: site.outcome()["done"] == 1, what="the second reload")
    assert site.outcome()["failed"] == 1
    site.login("good")


def test_hangup_before_the_only_worker_dies(idle_site, preload):
    """A second reload that is forgotten when the first one's worker dies, as
    no other process is left whose end would call it to mind."""
    site = idle_site.start("--workers", "1", env=preload.env)
    preload.close("worker")
    site.hangup()
    (worker,) = wait_for(lambda: site.of_edition(1), what="a new worker")
    wait_for(lambda: not site.server.processes("checker"), what="checked")
    site.ports["late"] = site.port()
    site.save()
    site.hangup()
    wait_for(lambda: not signal_pending(site.server.pid), what="taken")
    os.kill(worker["pid"], signal.SIGKILL)
    wait_for(lambda: site.outcome()["failed"] == 1, what="the first")
    preload.open("worker")
    wait_for(lambda: site.outcome()["done"] == 1, what="the second")
    site.login("late")


@pytest.mark.parametrize("where", ["check", "worker"])
def test_stop_during_reload(idle_site, preload, where):
    """A stop that waits for a reload, or leaves a process of one behind."""
    site = idle_site.start("--drain-timeout", "30", env=preload.env)
    preload.close(where)
    number = len(site.status()["processes"])
    site.hangup()
    wait_for(lambda: len(site.status()["processes"]) > number,
             what="a reload under way")
    if where == "worker":           # they must hear of the stop
        site.server.send_signal(signal.SIGTERM)
        site.server.wait_line("stopping")
        preload.open(where)
    assert site.server.stop() == 0
    assert site.server.survivors() == []


def test_hangup_while_starting(idle_site, preload):
    """A hangup that ends what is just starting; READY, or a reload, before
    everything serves for the first time."""
    site = idle_site
    preload.close("worker")
    site.save()
    server = site.server = site.begin(
        "--config", site.file, "--workers", "2", "--state", site.state,
        env=preload.env, ready=False)
    # From here on it is not the shell's to decide what a hangup does.
    wait_for(lambda: blocks_hangup(server.pid), what="the beginning")
    site.hangup()
    wait_for(lambda: not signal_pending(server.pid), what="taken")
    preload.open("worker")
    server.wait_ready()
    wait_for(lambda: site.outcome()["done"] == 1, what="the reload")
    site.login()
    wait_for(lambda: len(site.workers()) == 2, what="old workers gone")


def blocks_hangup(pid):
    """True from when a hangup is held until it is handled, and after."""
    with open(f"/proc/{pid}/status") as stream:
        masks = dict(line.split(":\t") for line in stream if "Sig" in line)
    return any(int(masks[name], 16) & 1 for name in ("SigBlk", "SigCgt"))


def test_worker_restarts_during_reload(idle_site, preload):
    """A worker that is just being restarted when others take over: it goes on
    to accept with what is no longer in force."""
    site = idle_site.start(env=preload.env)
    preload.close("worker")
    victim, other = site.of_edition(0)
    os.kill(victim["pid"], signal.SIGKILL)
    slow, = wait_for(
        lambda: [row for row in site.of_edition(0) if row["restarts"] == 1
                 and row["pid"] > 0], what="another worker")
    os.kill(slow["pid"], signal.SIGSTOP)
    preload.open("worker")
    site.ports["two"] = site.port(certificate="first")
    new = make_certificate(site.folder, "new")
    site.ports["one"]["certificates"] = [
        {"chain": "new.pem", "key": "new.key"}]
    site.save()
    before = site.reloads()
    site.hangup()
    wait_for(lambda: len(site.of_edition(1)) == 2, what="new workers")
    wait_for(lambda: other["pid"] not in
             [row["pid"] for row in site.of_edition(0)], what="taken over")
    os.kill(slow["pid"], signal.SIGCONT)
    assert site.wait_reload(before)["done"] == 1
    wait_for(lambda: site.of_edition(0) == [], what="no old worker")
    for _ in range(20):
        assert site.presented("one") == new


def test_renewal_and_reload(idle_site):
    """The two crews that wait for each other's turn."""
    site = idle_site.start("--renew-after", "1", "--state",
                           idle_site.folder / "state")
    with site.open("one") as stream:
        renewals = site.status()["renewals"]
        for _ in range(5):
            site.succeed()
        wait_for(lambda: site.status()["renewals"] >= renewals + 2,
                 what="renewals")
        site.succeed()
        assert echoes(stream)
    login_once(site.server, "server1", site.context)
    wait_for(lambda: len(site.workers()) == 2, what="no worker too many")


# Killed after a reload


@pytest.mark.parametrize("kind", ["worker", "control", "resolver",
                                  "simulator"])
def test_killed_after_reload(site, kind):
    """A process that comes back with what was in force at the start."""
    site.ports["one"]["backend"] = site.ports["one"]["backend"].replace(
        "127.0.0.1", "localhost")
    site.ports["three"] = site.port()
    new = make_certificate(site.folder, "new")
    site.ports["one"]["certificates"] = [
        {"chain": "new.pem", "key": "new.key"}]
    site.save()
    site.succeed()
    wait_for(lambda: len(site.workers()) == 2, what="old workers gone")
    victims = [row["pid"] for row in site.status()["processes"]
               if row["kind"] == kind
               and row["crew"] in (None, "configured")]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)

    def replaced():
        try:
            rows = site.status()["processes"]
        except OSError:
            return False
        return (not {row["pid"] for row in rows} & set(victims)
                and sum(row["kind"] == kind and row["crew"] in
                        (None, "configured") for row in rows)
                == len(victims))

    wait_for(replaced, what=f"another {kind}")
    assert site.presented("one") == new
    site.login("three")
    assert site.outcome()["done"] == 1
    assert set(site.ports) <= set(site.status()["ports"])


# Old editions


def test_old_editions(idle_site, preload):
    """Workers that pile up without end; connections cut that need not be."""
    site = idle_site.start(env=preload.clock_env)
    streams = []
    for _ in range(6):
        streams.append(site.open("one"))
        site.succeed()
    # Six old editions, of which four may stay for good.
    assert all(map(echoes, streams))
    preload.wind(50)
    assert all(map(echoes, streams))
    preload.wind(20)
    for stream in streams[:2]:
        assert stream.recv_all() == b""
        stream.close()
    assert all(map(echoes, streams[2:]))
    preload.wind(1000)
    assert all(map(echoes, streams[2:]))
    for stream in streams[2:]:
        stream.close()
    wait_for(lambda: len(site.workers()) == 2, what="old workers gone")


def test_far_too_many_editions(site):
    """A reload as a fork bomb: past the limit it waits for an old edition."""
    streams = []
    for _ in range(16):
        streams.append(site.open("one"))
        site.succeed()
    before = site.reloads()
    site.hangup()
    wait_for(lambda: not signal_pending(site.server.pid), what="taken")
    site.login()
    assert site.reloads() == before
    assert all(map(echoes, streams))
    streams.pop(3).close()
    assert site.wait_reload(before)["failed"] == 0
    assert all(map(echoes, streams))
    for stream in streams:
        stream.close()
    wait_for(lambda: len(site.workers()) == 2, what="old workers gone")
