"""judgements.py - what mapitest says of a client, beside what the client did

Clients that did the same in a case are judged alike, so a page has one row for
each case and way of doing it; a second one would be a contradiction.

SPDX-License-Identifier: MPL-2.0
"""

import re
from dataclasses import astuple, dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parent / "expected_outcomes.txt"
NONE = "-"
TITLE = "What mapitest says"
COLUMNS = ["case", "seen", "origin", "result type", "failure reason",
           "verdict"]
INTRODUCTION = """\
Origin, result type and failure reason (RFC 8460) and verdict as
`/api/connections` has them, for each way in which a case was ended.
`expected_outcomes.txt` says what they should be."""


@dataclass(frozen=True, order=True)
class Judgement:
    origin: str
    result: str
    reason: str
    verdict: str


def of(record):
    return Judgement(record["origin"], record["result_type"] or NONE,
                     record["failure_reason_code"] or NONE, record["verdict"])


def section(judgements, names):
    """The part of a page, from {(case, seen, Judgement)}."""
    order = {name: number for number, name in enumerate(names)}
    rows = sorted(judgements, key=lambda row: (order.get(row[0], -1), row))
    lines = [COLUMNS, ["---"] * len(COLUMNS),
             *([case, seen, *astuple(what)] for case, seen, what in rows)]
    return [f"\n## {TITLE}\n", INTRODUCTION + "\n",
            "\n".join(f"| {' | '.join(line)} |" for line in lines)]


def parse(text):
    """{(case, seen, Judgement)} of a page."""
    found = set()
    part = text.partition(f"\n## {TITLE}\n")[2].partition("\n## ")[0]
    for line in part.splitlines():
        cells = re.split(r" +\| +", line.strip("| "))
        if line.startswith("|") and cells[0] not in (COLUMNS[0], "---"):
            found.add((cells[0], cells[1], Judgement(*cells[2:])))
    return found


def differences(committed, fresh, page):
    """Lines on what is new; which stacks ran does not matter."""
    return [f"{case}, {seen}: not in {page} is {' | '.join(astuple(what))}"
            for case, seen, what in sorted(fresh - committed)]


def read_expected():
    """{what was seen: (origin, result type, reason)}."""
    expected = {}
    for line in FILE.read_text().splitlines():
        if line and not line.startswith("#"):
            seen, *words = map(str.strip, line.split("|"))
            assert seen not in expected and len(words) == 3, line
            expected[seen] = tuple(words)
    return expected


def wrong(judged, verdict):
    """Rows that are not as expected_outcomes.txt and verdict(case, seen) have
    them."""
    expected = read_expected()
    return [(case, seen, what) for case, seen, what in sorted(judged)
            if astuple(what) != (*expected.get(f"{case}: {seen}",
                                               expected.get(seen, ())),
                                 verdict(case, seen))]
