"""--user: the children are somebody else, and the master only starts them

The programs are copied to where everybody may go: a build folder may not be.

SPDX-License-Identifier: MPL-2.0
"""

import os
import pwd
import shutil
import signal
import ssl
import tempfile
from pathlib import Path

import pytest

import mapi
import procfs
from load import login_once
from server import BIN, wait_for
from service import Names, make_certificate, troubles, write_config
from streams import Raw, Tls, client_context
from test_commandline import fails

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
USER = "nobody"
NAME = "operator.example"


@pytest.fixture(scope="module")
def binary():
    """mapitest and mapisim where any user can run them."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name in ("mapitest", "mapisim"):
            shutil.copy2(BIN.parent / name, folder)
        yield Path(folder) / "mapitest"


@pytest.fixture
def begin(start, binary):
    """begin(OPTION...) -> a server that root has started with --user."""
    def make(*options, **keywords):
        return start("--user", USER, "-n", "localhost", *options,
                     binary=binary, **keywords)
    return make


def status(pid):
    with open(f"/proc/{pid}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file
                    if ":\t" in line)


def check_dropped(pid):
    """Nothing of root is left: no id, group or capability."""
    user = pwd.getpwnam(USER)
    found = status(pid)
    assert found["Uid"].split() == [str(user.pw_uid)] * 4, found
    assert found["Gid"].split() == [str(user.pw_gid)] * 4, found
    assert set(found["Groups"].split()) == {
        str(group) for group in os.getgrouplist(USER, user.pw_gid)}, found
    for kind in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(found[kind], 16) == 0, found


def children(server):
    return [pid for pid in server.survivors() if pid != server.pid]


def presents(server, port, chain):
    """True if the port shows the operator's certificate."""
    context = client_context(chain)
    with Tls(server.address(port), context, NAME) as stream:
        stream.close_notify()
    return True


@pytest.fixture
def front(begin, tmp_path):
    """A server with a key that root alone may read; and its config."""
    chain, key = make_certificate(tmp_path, NAME)
    os.chown(key, 0, 0)
    config = write_config(tmp_path, [("front", "127.0.0.1:0", {
        "certificates": [{"chain": str(chain), "key": str(key)}]})])
    os.chmod(tmp_path, 0o700)
    server = begin("--config", config, "--workers", "2")
    server.chain, server.config = chain, config
    return server


def crew(server, name):
    return {row["pid"] for row in server.api("/api/status")["processes"]
            if row["crew"] == name}


def test_who_is_who(begin, backend):
    """A child that is root still, or half of it; a master that is not."""
    server = begin("-f", f"0:localhost:{backend().port}")
    assert status(server.pid)["Uid"].split() == ["0"] * 4
    found = {pid: kind for kind, pid in server.processes()
             if pid != server.pid}
    assert set(found.values()) == {"worker", "control", "simulator",
                                   "resolver"}
    assert set(children(server)) == set(found)
    for pid in found:
        check_dropped(pid)
    simulator, = server.processes("simulator")
    assert os.readlink(f"/proc/{simulator}/exe").endswith("/mapisim")
    login_once(server, "plain", None)
    login_once(server, "server1", client_context())
    assert troubles(server) == []


def test_nobody_looks_into_children(begin, backend):
    """A process whose memory others of its user can read: keys are there."""
    server = begin("-f", f"0:localhost:{backend().port}")
    for pid in children(server):
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0


def test_replaced_children(begin):
    """A second child that is started otherwise than the first."""
    server = begin("--workers", "1")
    for kind in ("worker", "control", "simulator"):
        old, = server.processes(kind)
        os.kill(old, signal.SIGKILL)

        def successor():
            try:
                pids = server.processes(kind)
            except OSError:
                return None
            return pids != [old] and pids

        pid, = wait_for(successor, what=f"another {kind}")
        wait_for(lambda: status(pid)["Uid"].split()[0] != "0", what="drop")
        check_dropped(pid)
    login_once(server, "plain", None)


def test_private_key(front):
    """A key that the user cannot read, at the start or ever after."""
    assert presents(front, "front", front.chain)
    old = crew(front, "configured")
    assert len(old) == 2
    for pid in old:
        check_dropped(pid)
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(crew(front, "configured")) == 2
             and not crew(front, "configured") & old, what="others")
    assert presents(front, "front", front.chain)


def test_private_key_and_reload(front, tmp_path):
    """A reload that only works while somebody is root."""
    other, _ = make_certificate(tmp_path, "other.example")
    front.config.write_text(front.config.read_text().replace(
        f"{NAME}.", "other.example."))
    old = crew(front, "configured")
    front.send_signal(signal.SIGHUP)
    front.wait_line("reloaded: 1 configured ports")
    wait_for(lambda: not crew(front, "configured") & old, what="the old gone")
    for pid in crew(front, "configured"):
        check_dropped(pid)
    with pytest.raises(ssl.SSLCertVerificationError):
        presents(front, "front", front.chain)
    with Tls(front.address("front"), client_context(other),
             "other.example") as stream:
        assert mapi.login(stream)[1] == mapi.sorry("front")
    # And the watch on files: the first pair under the second one's name.
    for end in ("pem", "key"):
        shutil.copy2(tmp_path / f"{NAME}.{end}",
                     tmp_path / f"other.example.{end}")
    front.wait_line("certificate files have changed")
    wait_for(lambda: front.api("/api/status")["reload"]["done"] == 2,
             what="the reload")
    assert presents(front, "front", front.chain)


def test_check_at_the_start(begin, tmp_path, make_network):
    """Keys that are parsed, and names that are resolved, by root; and a
    process that waits for a name server after its master's death."""
    config = write_config(tmp_path, [("front", "127.0.0.1:0", {
        "plain": True, "backend": "db.example:1"})])
    with Names(make_network(), tmp_path) as names:
        server = begin("--config", config, ready=False, **names.options)
        names.asked()
        checker, = children(server)
        check_dropped(checker)
        os.kill(server.pid, signal.SIGKILL)
        wait_for(lambda: not server.survivors(), 1, "all gone")


def test_low_port(begin, netns):
    """The reason for root: a port below 1024."""
    server = begin("--sequential", base=600, netns=netns.pid,
                   prefix=netns.prefix)
    assert server.ports["plain"] == 604
    server.inside(lambda: login_once(server, "plain", None))
    for pid in children(server):
        check_dropped(pid)


def test_state(begin, tmp_path):
    """Secrets that the user could read, or that root's master cannot."""
    state = tmp_path / "state"
    server = begin("--state", state)
    files = [path for path in state.rglob("*")
             if path.is_file() and not path.name.endswith((".crt", ".der"))]
    assert len(files) > 7
    for path in files:
        found = path.stat()
        assert found.st_uid == 0 and found.st_mode & 0o077 == 0, path
    worker = server.processes("worker")[0]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: worker not in server.processes("worker"), what="another")
    login_once(server, "server1", client_context())


def test_kill_master(front):
    """Changing the user clears PDEATHSIG: children that nobody ends.

    They are stopped, so that it cannot be the channels' end of file.
    """
    family = children(front)
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    for pid in family:
        wait_for(lambda: procfs._stat(pid)[0] == "T", what="the stop")
    os.kill(front.pid, signal.SIGKILL)
    wait_for(lambda: not front.survivors(), 1, "all gone")


def test_descriptors(begin):
    """A limit of root's that the user's processes do not have."""
    server = begin(prefix=["prlimit", "--nofile=256:4096", "--"])
    for pid in children(server):
        with open(f"/proc/{pid}/limits") as limits:
            line, = (l for l in limits if l.startswith("Max open files"))
        assert line.split()[3:5] == ["4096", "4096"]
    with Raw(server.address("plain")) as stream:
        assert mapi.login(stream)[1] == mapi.sorry("plain")


def test_unknown_user():
    fails([1], "-p", "0", "--user", "no-such-user",
          says=["--user 'no-such-user'", "no such user"])


def test_not_root(binary):
    """One that serves as who it is, not as who was asked for."""
    prefix = ["setpriv", "--reuid", USER, "--regid", "nogroup",
              "--clear-groups"]
    fails([1], "-p", "0", "--user", "daemon", binary=binary, prefix=prefix,
          says=["--user 'daemon'", "only root"])


def test_already_that_user(start, binary):
    """--user in a unit with User=, where there is nothing to drop."""
    server = start("--user", USER, binary=binary, prefix=[
        "setpriv", "--reuid", USER, "--regid", "nogroup", "--clear-groups"])
    assert troubles(server) == []
    login_once(server, "plain", None)


def test_program_out_of_reach(binary):
    """READY=1, and a simulator that is started twice a second for ever."""
    with tempfile.TemporaryDirectory() as folder:   # mode 0700
        for name in ("mapitest", "mapisim"):
            shutil.copy2(binary.parent / name, folder)
        fails([1], "-p", "0", "--user", USER, binary=Path(folder) / "mapitest",
              says=["cannot run the simulator", "Permission denied"])
