"""reloads.py - a configuration in a folder, and the server that serves it

SPDX-License-Identifier: MPL-2.0
"""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
from pathlib import Path

import pytest

import backends
import mapi
from server import wait_for
from streams import Raw, Tls, client_context

SOURCE = Path(__file__).with_name("preload.c")


def make_certificate(folder, name, host="localhost"):
    """Write NAME.pem and NAME.key; returns the certificate as DER."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-days", "30",
         "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host}",
         "-out", chain], check=True, capture_output=True)
    key.chmod(0o600)
    return ssl.PEM_cert_to_DER_cert(chain.read_text())


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def echoes(stream, data=b"still here"):
    """True if the connection through to an echo server lives."""
    stream.send(data)
    return stream.recv_exactly(len(data)) == data


def is_refused(number):
    try:
        Raw(("127.0.0.1", number)).close()
    except ConnectionRefusedError:
        return True
    return False


def name_of(pid):
    with open(f"/proc/{pid}/comm", "rb") as stream:
        return stream.read().strip()


def signal_pending(pid):
    with open(f"/proc/{pid}/status") as stream:
        for line in stream:
            if line.startswith("ShdPnd:"):
                return int(line.split()[1], 16) & 1
    return False


class Site:
    """A folder with mapitest.json, the certificate `first`, and a server.

    .ports has what the configuration's ports are, by name; save() writes it.
    `one` has an echo server behind it, `two` the simulator.
    """

    def __init__(self, folder, start, target, state):
        self.folder = folder
        self.begin = start
        self.state = state
        self.file = folder / "mapitest.json"
        self.first = make_certificate(folder, "first")
        self.ports = {"one": self.port(target), "two": self.port()}
        self.top = {}
        self.context = client_context()
        self.environment = None
        self.server = None

    @staticmethod
    def port(target="simulator", listen="127.0.0.1:0", certificate="first",
             **more):
        return {"listen": [listen], "backend": target, "certificates":
                [{"chain": f"{certificate}.pem", "key": f"{certificate}.key"}],
                **more}

    def text(self):
        ports = [{"name": name, **port} for name, port in self.ports.items()]
        return json.dumps({**self.top, "ports": ports}, indent=1)

    def save(self, text=None):
        self.file.write_text(self.text() if text is None else text)

    def start(self, *options, **more):
        more.setdefault("env", self.environment)
        self.save()
        if "--state" not in options:
            options += ("--state", self.state)  # no keys to be made
        self.server = self.begin("--config", self.file, "--workers", "2",
                                 "-n", "localhost", *options, **more)
        return self

    # What the server says

    def status(self):
        return self.server.api("/api/status")

    def outcome(self):
        return self.status()["reload"]

    def reloads(self):
        row = self.outcome()
        return row["done"] + row["failed"]

    def hangup(self):
        self.server.send_signal(signal.SIGHUP)

    def reload(self):
        """SIGHUP, and how that went."""
        before = self.reloads()
        self.hangup()
        return self.wait_reload(before)

    def wait_reload(self, before):
        wait_for(lambda: self.reloads() > before, 15, "a reload")
        return self.outcome()

    def succeed(self):
        before = self.outcome()
        after = self.reload()
        assert after["error"] is None, after["error"]
        assert after["done"] == before["done"] + 1
        assert after["failed"] == before["failed"]

    def workers(self, crew="configured"):
        return [row for row in self.status()["processes"]
                if row["kind"] == "worker" and row["crew"] == crew]

    def numbers(self):
        return {name: row["port"]
                for name, row in self.status()["ports"].items()}

    def number(self, name):
        return self.numbers()[name]

    def told(self, pattern, times, start=0):
        """So many lines of the log match."""
        def count():
            return sum(bool(re.search(pattern, line))
                       for line in self.server.log(start))
        wait_for(lambda: count() >= times, what=pattern)
        assert count() == times

    def of_edition(self, number):
        return [row for row in self.workers() if row["edition"] == number]

    # Clients

    def connect(self, name="one", context=None, number=None, sni="localhost",
                **more):
        number = number or self.number(name)
        return Tls(("127.0.0.1", number), context or self.context, sni, **more)

    def open(self, name="one"):
        """A connection that has echoed once."""
        stream = self.connect(name)
        assert echoes(stream)
        return stream

    def presented(self, name="one", sni="localhost"):
        with self.connect(name, sni=sni) as stream:
            return stream.tls.getpeercert(True)

    def login(self, name="two"):
        with self.connect(name) as stream:
            assert mapi.login(stream)[1] == mapi.sorry(name)


@contextlib.contextmanager
def undisturbed(site, name="one"):
    """What is open goes on, and the same certificate is presented."""
    before = site.presented(name)
    numbers = site.numbers()
    with site.open(name) as stream:
        yield
        assert echoes(stream)
    assert site.presented(name) == before
    assert site.numbers() == numbers
    site.login()


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory):
    """Generated certificates that servers can start with at once."""
    return tmp_path_factory.mktemp("state") / "state"


@pytest.fixture
def idle_site(tmp_path, start, backend, state_folder):
    return Site(tmp_path, start, backend(backends.echo).target, state_folder)


@pytest.fixture
def site(idle_site):
    return idle_site.start()


class Preload:
    """What preload.c can do to a server that is started with .env."""

    def __init__(self, library, folder):
        self.gates = folder / "gates"
        self.gates.mkdir()
        self.clock = folder / "clock"
        self.clock.write_bytes(bytes(8))
        self.now = 0
        options = os.environ.get("ASAN_OPTIONS", "")
        self.env = {"LD_PRELOAD": str(library),
                    "MAPITEST_GATES": str(self.gates),
                    "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0"}
        self.clock_env = {**self.env, "MAPITEST_CLOCK": str(self.clock)}

    def close(self, name):
        """Processes of that name wait where they begin."""
        (self.gates / f"mapitest:{name}").touch()

    def open(self, name):
        (self.gates / f"mapitest:{name}").unlink()

    def wind(self, seconds):
        """All clocks of a server with .clock_env jump ahead."""
        self.now += seconds
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("q", self.now))


@pytest.fixture(scope="session")
def preload_library(tmp_path_factory):
    library = tmp_path_factory.mktemp("preload") / "preload.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE,
                    "-ldl"], check=True)
    return library


@pytest.fixture
def preload(preload_library, tmp_path):
    return Preload(preload_library, tmp_path)
