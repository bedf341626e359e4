#!/usr/bin/python3
"""live.py - programs that talk to a running mapitest and check it by themselves

usage: live.py PROMTOOL

The suite in Java for authors of clients goes through all tests; afterwards
Prometheus's own promtool reads the counters.  Each must also find fault where
there is one.

SPDX-License-Identifier: MPL-2.0
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

import stacks                                           # noqa: E402
from server import Mapitest, SLOW                       # noqa: E402

SUITE = ROOT / "tests/examples/Suite.java"


def run(*command, text=""):
    """Exit status and output; both are printed."""
    done = subprocess.run(command, input=text, env=stacks.ENVIRONMENT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120 * SLOW)
    print(f"{done.stdout}{Path(command[0]).name}: exit {done.returncode}",
          flush=True)
    return done.returncode, done.stdout


def suite(server):
    return run("java", SUITE, f"{server.host}:{server.base}")


def check_suite(server):
    code, output = suite(server)
    tests = len(server.api("/api/tests")["tests"])
    assert code == 0 and f"\n{tests} tests: " in output


def check_failing_suite(server):
    """JSSE sends no server name without a dot: one test fails."""
    code, output = suite(server)
    wrong = [line.split()[1] for line in output.splitlines()
             if line.startswith("fail ")]
    assert code == 1 and wrong == ["connect_server_name"]


def check_metrics(server, promtool):
    text = server.get("/metrics").body.decode()
    assert "\nmapitest_verdicts_total{" in text
    assert run(promtool, "check", "metrics", text=text)[0] == 0
    twice = text + text.splitlines()[0] + "\n"
    assert run(promtool, "check", "metrics", text=twice)[0] != 0


def main(promtool):
    servers = [Mapitest("-n", name, "--ports", groups) for name, groups in (
        ("localhost.localdomain", "classic,hostile,chains"),
        ("localhost", "classic"))]
    try:
        for server in servers:
            server.wait_ready()
        check_suite(servers[0])
        check_failing_suite(servers[1])
        check_metrics(servers[0], promtool)
        for server in servers:
            server.check_end()
    finally:
        for server in servers:
            server.discard()


main(*sys.argv[1:])
