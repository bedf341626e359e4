"""MATRIX.md fits what the tier would run; no stack is needed to tell

SPDX-License-Identifier: MPL-2.0
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import judgements                                       # noqa: E402
import matrix                                           # noqa: E402
import stacks                                           # noqa: E402
from cases import CASES, Case                           # noqa: E402

PAGE = matrix.read_page()
REMEDY = "run tests/run interop --update and look at what it changes"


def test_page_is_up_to_date():
    """A case, stack or expectation that was changed without a run."""
    assert matrix.out_of_date(PAGE) is None, REMEDY


def test_new_case(monkeypatch):
    """A case that is in the table but never ran."""
    monkeypatch.setattr(matrix, "CASES", [*CASES, Case("new", "server1")])
    assert "lacks" in matrix.out_of_date(PAGE)


def test_new_stack(monkeypatch):
    """A stack that is in the table but never ran."""
    fewer = PAGE.replace("| Go |", "| Gone |")
    assert "lacks" in matrix.out_of_date(fewer)
    monkeypatch.setattr(matrix, "STACKS", stacks.STACKS[1:])
    assert matrix.out_of_date(PAGE)


def test_hidden_deviation():
    """A cell changed by hand, so that the deviations do not tell of it."""
    row = next(l for l in PAGE.splitlines() if l.startswith("| Go | 42 |"))
    assert matrix.out_of_date(PAGE.replace(row, row.replace("42", "46", 1)))


def test_other_expectation(monkeypatch):
    """An expectation changed without a look at what then deviates."""
    expected = matrix.read_expected()
    expected["Go"]["expired"]["1.3"] = "45"
    monkeypatch.setattr(matrix, "read_expected", lambda: expected)
    assert matrix.out_of_date(PAGE)


def test_versions_do_not_matter():
    """A patch release that fails the tier although it behaves the same."""
    results, versions = matrix.parse(PAGE)
    newer = matrix.render(results, judgements.parse(PAGE),
                          {name: "99" for name in versions})
    assert matrix.differences(matrix.parse(PAGE)[0],
                              matrix.parse(newer)[0]) == []


def test_new_behaviour_is_news():
    """A tier that stays green when a stack sends another alert."""
    results, _ = matrix.parse(PAGE)
    changed = {**results, ("Go", "refuse_expired"): "45"}
    assert matrix.differences(results, changed) == [
        "Go, refuse_expired: 42 in MATRIX.md, now 45"]


def test_every_cell_is_judged():
    """A way to end a case of which nothing is known that the server said."""
    results, _ = matrix.parse(PAGE)
    assert {(case, cell) for (_, case), cell in results.items()
            if cell != matrix.IMPOSSIBLE} == {
                row[:2] for row in judgements.parse(PAGE)}


def test_judgements_are_right():
    """A wrong origin, type or reason, or a verdict on another client."""
    assert matrix.misjudged(PAGE) == []
    row = next(l for l in PAGE.splitlines()
               if l.startswith("| refuse_expired | 45 | client alert |"))
    for old, new in (("pass", "fail"), ("expired |", "not-trusted |"),
                     ("client", "server"), ("alert-45", "alert-46")):
        altered = row[:20] + row[20:].replace(old, new, 1)
        assert altered != row
        bad = PAGE.replace(row, altered)
        assert [found[0] for found in matrix.misjudged(bad)] == [
            "refuse_expired"]


def test_new_judgement_is_news():
    """A tier that stays green when the server changes its mind."""
    old = judgements.parse(PAGE)
    case, seen, _ = row = min(old)
    new = (case, seen, judgements.Judgement("policy", "-", "-", "open"))
    assert judgements.differences(old, {new}, "MATRIX.md") == [
        f"{case}, {seen}: not in MATRIX.md is policy | - | - | open"]
    assert judgements.differences(old, {row}, "MATRIX.md") == []
