"""--state: what is kept, who may read it, and what is not written without it

SPDX-License-Identifier: MPL-2.0
"""

import os
import re
import signal
import stat
import statistics
import time

import pytest

from procfs import remembers
from server import SANITIZED, wait_for
from streams import Tls, client_context
from test_commandline import fails

FILES = {"tickets.secret"} | {
    f"{name}.{kind}" for name in ("ca1", "ca2", "ca3", "ca_ecdsa", "server1",
                                  "server2", "server3", "client2")
    for kind in ("key", "crt")} | {"server1x.crt"}


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def served(server):
    return {name: server.file(name) for name in sorted(
        FILES - {"tickets.secret"})}


def test_files_and_modes(start, state):
    """A secret that others can read, or that is not there."""
    old = os.umask(0)
    try:
        start("--state", state)
    finally:
        os.umask(old)
    assert stat.S_IMODE(state.stat().st_mode) & 0o077 == 0
    names = {path.name for path in state.iterdir()}
    assert FILES <= names
    for path in state.iterdir():
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.suffix in (".key", ".secret"):
            assert mode == 0o600, path.name
        assert mode & 0o022 == 0, path.name
    assert re.fullmatch(r"[0-9a-f]{64}\n",
                        (state / "tickets.secret").read_text())


def test_restart(start, state):
    """Other certificates, or keys, after a restart; files that change."""
    first = start("--state", state, "-n", "localhost")
    files = served(first)
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    first.stop()
    second = start("--state", state, "-n", "localhost")
    assert served(second) == files
    assert {path.name: path.read_bytes()
            for path in state.iterdir()} == before
    for path in state.iterdir():    # what is kept is what is served
        if path.name in files:
            assert path.read_bytes() == files[path.name], path.name
    with Tls(second.address("server1"),
             client_context(files["ca1.crt"].decode()), "localhost") as stream:
        assert stream.tls.getpeercert(True)


def test_restart_is_quick(start, state):
    """Not asserted, as machines differ: the aim is 100 ms."""
    start("--state", state, "-n", "localhost").stop()
    times = []
    for _ in range(3 if SANITIZED else 10):
        began = time.monotonic()
        server = start("--state", state, "-n", "localhost", ready=False)
        server.wait_line("Serving requests")
        times.append(time.monotonic() - began)
        server.stop()
    print(f"a restart serves after {1e3 * statistics.median(times):.0f} ms")


@pytest.mark.skipif(SANITIZED, reason="its memory is terabytes")
def test_who_knows_the_secret(start, state):
    """The secret in the memory of a process that answers whoever asks for a
    file: with it, recorded sessions of the operator's ports can be read."""
    server = start("--state", state, "-f", "0:localhost:1")
    secret = bytes.fromhex((state / "tickets.secret").read_text())
    known = {kind: {remembers(pid, secret) for pid in server.processes(kind)}
             for kind in ("worker", "control", "resolver")}
    assert known == {"worker": {True}, "control": {False}, "resolver": {False}}


@pytest.mark.parametrize("name", ["tickets.secret", "ca1.key", "ca2.crt",
                                  "server1.key"])
@pytest.mark.parametrize("content", [b"", b"nonsense\n"])
def test_broken_file(start, state, name, content):
    """A key made anew in silence, so that no client trusts it any more."""
    start("--state", state).stop()
    (state / name).write_bytes(content)
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    fails([1], "-p", "0", "--state", state, says=[name])
    assert {path.name: path.read_bytes()
            for path in state.iterdir()} == before


def test_broken_leaf(start, state):
    """A leaf that cannot be used: there is a new one, by the same CA."""
    first = start("--state", state)
    files = served(first)
    first.stop()
    (state / "server1.crt").write_text("nonsense")
    second = start("--state", state)
    assert second.file("ca1.crt") == files["ca1.crt"]
    assert second.file("server1.crt") != files["server1.crt"]
    assert second.file("server1.key") == files["server1.key"]


@pytest.mark.parametrize("name", ["ca1.key", "tickets.secret"])
def test_open_to_everybody(start, state, name):
    start("--state", state).stop()
    (state / name).chmod(0o644)
    fails([1], "-p", "0", "--state", state, says=[name])


def test_is_a_file(tmp_path):
    (tmp_path / "state").write_text("")
    fails([1], "-p", "0", "--state", tmp_path / "state", says=["state"])


def test_cut_off(start, state):
    """A first start that was killed, after which none succeeds."""
    for name in ("tickets.secret", "ca1.key", "ca2.key", "server2.key"):
        server = start("--state", state, ready=False)
        wait_for(lambda name=name: (state / name).exists(), 20, name)
        server.send_signal(signal.SIGKILL)
        server.wait_exit()
        server.discard()
    files = served(start("--state", state))
    assert served(start("--state", state)) == files


def test_started_at_once(start, state):
    """Two instances that each make a CA, of which one is kept."""
    servers = [start("--state", state, "-n", "localhost", ready=False)
               for _ in range(3)]
    for server in servers:
        server.wait_ready()
    first, *others = map(served, servers)
    assert all(other == first for other in others)
    assert first["ca1.crt"] == (state / "ca1.crt").read_bytes()


def test_nothing_on_disk_without(start, tmp_path):
    """Secrets in a file that nobody asked for."""
    folder = tmp_path / "folder"
    folder.mkdir()
    server = start(prefix=["env", "-C", folder, f"HOME={folder}",
                           f"TMPDIR={folder}"])
    for pid in server.survivors():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
            assert target.startswith(
                ("/dev/", "pipe:", "socket:", "anon_inode:", "/memfd:")), (
                pid, target)
    server.stop()
    assert list(folder.iterdir()) == []
