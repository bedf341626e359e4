"""The suite for authors of clients: it finds every test, and what is wrong

SPDX-License-Identifier: MPL-2.0
"""

import os
import subprocess
import sys

from server import ROOT, SLOW

SUITE = ROOT / "tests/examples/suite.py"
# To be put before this line: a client that takes any certificate.
BEFORE = "    made.set_alpn_protocols("
CARELESS = """\
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
"""
# What the certificate alone can tell.
VERIFIED = {"refuse_no_ca", "refuse_wrong_ca", "refuse_wrong_host",
            "refuse_ca2_by_ca1", "refuse_expired"}


def run(server, suite=SUITE, system=""):
    """Exit status, {test: verdict} and the last line of a run; system is what
    Python takes for the system's trust store."""
    done = subprocess.run(
        [sys.executable, "-B", suite, f"{server.host}:{server.base}"],
        env={**os.environ, "SSL_CERT_FILE": str(system), "SSL_CERT_DIR": ""},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=120 * SLOW)
    assert done.stderr == "", done.stderr
    *lines, last = done.stdout.splitlines()
    rows = [line.split() for line in lines if not line.startswith(" ")]
    return done.returncode, {row[1]: row[0] for row in rows}, last


def test_every_test_is_passed(start, pki):
    """A row that a good client fails, that the suite leaves out, or whose
    verdict is another one afterwards."""
    server = start("--ports", "classic,hostile,chains", "-n", "localhost",
                   "--trusted-cert", pki.sales.chain,
                   "--trusted-key", pki.sales.key)
    code, verdicts, last = run(server, system=pki.ca.path)
    assert code == 0, last
    tests = {test["name"]: test["expect"]
             for test in server.api("/api/tests")["tests"]}
    assert list(verdicts) == list(tests) and "connect_trusted" in verdicts
    groups = {row["group"] for row in server.api("/api/portmap")["ports"]
              .values()}
    assert groups == {"classic", "hostile", "chains"}
    assert verdicts == {
        row["test"]: row["verdict"]
        for row in server.api("/api/verdicts?limit=1000")["verdicts"]}
    assert {name for name, verdict in verdicts.items() if verdict == "open"
            } == {"refuse_truncate", "refuse_cut_message", *(
                name for name, expect in tests.items() if expect == "may")}
    assert last.endswith(" 0 fail, 7 open; 0 wrong")


def test_a_client_that_verifies_nothing(shared, tmp_path):
    """A suite that is content with any client."""
    careless = tmp_path / "suite.py"
    text = SUITE.read_text()
    assert text.count(BEFORE) == 1
    careless.write_text(text.replace(BEFORE, CARELESS + BEFORE))
    code, verdicts, last = run(shared, careless)
    assert {name for name, verdict in verdicts.items() if verdict == "fail"
            } == VERIFIED
    assert code == 1 and last.endswith(f" {len(VERIFIED)} wrong")
