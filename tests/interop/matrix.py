"""matrix.py - MATRIX.md: written from results, read back, compared

The page holds nothing that does not follow from its own cells, cases.py,
stacks.py and expected.txt.  So it is out of date exactly if writing what was
read from it gives another page.

SPDX-License-Identifier: MPL-2.0
"""

import re
from pathlib import Path

import judgements
from cases import CASES
from stacks import STACKS

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "MATRIX.md"
UNTRIED = "?"               # a cell that no run has filled
IMPOSSIBLE = "-"            # the stack cannot do the case
OK, FAILED = "ok", "FAILED"
UNKNOWN = "not known"

INTRODUCTION = """\
# What each TLS stack does on mapitest's ports

Written by `tests/run interop --update`; `tests/run interop` runs every client
in `clients/` again and compares.  Every client verifies strictly: the CA, which
in `refuse_no_cert` is none but those that the stack trusts without being told,
and the host name.  A client speaks TLS 1.3 and nothing else, or TLS 1.2 and
nothing else where the case's name says so; `cases.py` has the cases.

- `ok`: the client did what it must: it read the challenge and the reply and
  ended with exit status 0, or it sent no login and ended with an error.
- A number: so it did, and this is the alert that the server received from it,
  or sent (`sent 70`).
- `CN`: so it did, by close_notify without an alert; `EOF`: by FIN or RST.
- `HS+`: the server's handshake had succeeded before.
- `FAILED`: it did not do what it must.
- `-`: the stack cannot do this: it lacks the version, or its program has no
  option for ALPN.
"""

DEVIATIONS = """\
What differs from `expected.txt` (the alerts known of these stacks before), from
the alert that a port must send, or from what the client must do."""
# Why, where that is known.
REASONS = {
    ("Java JSSE", "sni, name without a dot"):
        "JSSE sends no server name without a dot unless it is told to",
}


def table(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sections():
    """(title, cases) of the tables of results."""
    return [
        ("Must connect", [case for case in CASES if case.connects]),
        ("Must refuse the certificate",
         [case for case in CASES if case.defect]),
        ("Must fail for another reason",
         [case for case in CASES if not case.connects and not case.defect]),
    ]


def read_expected():
    """{stack: {defect: {version: what the server sees}}}."""
    expected = {}
    for line in (FOLDER / "expected.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        stack, *entries = map(str.strip, line.split("|"))
        row = expected[stack] = {}
        for defect, entry in zip(("unknown CA", "expired", "wrong host"),
                                 entries, strict=True):
            new, _, old = entry.partition(" / ")
            row[defect] = {"1.3": new, "1.2": old or new}
    return expected


def wanted(stack, case, expected):
    """What the cell should hold."""
    if not stack.can(case):
        return IMPOSSIBLE
    if case.defect:
        return expected[stack.name][case.defect][case.version]
    if case.sends is not None:
        return f"sent {case.sends}"
    return OK


def verdict(case, cell):
    """What a client is judged by: its name for the test; but on a port that a
    good client leaves, that port."""
    if case.port == "tls12" and case.connects:
        return "fail"
    return "fail" if cell.startswith(FAILED) else "pass"


def misjudged(text):
    """Rows of a page that contradict expected_outcomes.txt."""
    cases = {case.name: case for case in CASES}
    return judgements.wrong(judgements.parse(text), lambda name, cell:
                            name in cases and verdict(cases[name], cell))


def deviations(results, versions):
    expected = read_expected()
    rows = []
    for stack in STACKS:
        for case in CASES:
            want = wanted(stack, case, expected)
            have = results.get((stack.name, case.name), UNTRIED)
            if have != want:
                rows.append([stack.name, versions.get(stack.name, UNTRIED),
                             case.name, want, have,
                             REASONS.get((stack.name, case.name), UNKNOWN)])
    return rows


def render(results, judged, versions):
    """The page, from {(stack, case): cell}, {(case, cell, Judgement)} and
    {stack: version}."""
    parts = [INTRODUCTION, "## Versions\n", table(
        ["stack", "version"],
        [[s.name, versions.get(s.name, UNTRIED)] for s in STACKS])]
    for title, cases in sections():
        parts += [f"\n## {title}\n", table(
            ["stack", *(case.name for case in cases)],
            [[stack.name, *(results.get((stack.name, case.name), UNTRIED)
                            for case in cases)] for stack in STACKS])]
    parts += judgements.section(judged, [case.name for case in CASES])
    rows = deviations(results, versions)
    parts += ["\n## Deviations\n", DEVIATIONS + "\n", table(
        ["stack", "version", "case", "expected", "seen", "why"], rows)
        if rows else "None."]
    return "\n".join(parts) + "\n"


def parse(text):
    """The results and versions in a page."""
    results, versions, columns = {}, {}, []
    before = text.partition(f"\n## {judgements.TITLE}")[0]
    for line in before.splitlines():
        if not line.startswith("|"):
            columns = []
            continue
        cells = re.split(r" +\| +", line.strip("| "))
        if not columns:
            columns = cells
        elif cells[0] != "---":
            for column, cell in zip(columns[1:], cells[1:]):
                if column == "version":
                    versions[cells[0]] = cell
                else:
                    results[cells[0], column] = cell
    return results, versions


def read_page():
    return PAGE.read_text() if PAGE.exists() else ""


def out_of_date(text):
    """Why a page does not fit cases, stacks and expectations; or None."""
    results, versions = parse(text)
    page = render(results, judgements.parse(text), versions)
    if f"| {UNTRIED} |" in page:
        return "it lacks cases or stacks"
    if page != text:
        return "it is not what its own cells, cases and expectations give"
    return None


def differences(committed, fresh, page=PAGE.name):
    """Lines on how two results differ, whatever their versions."""
    return [f"{stack}, {case}: {committed.get((stack, case), UNTRIED)} in "
            f"{page}, now {cell}"
            for (stack, case), cell in fresh.items()
            if committed.get((stack, case)) != cell]
