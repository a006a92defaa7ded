"""Lost, doubled, with gaps: what was committed beside what is stored."""

from __future__ import annotations

import json

from tests.prove.verdict import Verdict, judge


def row(seq: int, boot: str = "b1", start: float | None = None, visits: int = 1) -> bytes:
    windows = [{"zone": "table", "start": seq if start is None else start, "pass_bys": visits}]
    return json.dumps({"unit": "u1", "boot": boot, "seq": seq, "windows": windows}).encode()


def test_rows_that_are_there_once_are_well():
    rows = [row(1), row(2), row(1, "b2", 1.0)]
    assert judge(rows, rows) == Verdict(told=3, stored=3, visits=3)


def test_a_row_that_is_missing_or_other_is_lost_and_leaves_a_gap():
    told = [row(1), row(2), row(3)]
    found = judge(told, [row(1), row(3)])
    assert found.lost == (("u1", "b1", 2),)
    assert found.gaps == ("b1",)
    assert judge(told, [row(1), row(2, visits=5), row(3)]).lost == (("u1", "b1", 2),)


def test_more_than_was_told_is_well_without_a_gap():
    found = judge([row(1)], [row(1), row(2)])
    assert (found.lost, found.doubled, found.gaps) == ((), (), ())
    assert judge([], [row(2)]).gaps == ("b1",)


def test_a_row_or_a_window_twice_is_doubled():
    assert ("u1", "b1", 1) in judge([row(1)], [row(1), row(1)]).doubled
    assert judge([], [row(1), row(2, start=1)]).doubled == (("b1", "table", 1),)


def test_shops_add_up():
    whole = judge([row(1)], []) + judge([row(1, "b2")], [row(1, "b2")])
    assert (whole.told, whole.stored, whole.lost, whole.visits) == (2, 1, (("u1", "b1", 1),), 1)
