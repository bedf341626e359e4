"""What processes may do: sandboxes that are there, not wanted, or refused

What a sandbox forbids is tried by tests/unit/test_sandbox.c; that it forbids
nothing else, by all the other tests.

SPDX-License-Identifier: MPL-2.0
"""

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mapi
from load import login_once
from server import BIN
from streams import Raw, client_context

SYS_LANDLOCK_CREATE_RULESET = 444
COMPLAINT = "rights that they do not need"

# Runs a program as a container does whose profile has no sandboxes.
REFUSING = """
import ctypes, os, sys
error = int(sys.argv[1])
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
filter = ctypes.c_void_p(lib.seccomp_init(0x7fff0000))
for name in (b"seccomp", b"landlock_create_ruleset", b"landlock_add_rule",
             b"landlock_restrict_self"):
    number = lib.seccomp_syscall_resolve_name(name)
    assert lib.seccomp_rule_add(filter, 0x50000 | error, number, 0) == 0
assert lib.seccomp_load(filter) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""


UNIT = Path(__file__).parents[2] / "deploy/systemd/mapitest.service"


def has_landlock():
    libc = ctypes.CDLL(None)
    return libc.syscall(SYS_LANDLOCK_CREATE_RULESET, None, 0, 1) > 0


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file
                    if ":\t" in line)


def core_limits(pid):
    with open(f"/proc/{pid}/limits") as limits:
        line, = (l for l in limits if l.startswith("Max core file size"))
    return line.split()[4:6]


def sandboxes(server):
    """{(kind, sandbox)} of /api/status."""
    return {(row["kind"], row["sandbox"])
            for row in server.api("/api/status")["processes"]}


def works(server):
    login_once(server, "plain", None)
    login_once(server, "server1", client_context())
    return server.file("server1.crt").startswith(b"-----BEGIN")


@pytest.fixture
def everybody(start, backend):
    """everybody(OPTION...) -> a server with a process of every kind."""
    return lambda *options, **more: start(
        "--workers", "1", "-f", f"0:localhost:{backend().port}", *options,
        **more)


def test_every_process_is_in_one(everybody):
    """A kind of process that was forgotten, or whose core has keys in it."""
    server = everybody()
    name = "seccomp+landlock" if has_landlock() else "seccomp"
    assert sandboxes(server) == {
        ("master", "none"), ("simulator", None), ("worker", name),
        ("control", name), ("resolver", name)}
    for kind, pid in server.processes():
        found = status(pid)
        assert found["NoNewPrivs"] == "1", kind
        if kind != "master":
            assert found["Seccomp"] == "2", kind
            assert core_limits(pid) == ["0", "0"], kind
    assert works(server)
    assert COMPLAINT not in server.text()


def test_not_wanted(everybody):
    """--no-sandbox that leaves one on, or takes the keys' protection away."""
    server = everybody("--no-sandbox")
    assert {name for _, name in sandboxes(server)} == {"none", None}
    for kind, pid in server.processes():
        found = status(pid)
        assert (found["Seccomp"], found["NoNewPrivs"]) == ("0", "0"), kind
        if kind != "master":
            assert core_limits(pid) == ["0", "0"], kind
    assert works(server)


@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS])
def test_refused(everybody, error):
    """A program that does not start in a container, or complains all day."""
    server = everybody(prefix=[sys.executable, "-c", REFUSING, str(error)])
    assert {name for _, name in sandboxes(server)} == {"none", None}
    assert works(server)
    said = [line for line in server.log() if COMPLAINT in line]
    assert len(said) == 1 and os.strerror(error) in said[0]


def test_unit_leaves_room():
    """A unit whose filter of system calls forbids to set up our own."""
    allowed = {word for line in UNIT.read_text().splitlines()
               if line.startswith("SystemCallFilter=")
               for word in line.partition("=")[2].split()}
    assert allowed >= {"seccomp", "landlock_create_ruleset",
                       "landlock_add_rule", "landlock_restrict_self"}


@pytest.mark.parametrize("options, mode", [([], "2"), (["--no-sandbox"], "0")])
def test_simulator_alone(options, mode):
    """A simulator that is only safe behind the proxy."""
    command = [BIN.with_name("mapisim"), "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        try:
            line = child.stderr.readline()
            port = int(line.rpartition(":")[2])
            with Raw(("127.0.0.1", port)) as stream:
                assert mapi.login(stream)[1] == mapi.sorry("mapisim")
            assert status(child.pid)["Seccomp"] == mode
        finally:
            child.terminate()
        assert child.wait(20) == 0
