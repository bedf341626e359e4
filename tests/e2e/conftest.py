"""conftest.py - fixtures: running servers and what they generated

SPDX-License-Identifier: MPL-2.0
"""

import os
import resource
import subprocess

import pytest

import backends
import procfs
from fronts import Pki, write_config
from monetdbd import Monetdbd
from reloads import (                       # fixtures
    idle_site, preload, preload_library, site, state_folder)
from server import BIN, Mapitest

NAMES = ("localhost", "mapitest.example")
DUMPED_LINES = 150


def pytest_configure(config):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if not BIN.exists():
        raise pytest.UsageError(f"{BIN} is not there: build it, or set "
                                "MAPITEST_BIN")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item, nextitem):
    """Remember how far each log was, so that a dump starts there."""
    for server in Mapitest.live:
        server.test_from = len(server.log())
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Add the logs of this test's servers to the report of a failure."""
    report = (yield).get_result()
    if call.excinfo is None or report.skipped:
        return
    for server in Mapitest.live:
        lines = server.log(server.test_from)[-DUMPED_LINES:]
        report.sections.append((f"log of {' '.join(server.command)}",
                                "\n".join(lines)))


@pytest.fixture
def start():
    """start(OPTION...) -> a ready server of the test's own.

    ready=False returns it at once; other keywords are Mapitest's.
    """
    servers = []

    def begin(*args, ready=True, **options):
        server = Mapitest(*args, **options)
        servers.append(server)
        return server.wait_ready() if ready else server

    yield begin
    failures = []
    for server in reversed(servers):
        try:
            server.check_end()
        except AssertionError as error:
            failures.append(f"{' '.join(server.command)}: {error}\n"
                            + "\n".join(server.log()[-40:]))
    assert not failures, "\n".join(failures)


@pytest.fixture(scope="session")
def shared():
    """One server for all tests that leave it as it was."""
    options = [word for name in NAMES for word in ("-n", name)]
    server = Mapitest(*options)
    try:
        server.wait_ready()
        before = set(server.processes())
        yield server
        assert set(server.processes()) == before, "a process was replaced"
        server.check_end()
    finally:
        server.discard()


class Files:
    """The files of a server on disk, fetched over HTTP when asked for."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder

    def __call__(self, name):
        path = self.folder / name
        if not path.exists():
            path.write_bytes(self.server.file(name))
        return str(path)

    def text(self, name):
        with open(self(name)) as stream:
            return stream.read()

    def bytes(self, name):
        with open(self(name), "rb") as stream:
            return stream.read()


@pytest.fixture(scope="session")
def files(shared, tmp_path_factory):
    """files(NAME) -> path of the shared server's file."""
    return Files(shared, tmp_path_factory.mktemp("files"))


@pytest.fixture
def files_of(tmp_path):
    """files_of(server)(NAME) -> path of another server's file."""
    return lambda server: Files(server, tmp_path)


@pytest.fixture
def backend():
    """backend(handler) -> a listening backend that is closed at the end."""
    opened = []

    def begin(handler=backends.echo):
        opened.append(backends.Backend(handler))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()
    errors = [error for one in opened for error in one.errors]
    assert errors == []


@pytest.fixture
def monetdb(tmp_path):
    """monetdb(KIND, ...) -> a server on "tcp" or on a "unix" socket."""
    opened = []

    def begin(kind="tcp", **options):
        path = tmp_path / f"s{len(opened)}" if kind == "unix" else None
        opened.append(Monetdbd(path=path, **options))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()
    assert [error for one in opened for error in one.errors] == []


@pytest.fixture
def dead():
    """A backends.Dead."""
    one = backends.Dead()
    yield one
    one.close()


@pytest.fixture
def mute():
    """A backends.Mute."""
    one = backends.Mute()
    yield one
    one.close()


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """Certificates as an operator has them."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def configured(start, tmp_path):
    """configured(PORT...) -> a server with these ports and the test ports.

    root= has the file's other keys, options= the command line's; other
    keywords are Mapitest's.
    """
    def begin(*ports, root=None, options=(), **keywords):
        path = write_config(tmp_path, *ports, **(root or {}))
        return start("--config", path, *options, **keywords)

    return begin


@pytest.fixture
def echo(backend):
    """HOST:PORT of a listening echo server."""
    return backend(backends.echo).target


@pytest.fixture
def keylog(tmp_path):
    """Where a records.Client finds its keys."""
    return tmp_path / "keylog"


class Network:
    """A network namespace with nothing but a loopback interface."""

    def __init__(self, prepare=""):
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-ec",
             f"{prepare}\nip link set lo up; echo up; exec sleep infinity"],
            stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == b"up\n"
        self.pid = self.holder.pid
        self.prefix = ["nsenter", "-t", str(self.pid), "-n", "--"]

    def run(self, function):
        return procfs.in_netns(self.pid, function)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


@pytest.fixture
def make_network():
    """make_network(SHELL COMMANDS) -> a namespace prepared by them."""
    if os.getuid() != 0:
        pytest.skip("network namespaces need root")
    made = []

    def make(prepare=""):
        made.append(Network(prepare))
        return made[-1]

    yield make
    for network in made:
        network.close()


@pytest.fixture
def netns(make_network):
    """A network namespace of the test's own: every port is free."""
    return make_network()
