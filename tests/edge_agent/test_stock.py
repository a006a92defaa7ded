"""What facings held, and for how long that was seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.observations import Level, Stock
from edge_agent.stock import Facings, Figures, Held

MINUTE = [(0.0, 60.0)]


def stock(t, present=True, level=None, facing="A"):
    return Stock("table", facing, t, present, level)


def facings(*events):
    made = Facings()
    for event in events:
        made.add(event)
    return made


def figures(made, watched=MINUTE, end=60.0, facing="A"):
    return made.figures("table", facing, watched, end)


@pytest.mark.parametrize(
    ("present", "level", "held"),
    [
        (True, None, Held.FULL),
        (True, Level.FULL, Held.FULL),
        (True, Level.LOW, Held.LOW),
        (True, Level.EMPTY, Held.EMPTY),
        (False, None, Held.EMPTY),
        (False, Level.EMPTY, Held.EMPTY),
    ],
)
def test_what_an_event_says_is_held(present, level, held):
    assert Held.of(stock(0, present, level)) is held


def test_of_a_facing_that_was_never_told_nothing_is_known():
    assert figures(facings()) == Figures(0, 0, 0, None)
    assert figures(facings(stock(0, facing="B"))) == Figures(0, 0, 0, None)


def test_seconds_count_from_when_it_changed():
    made = facings(stock(10), stock(30, level=Level.LOW), stock(50, present=False))
    assert figures(made) == Figures(known_s=50, empty_s=10, low_s=20, since_full_s=30)


def test_only_what_was_watched_counts():
    made = facings(stock(0), stock(20, present=False))
    assert figures(made, [(0.0, 10.0), (25.0, 30.0)]) == Figures(15, 5, 0, 40)


def test_a_full_facing_is_full_at_the_end():
    assert figures(facings(stock(0))).since_full_s == 0


def test_one_that_was_never_full_says_so():
    assert figures(facings(stock(0, present=False))) == Figures(60, 60, 0, None)


def test_how_long_it_is_not_full_goes_on_over_windows():
    made = facings(stock(0), stock(50, present=False))
    made.forget(60)
    assert figures(made, [(60.0, 120.0)], 120.0) == Figures(60, 60, 0, 70)
    made.forget(120)
    assert figures(made, [(120.0, 180.0)], 180.0) == Figures(60, 60, 0, 130)
    made.add(stock(170))
    assert figures(made, [(120.0, 180.0)], 180.0) == Figures(60, 50, 0, 0)


def test_after_a_cut_nothing_is_known_until_it_is_told_again():
    made = facings(stock(0))
    made.cut(20)
    made.cut(25)
    assert figures(made) == Figures(known_s=20, since_full_s=40)
    made.add(stock(50, present=False))
    assert figures(made) == Figures(known_s=30, empty_s=10, since_full_s=40)


def test_a_change_that_is_told_late_counts_from_when_it_was_in_the_window_that_is_open():
    made = facings(stock(0))
    made.forget(60)
    made.add(stock(55, present=False))
    assert figures(made, [(60.0, 120.0)], 120.0) == Figures(60, 60, 0, 65)


def test_nothing_is_kept_for_ever():
    made = facings(*(stock(t, present=t % 2 == 0) for t in range(1000)))
    made.forget(999.5)
    (story,) = made._stories.values()
    assert len(story.changes) == 1


changes = st.lists(st.tuples(st.floats(0, 300), st.sampled_from([None, *Level])), max_size=12).map(
    lambda several: sorted(several, key=lambda one: one[0])
)


@given(changes, st.floats(0, 300))
def test_windows_together_know_as_much_as_one_long_one(several, cut):
    def told(made):
        for t, level in several:
            made.add(stock(t, level is not Level.EMPTY, level))
        made.cut(max([cut, *(t for t, _ in several)]))
        return made

    whole = told(Facings()).figures("table", "A", [(0.0, 300.0)], 300.0)
    parts, made = [], told(Facings())
    for start in range(0, 300, 60):
        parts.append(made.figures("table", "A", [(start, start + 60.0)], start + 60.0))
        made.forget(start + 60.0)
    for name in ("known_s", "empty_s", "low_s"):
        together = sum(getattr(part, name) for part in parts)
        assert together == pytest.approx(getattr(whole, name), abs=1e-6)
    assert parts[-1].since_full_s == pytest.approx(whole.since_full_s)
