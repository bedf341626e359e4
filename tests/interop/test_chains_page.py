"""CHAINS.md fits what the tier would run; no stack is needed to tell

SPDX-License-Identifier: MPL-2.0
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import chains                                           # noqa: E402
import judgements                                       # noqa: E402

PAGE = chains.read_page()
REMEDY = "run tests/run interop --update and look at what it changes"


def test_page_is_up_to_date():
    """A port, stack or expectation that was changed without a run."""
    assert chains.out_of_date(PAGE) is None, REMEDY


def test_ports_are_those_of_the_table():
    """A row of ports.c that no stack ever tries, or with another verdict."""
    text = (Path(__file__).parents[2] / "proxy/ports.c").read_text()
    found = []
    for part in text.split('{CHAIN("')[1:]:
        verdict = part.partition(".expect = EXPECT_")[2].partition(",")[0]
        found.append((part.partition('"')[0], verdict.lower()))
    assert found == [(port, row.verdict)
                     for port, row in chains.read_expected().items()]


def test_hidden_deviation():
    """A cell changed by hand, so that the deviations do not tell of it."""
    row = next(l for l in PAGE.splitlines() if l.startswith("| chain_exp"))
    assert chains.out_of_date(PAGE.replace(row, row.replace("45", "46", 1)))


def test_new_behaviour_is_news():
    """A tier that stays green when a stack starts to accept."""
    results, _ = chains.parse(PAGE)
    changed = {**results, ("Go", "impostor"): chains.ACCEPTED}
    assert chains.differences(results, changed) == [
        "Go, impostor: 42 in CHAINS.md, now +"]


def test_kinds_of_deviations():
    """An acceptance of what must be refused that passes for a choice."""
    kinds = [chains.kind(*case) for case in (
        ("refuse", "42", "+"), ("accept", "+", "42"), ("may", "42", "+"),
        ("refuse", "+", "+"), ("refuse", "42", "46"), ("refuse", "+", "46"),
        ("refuse", "42", "42"), ("may", "+", "+"))]
    assert kinds == ["wrong", "wrong", "its choice", "wrong", "another alert",
                     "right", None, None]


def test_every_cell_is_judged():
    """A way to end a case of which nothing is known that the server said."""
    results, _ = chains.parse(PAGE)
    assert {(port, cell) for (_, port), cell in results.items()} == {
        row[:2] for row in judgements.parse(PAGE)}


def test_judgements_are_right():
    """A verdict that lets a client pass which accepts what it must refuse."""
    assert chains.misjudged(PAGE) == []
    row = next(l for l in PAGE.splitlines()
               if l.startswith("| chain_no_certsign | + | orderly |"))
    bad = PAGE.replace(row, row.replace("fail", "pass"))
    assert [found[:2] for found in chains.misjudged(bad)] == [
        ("chain_no_certsign", chains.ACCEPTED)]
