"""chains.py - CHAINS.md: what the stacks do on the ports of the group chains

Like MATRIX.md, the page holds nothing that does not follow from its own cells,
the stacks and expected_chains.txt.

SPDX-License-Identifier: MPL-2.0
"""

import re
from dataclasses import dataclass
from pathlib import Path

import judgements
import matrix
from cases import Case
from stacks import STACKS

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "CHAINS.md"
ACCEPTED = "+"
# The columns of expected_chains.txt; OpenSSL's own client does what Python's,
# which is made of the same library, does.
COLUMNS = {"OpenSSL s_client": 0, "Python ssl": 0, "Node": 1, "Java JSSE": 2,
           "Go": 3, "gnutls-cli": 4, "NSS tstclnt": 5, "rustls": 6}
CHOSEN = [stack for name in COLUMNS for stack in STACKS if stack.name == name]

INTRODUCTION = """\
# What TLS stacks do on the ports of the group chains

Written by `tests/run interop --update`; `tests/run interop` runs the clients
again and compares.  Each speaks TLS 1.3 and verifies `ca1.crt`, on `ecdsa`
`ca_ecdsa.crt`, and the host name.

- `+`: accepted: it read the challenge and the reply.
- A number: refused, and the alert that the server received.
- `CN`: refused by close_notify without an alert; `EOF`: by FIN or RST.
- `HS+`: the server's handshake had succeeded before.
- `FAILED`: neither the one nor the other.
"""
DEVIATIONS = """\
What differs from `expected_chains.txt`, and all that is wrong, expected or not:
a client that accepts where the verdict is `refuse`, or refuses where it is
`accept`."""


@dataclass(frozen=True)
class Row:
    verdict: str
    cells: tuple        # of the columns


def read_expected():
    """{port: Row} of expected_chains.txt."""
    rows = {}
    for line in (FOLDER / "expected_chains.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            port, verdict, *cells = map(str.strip, line.split("|"))
            rows[port] = Row(verdict, tuple(cells))
    return rows


CASES = [Case(port, port, defect="chains",
              ca="ca_ecdsa.crt" if port == "ecdsa" else "ca1.crt")
         for port in read_expected()]


def wanted(stack_name, port, expected):
    return expected[port].cells[COLUMNS[stack_name]]


def kind(verdict, want, have):
    """What to make of a cell; None: it is as it should be, and as expected."""
    if have.startswith(matrix.FAILED):
        return "fails"
    if verdict != "may" and (verdict == "accept") != (have == ACCEPTED):
        return "wrong"
    if want == have:
        return None
    if (want == ACCEPTED) == (have == ACCEPTED):
        return "another alert"
    return "its choice" if verdict == "may" else "right"


def verdict(row, cell):
    """What mapitest must say of a client."""
    if row.verdict == "may":
        return "open"
    right = (row.verdict == "accept") == (cell == ACCEPTED)
    return "pass" if right else "fail"


def misjudged(text):
    """Rows of a page that contradict expected_outcomes.txt."""
    rows = read_expected()
    return judgements.wrong(judgements.parse(text), lambda port, cell:
                            port in rows and verdict(rows[port], cell))


def render(results, judged, versions):
    """The page, from {(stack, port): cell}, {(port, cell, Judgement)} and
    {stack: version}."""
    expected = read_expected()
    parts = [INTRODUCTION, "## Versions\n", matrix.table(
        ["stack", "version"],
        [[name, versions.get(name, matrix.UNTRIED)] for name in COLUMNS])]
    parts += ["\n## Results\n", matrix.table(
        ["port", "verdict", *COLUMNS],
        [[port, row.verdict, *(results.get((name, port), matrix.UNTRIED)
                               for name in COLUMNS)]
         for port, row in expected.items()])]
    parts += judgements.section(judged, expected)
    rows = []
    for name in COLUMNS:
        for port, row in expected.items():
            want = wanted(name, port, expected)
            have = results.get((name, port), matrix.UNTRIED)
            if what := kind(row.verdict, want, have):
                rows.append([name, versions.get(name, matrix.UNTRIED), port,
                             row.verdict, want, have, what])
    parts += ["\n## Deviations\n", DEVIATIONS + "\n", matrix.table(
        ["stack", "version", "port", "verdict", "expected", "seen", "which is"],
        rows) if rows else "None."]
    return "\n".join(parts) + "\n"


def parse(text):
    """The results and versions in a page."""
    results, versions = {}, {}
    before = text.partition(f"\n## {judgements.TITLE}")[0]
    for line in before.splitlines():
        cells = re.split(r" +\| +", line.strip("| "))
        if not line.startswith("|") or cells[0] in ("stack", "port", "---"):
            continue
        if len(cells) == 2:
            versions[cells[0]] = cells[1]
        else:
            for name, cell in zip(COLUMNS, cells[2:], strict=True):
                results[name, cells[0]] = cell
    return results, versions


def read_page():
    return PAGE.read_text() if PAGE.exists() else ""


def out_of_date(text):
    """Why a page does not fit stacks and expectations; or None."""
    results, versions = parse(text)
    page = render(results, judgements.parse(text), versions)
    if f"| {matrix.UNTRIED} |" in page:
        return "it lacks ports or stacks"
    if page != text:
        return "it is not what its own cells and expectations give"
    return None


def differences(committed, fresh):
    return matrix.differences(committed, fresh, PAGE.name)
