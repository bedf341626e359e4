"""Port trusted: an operator's certificate among the test ports

SPDX-License-Identifier: MPL-2.0
"""

import base64
import shutil
import signal

import pytest

import mapi
import procfs
from fronts import connect
from server import SANITIZED, Mapitest, wait_for

GROUPS = ("--ports", "hostile")
RELOADED = "reloaded: the certificate of port 'trusted'"


class Files:
    """A chain and its key, which a test replaces."""

    def __init__(self, folder, leaf):
        self.chain = folder / "chain.pem"
        self.key = folder / "key.pem"
        self.key.touch(0o600)
        self.replace(leaf)

    def replace(self, leaf):
        self.chain.write_bytes(leaf.chain.read_bytes())
        self.key.write_bytes((leaf.key or leaf.chain).read_bytes())

    @property
    def options(self):
        return (*GROUPS, "--trusted-cert", self.chain, "--trusted-key",
                self.key)


@pytest.fixture
def mine(tmp_path, pki):
    return Files(tmp_path, pki.sales)


def shown(server, pki, sni="sales.example", ca=None):
    """The certificate that a client gets that verifies all of it."""
    with connect(server, "trusted", sni, ca=ca or pki.ca.path) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("trusted")
        assert not stream.tls.session.has_ticket
        return stream.tls.getpeercert(True)


def test_served_and_not_told(start, mine, pki):
    """A certificate that is not shown, a key that is, or tickets."""
    server = start(*mine.options)
    assert shown(server, pki) == pki.sales.der
    row = server.api("/api/portmap")["ports"]["trusted"]
    assert (row["group"], row["expect"], row["certificate"]) == (
        "hostile", "accept", None)
    for name in ("trusted.crt", "trusted.key", "trusted.der", "chain.pem",
                 "key.pem"):
        assert server.get("/" + name).status == 404


@pytest.mark.skipif(SANITIZED, reason="its memory is terabytes")
def test_who_knows_the_key(start, mine):
    """The key in the memory of a process that answers whoever asks for a file,
    or of one that outlives all workers."""
    server = start(*mine.options)
    secret = base64.b64decode("".join(
        line for line in mine.key.read_text().splitlines()
        if "-----" not in line))[36:68]     # the number, past its header
    pids = {"master": [server.pid],
            **{kind: server.processes(kind)
               for kind in ("worker", "control", "simulator")}}
    assert all(pids.values())
    # OpenSSL has the number in words, lowest first.
    known = {kind: any(procfs.remembers(pid, number) for pid in pids[kind]
                       for number in (secret, secret[::-1]))
             for kind in pids}
    assert known == {"worker": True, "control": False, "simulator": False,
                     "master": False}


def test_reloaded(start, mine, pki):
    """New files that are not taken, or that cut who is connected; broken ones
    that are."""
    server = start(*mine.options)
    with connect(server, "trusted", "localhost", ca=pki.ca.path) as old:
        mine.replace(pki.own)
        server.send_signal(signal.SIGHUP)
        server.wait_line(RELOADED)
        assert shown(server, pki, "own.wild.example") == pki.own.der
        mine.key.write_text("nothing")
        server.send_signal(signal.SIGHUP)
        line = server.wait_line("not reloaded, everything stays")
        assert "port 'trusted'" in line and str(mine.key) in line
        assert shown(server, pki, "own.wild.example") == pki.own.der
        reload = server.api("/api/status")["reload"]
        assert (reload["done"], reload["failed"]) == (1, 1)
        assert str(mine.key) in reload["error"]
        mapi.login(old)             # what came before goes on
    mine.replace(pki.sales)         # found without a signal
    wait_for(lambda: server.text().count(RELOADED) == 2, 20, "noticed")
    assert shown(server, pki) == pki.sales.der


def test_far_too_many_reloads(start, mine, pki):
    """A reload as a fork bomb: past the limit it waits for an old worker."""
    server = start(*mine.options, "--workers", 1)

    def reloads():
        return server.text().count(RELOADED)

    streams = []
    for number in range(1, 17):
        streams.append(connect(server, "trusted", "localhost",
                               ca=pki.ca.path))
        server.send_signal(signal.SIGHUP)
        wait_for(lambda: reloads() == number, 20, "reloaded")
    server.send_signal(signal.SIGHUP)
    server.wait_line("certificate files have changed")   # it looks again
    assert (reloads(), len(server.processes("worker"))) == (16, 17)
    streams.pop(3).close()
    wait_for(lambda: reloads() == 17, 20, "reloaded after all")
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("spoil, culprit, status", [
    (lambda mine: mine.chain.unlink(), "chain.pem", 1),
    (lambda mine: mine.key.chmod(0o604), "key.pem", 1),
    (lambda mine: shutil.copy(mine.chain, mine.key), "key.pem", 1),
], ids=["gone", "open to all", "no key"])
def test_files_that_cannot_be_used(mine, spoil, culprit, status):
    """A server that starts without its certificate, or does not say why."""
    spoil(mine)
    server = Mapitest(*mine.options, log_format=None)
    try:
        assert server.wait_exit() == status
        (line,) = server.log()
        assert "--trusted-cert" in line and culprit in line
    finally:
        server.discard()


@pytest.mark.parametrize("options", [
    ("--trusted-cert", "x"), ("--trusted-key", "x"),
    ("--trusted-cert", "x", "--trusted-key", "y", "--ports", "classic")])
def test_half_a_port(options):
    """One option without the other, or without the port."""
    server = Mapitest(*options, log_format=None)
    try:
        assert server.wait_exit() == 2
        assert "--trusted" in server.text()
    finally:
        server.discard()
