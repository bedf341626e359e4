"""server.py - a running mapitest, and what the tests want to know of it

A server is started on port 0 and known by its port map.  Everything that it
writes is kept; everything that it starts is tracked by the session id and by
a mark in the environment, so that no orphan escapes the check at the end.

SPDX-License-Identifier: MPL-2.0
"""

import fcntl
import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path

import pytest

import procfs

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("MAPITEST_BIN", ROOT / "build/bin/mapitest"))
SCALE = float(os.environ.get("E2E_SCALE", "1"))
SANITIZED = BIN.exists() and b"__asan_init" in BIN.read_bytes()
SLOW = 4 if SANITIZED else 1        # what deadlines are multiplied by

READY = re.compile(r"Serving requests on base port (\d+)")
READY_CONFIGURED = re.compile(r"Serving \d+ configured ports")
SANITIZER_REPORT = re.compile(
    r"ERROR: \w+Sanitizer|WARNING: \w+Sanitizer|runtime error:")
MARK = "MAPITEST_E2E_MARK"
F_SETPIPE_SZ = 1031

long_tier = pytest.mark.skipif("E2E_LONG" not in os.environ,
                               reason="long: for tests/run topology")


def scaled(number, least=1):
    """A number of bytes or connections, smaller in slow builds."""
    return max(least, int(number * SCALE))


def wait_for(condition, seconds=10, what="the condition"):
    """Poll until condition() is true; returns its value."""
    deadline = time.monotonic() + seconds * SLOW
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds * SLOW} s")
        time.sleep(0.01)
    return value


class Mapitest:
    """One instance; started by the constructor, not yet ready."""

    live = []

    def __init__(self, *args, base=0, prefix=(), log_format="json",
                 host="127.0.0.1", netns=None, binary=BIN, env=None,
                 http=None, pass_fds=()):
        self.host = host
        self.http = http            # for --config alone: where HTTP is
        self.tester = base is not None or "--config" not in args
        self.netns = netns
        self.lines = []
        self.news = threading.Condition()
        self.ports = {}
        self.base = None
        self.test_from = 0          # where this test's part of the log begins
        self.mark = uuid.uuid4().hex
        options = [] if base is None else ["-p", str(base)]
        if base is not None and "--ports" not in args:
            options += ["--ports", "classic"]   # others start more slowly
        if log_format is not None:
            options += ["--log-format", log_format]
        self.command = [*prefix, str(binary), *options, *map(str, args)]
        read, write = os.pipe()
        fcntl.fcntl(write, F_SETPIPE_SZ, 1 << 20)   # no line may be lost
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=write, start_new_session=True,
            pass_fds=pass_fds,
            env={**os.environ, **(env or {}), MARK: self.mark})
        os.close(write)
        self.reader = threading.Thread(target=self._read, args=(read,),
                                       daemon=True)
        self.reader.start()
        Mapitest.live.append(self)

    @property
    def pid(self):
        return self.process.pid

    def _read(self, fd):
        with open(fd, errors="backslashreplace", newline="\n") as stream:
            for line in stream:
                with self.news:
                    self.lines.append(line.rstrip("\n"))
                    self.news.notify_all()
        with self.news:
            self.news.notify_all()

    # Starting and stopping

    def wait_ready(self, seconds=30):
        """Wait for the announcement, then fetch the port map."""
        if self.tester:
            line = self.wait_line(READY, seconds)
            self.base = int(READY.search(line)[1])
        else:
            self.wait_line(READY_CONFIGURED, seconds)
            self.base = self.http
        if self.base is not None:
            self.fetch_ports()
        return self

    def fetch_ports(self):
        reply = self.get("/")
        assert reply.status == 200, reply.body
        self.ports = {}
        for line in reply.body.decode().splitlines():
            name, port = line.split(":")
            self.ports[name] = int(port)

    def send_signal(self, number):
        self.process.send_signal(number)

    def wait_exit(self, seconds=20):
        """The exit status, once the program and its stderr are over."""
        code = self.process.wait(seconds * SLOW)
        self.reader.join(5)
        return code

    def stop(self, number=signal.SIGTERM, seconds=20):
        if self.process.poll() is None:
            self.send_signal(number)
        return self.wait_exit(seconds)

    def survivors(self):
        """Processes of this instance that still exist."""
        return procfs.family(self.pid, f"{MARK}={self.mark}")

    def discard(self):
        """Kill what is left, by its own pid; for teardowns."""
        if self in Mapitest.live:
            Mapitest.live.remove(self)
        for pid in self.survivors():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)

    def check_end(self):
        """Stop, and assert that the end was orderly and complete."""
        running = self.process.poll() is None
        try:
            code = self.stop()
            assert self.reports() == []
            if running:
                assert code == 0, f"exit status {code}"
            wait_for(lambda: not self.survivors(), 2,
                     f"orphans gone: {self.survivors()}")
        finally:
            self.discard()

    # HTTP

    def request(self, method, path, headers=None, body=None, timeout=20):
        """One request on the base port; reply.body has the content."""
        def ask():
            connection = http.client.HTTPConnection(
                self.host, self.base, timeout=timeout * SLOW)
            try:
                connection.request(method, path, body, headers or {})
                reply = connection.getresponse()
                reply.body = reply.read()
                return reply
            finally:
                connection.close()
        return self.inside(ask)

    def get(self, path, headers=None):
        return self.request("GET", path, headers)

    def file(self, name):
        reply = self.get("/" + name)
        assert reply.status == 200, f"{name}: {reply.status}"
        return reply.body

    def api(self, path):
        reply = self.get(path)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def inside(self, function):
        """Call function in the network namespace of the program."""
        if self.netns is None:
            return function()
        return procfs.in_netns(self.netns, function)

    def port(self, name):
        return self.ports[name]

    def address(self, name):
        return self.host, self.ports[name]

    # Processes

    def processes(self, kind=None):
        """[(kind, pid)] of /api/status, or the pids of one kind."""
        rows = [(row["kind"], row["pid"])
                for row in self.api("/api/status")["processes"]]
        if kind is None:
            return rows
        return [pid for row_kind, pid in rows if row_kind == kind]

    def pids(self):
        return [pid for _, pid in self.processes()]

    # The log

    def log(self, start=0):
        with self.news:
            return self.lines[start:]

    def text(self, start=0):
        return "\n".join(self.log(start))

    def reports(self):
        return [l for l in self.log() if SANITIZER_REPORT.search(l)]

    def _wait(self, find, seconds, what, position=0):
        deadline = time.monotonic() + seconds * SLOW
        with self.news:
            while True:
                while position < len(self.lines):
                    found = find(self.lines[position])
                    position += 1
                    if found is not None:
                        return found
                left = deadline - time.monotonic()
                over = not self.reader.is_alive()
                if left <= 0 or over:
                    raise AssertionError(
                        f"{what}: not in the log" + (" (ended)" * over)
                        + ":\n" + "\n".join(self.lines[-20:]))
                self.news.wait(min(left, 1))

    def wait_line(self, pattern, seconds=10):
        """The first line that matches the regular expression."""
        pattern = re.compile(pattern)
        return self._wait(lambda line: line if pattern.search(line) else None,
                          seconds, f"a line like {pattern.pattern!r}")

    @staticmethod
    def parse_connection(line):
        """The record in a line of the JSON log, or None."""
        try:
            record = json.loads(line)
        except ValueError:
            return None
        if isinstance(record, dict) and record.get("event") == "connection":
            return record
        return None

    def connections(self, start=0):
        records = map(self.parse_connection, self.log(start))
        return [record for record in records if record is not None]

    def wait_connection(self, client_port, port=None, seconds=10, end=None):
        """The record of the connection that came from client_port.

        Port numbers come again: only this test's part of the log counts, and
        where a test makes thousands of connections, only those of that end.
        """
        def find(line):
            record = self.parse_connection(line)
            if (record and record["client_port"] == client_port
                    and port in (None, record["port"])
                    and end in (None, record["end"])):
                return record
            return None
        return self._wait(find, seconds, f"connection from {client_port}",
                          self.test_from)
