"""HOSTILE.md fits what the tier would run; no stack is needed to tell

SPDX-License-Identifier: MPL-2.0
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import hostile                                          # noqa: E402
import judgements                                       # noqa: E402

PAGE = hostile.read_page()
REMEDY = "run tests/run interop --update and look at what it changes"


def test_page_is_up_to_date():
    """A port or stack that was changed without a run."""
    assert hostile.out_of_date(PAGE) is None, REMEDY


def test_ports_are_those_of_the_table():
    """A row of ports.c that no stack ever tries, or that expects another
    thing; trusted needs a certificate that every stack trusts by itself."""
    text = (Path(__file__).parents[2] / "proxy/ports.c").read_text()
    found = []
    for row in text.split("\n    {")[1:]:
        if ".group = GROUP_HOSTILE" in row and ".trusted" not in row:
            expect = row.partition(".expect = EXPECT_")[2].partition(",")[0]
            found.append((row.split('"')[1], expect.lower()))
    assert found == [(port, row.expect) for port, row in hostile.ROWS.items()]


def test_hidden_deviation():
    """A cell changed by hand, so that the deviations do not tell of it."""
    row = next(l for l in PAGE.splitlines() if l.startswith("| slow | accept"))
    assert hostile.out_of_date(PAGE.replace(row, row.replace("+", "error", 1)))


def test_every_cell_is_judged():
    """A way to end a case of which nothing is known that the server said."""
    results, _ = hostile.parse(PAGE)
    assert {(port, cell) for (_, port), cell in results.items()} == {
        row[:2] for row in judgements.parse(PAGE)}


def test_judgements_are_right():
    """A verdict on what only the client can know."""
    assert hostile.misjudged(PAGE) == []
    row = next(l for l in PAGE.splitlines()
               if l.startswith("| cut_message | error | client"))
    bad = PAGE.replace(row, row.replace("open", "pass"))
    assert [found[0] for found in hostile.misjudged(bad)] == ["cut_message"]


def test_cells():
    """Half a reply, or a hang, that counts as an error or as success."""
    reply = "!Sorry, this is not a real MonetDB instance (slow): Sorry"
    cells = [hostile.cell("slow", *did) for did in (
        (0, reply, None), (0, reply[:30], None), (1, reply, None),
        (1, "", None), (1, "", 50), (None, "", None))]
    assert cells == ["+", "FAILED (exit 0)", "FAILED (exit 1)", "error",
                     "error (50)", "FAILED (exit None)"]
