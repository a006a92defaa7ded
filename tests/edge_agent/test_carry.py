"""Small counts wait until there are k; nothing is lost by it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox_world import RULES, window

from edge_agent.records import FacingCounts, Quality, VisitCounts, carrying, release

K = 5


def minute(index, pass_bys, zone="table", **known):
    return window(index, zone, pass_bys, staff=VisitCounts(), **known)


def told(batches, k=K, waiting=()):
    """What is told of batches that come one after the other, and what waits at the end."""
    windows = []
    for batch in batches:
        released = release(waiting, batch, k)
        windows += released.told
        waiting = released.waiting
    return windows, waiting


def test_a_quiet_shelf_is_told_as_the_zero_that_it_is():
    windows, waiting = told([(minute(0, 0),), (minute(1, 0),)])
    assert [one.pass_bys for one in windows] == [0, 0]
    assert waiting == ()


def test_few_visitors_wait_and_go_with_the_next_ones():
    windows, waiting = told([(minute(0, 3),), (minute(1, 0),), (minute(2, 4),)])
    (one,) = windows
    assert (one.pass_bys, one.length_s, one.merged, one.start) == (7, 180, 3, minute(0, 0).start)
    assert one.definitions.k == K
    assert waiting == ()


def test_each_zone_waits_for_itself():
    windows, waiting = told([(minute(0, 3), minute(0, 8, "shelf"))])
    assert [(one.zone, one.pass_bys) for one in windows] == [("shelf", 8)]
    assert carrying(waiting) == ("table",)


def test_reaches_are_the_base_of_a_zone_without_a_floor():
    (few,) = (window(0, "shelf", 0, reaches=2),)
    windows, waiting = told([(few,)])
    assert windows == []
    assert waiting[0].reaches == 2


def test_reaches_of_nobody_on_the_floor_are_told():
    windows, _ = told([(minute(0, 0, reaches=2),)])
    assert windows[0].reaches == 2


def test_what_a_day_leaves_is_carried_into_the_next():
    evening, morning = minute(0, 2), minute(12 * 60, 3)
    windows, waiting = told([(evening,), (morning,)])
    assert (windows[0].pass_bys, windows[0].start) == (5, evening.start)
    assert windows[0].length_s == 12 * 3600 + 60
    assert waiting == ()


def test_a_smaller_k_lets_go_what_waits_also_without_news():
    _, waiting = told([(minute(0, 3),)])
    windows, waiting = told([(minute(1, 0, "shelf"),)], k=2, waiting=waiting)
    assert {(one.zone, one.pass_bys, one.definitions.k) for one in windows} == {
        ("table", 3, 2),
        ("shelf", 0, 2),
    }
    assert waiting == ()


def test_a_larger_k_goes_on_with_what_waits():
    _, waiting = told([(minute(0, 3),)])
    windows, waiting = told([(minute(1, 3),), (minute(2, 3),)], k=9, waiting=waiting)
    assert [one.pass_bys for one in windows] == [9]


def test_what_was_counted_by_other_rules_is_never_added_up():
    other = minute(1, 9, definitions=replace(RULES, stop_s=8))
    windows, waiting = told([(minute(0, 3),), (other,)])
    assert [one.pass_bys for one in windows] == [9]
    assert [one.pass_bys for one in waiting] == [3]


def test_a_floor_that_comes_or_goes_makes_it_another_zone_to_count():
    hands = window(0, "table", 0, reaches=3)
    windows, waiting = told([(hands,), (minute(1, 0),)])
    assert [one.base for one in windows] == [0]
    assert [one.base for one in waiting] == [3]
    windows, _ = told([(minute(0, 3),), (window(1, "table", 0, reaches=9),)])
    assert [one.base for one in windows] == [9]


def test_facings_that_were_renamed_are_not_told_in_one_window():
    def faced(index, name):
        return minute(index, 3, facings=(FacingCounts(name),))

    windows, waiting = told([(faced(0, "A"),), (faced(1, "B"),), (faced(2, "B"),)])
    assert [[facing.name for facing in one.facings] for one in windows] == [["B"]]
    assert [one.pass_bys for one in waiting] == [3]


def test_one_visitor_is_told_where_k_is_one():
    windows, waiting = told([(minute(0, 1),)], k=1)
    assert windows[0].pass_bys == 1
    assert waiting == ()


@pytest.mark.parametrize("clocks", [("unsynced", "synced"), ("synced", "unsynced")])
def test_times_of_two_clocks_are_put_side_by_side_and_told_as_unsure(clocks):
    first, second = map(Quality, clocks)
    ten_years_on = minute(0, 3, clock=first, start=2_015_000_000.0, bound_s=1.0)
    windows, _ = told([(ten_years_on,), (minute(5, 3, clock=second, bound_s=1.0),)])
    (one,) = windows
    assert (one.clock, one.bound_s, one.length_s) == (Quality.UNSYNCED, None, 120)
    assert one.end == minute(5, 0).end


def test_a_recording_is_never_told_with_the_time_of_day():
    recorded = minute(0, 3, clock=Quality.RECORDING, start=0.0)
    windows, waiting = told([(recorded,), (minute(0, 3),)])
    assert windows == []
    assert len(waiting) == 2


batches = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(1, 9)), min_size=1, max_size=40
)


@given(batches)
def test_no_base_below_k_is_told_and_every_sum_is_conserved(found):
    waiting, windows = (), []
    for index, (here, there, k) in enumerate(found):
        batch = (minute(index, here), window(index, "shelf", 0, reaches=there))
        released = release(waiting, batch, k)
        waiting = released.waiting
        windows += released.told
        assert not any(0 < one.base < k for one in released.told)
        assert all(0 < one.base < k for one in waiting)
    both = [*windows, *waiting]
    assert sum(one.pass_bys for one in both) == sum(here for here, _, _ in found)
    assert sum(one.reaches or 0 for one in both) == sum(there for _, there, _ in found)
    assert sum(one.merged for one in both) == 2 * len(found)
    assert sum(one.observed_s for one in both) == 120 * len(found)
