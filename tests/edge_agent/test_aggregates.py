"""Visits become windows of counts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.aggregates import Aggregates, Epoch
from edge_agent.config import Facing, Thresholds, Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import Censored, Doings, Evidence, Handling, Move, Reach, Stock, Visit
from edge_agent.records import Quality

BOARD = Polygon(((0.1, 0.1), (0.2, 0.1), (0.2, 0.2)))
TABLE, SHELF = Zone("table"), Zone("shelf", thresholds=Thresholds(stop_s=2))


def aggregates(window_s=60.0, offset_s=0.0, zones=(TABLE,)):
    return Aggregates(zones, window_s, 0.2, Epoch(offset_s, Quality.SYNCED))


def run(counting, start, end, fps=5.0):
    for i in range(round((end - start) * fps) + 1):
        counting.observe(start + i / fps)


def test_a_visit_counts_where_it_ended():
    counting = aggregates()
    run(counting, 0, 130)
    counting.add([Visit("table", 50, 61), Visit("table", 40, 59.9)])
    first, second = counting.close(130)
    assert (first[0].pass_bys, second[0].pass_bys) == (1, 1)
    assert second[0].dwell_s == 11
    assert (first[0].start, second[0].start) == (0, 60)


def test_pass_bys_hold_stops_and_stops_hold_the_engaged():
    counting = aggregates()
    run(counting, 0, 60)
    counting.add([Visit("table", 0, dwell) for dwell in (1, 4.9, 5, 14.9, 15, 40)])
    ((window,),) = counting.close(60)
    assert (window.pass_bys, window.stops, window.engaged) == (6, 4, 2)
    assert (window.reaches, window.picks, window.put_backs) == (None, None, None)


SHELVED = Zone("table", shelf=BOARD, facings=(Facing("A", BOARD),))


def test_hands_count_where_there_is_a_shelf_and_a_reach_makes_a_visit_engaged():
    counting = aggregates(zones=(SHELVED, SHELF))
    run(counting, 0, 130)
    counting.add(
        [Visit("table", 0, 6, did=Doings(reaches=2)), Visit("table", 0, 7)],
        [
            Reach("table", "A", 58, 59, Evidence.BOTH),
            Reach("table", None, 59, 61, Evidence.WRIST),
            Handling(Move.PICK, "table", "A", 58.5, 0.9),
            Handling(Move.PUT_BACK, "table", "A", 70, 0.9),
            Stock("table", "A", 58.5, False),
        ],
    )
    first, second = counting.close(130)
    assert (first[0].stops, first[0].engaged) == (2, 1)
    assert [(one.reaches, one.picks, one.put_backs) for one in (first[0], second[0])] == [
        (1, 1, 0),
        (1, 0, 1),
    ]
    assert (first[1].reaches, first[1].picks, first[1].put_backs) == (None, None, None)


def test_a_pick_that_shows_late_counts_in_the_window_that_is_open():
    counting = aggregates(zones=(SHELVED,))
    run(counting, 0, 130)
    counting.close(130)
    counting.add([], [Handling(Move.PICK, "table", "A", 30, 0.9)])
    run(counting, 130, 180)
    (third,) = counting.close(180)
    assert third[0].picks == 1


def test_censored_visits_count_as_pass_bys_and_are_told_apart_in_dwell():
    counting = aggregates()
    run(counting, 0, 60)
    counting.add([Visit("table", 0, 10, 1.5, Censored.LEFT), Visit("table", 20, 26)])
    ((window,),) = counting.close(60)
    assert (window.pass_bys, window.censored) == (2, 1)
    assert (window.dwell_s, window.censored_dwell_s, window.bridged_s) == (6, 10, 1.5)


def test_nothing_seen_is_zero_and_nothing_observed_is_told():
    counting = aggregates()
    run(counting, 0, 60)
    run(counting, 150, 180)
    windows = [batch[0] for batch in counting.close(180)]
    assert [w.pass_bys for w in windows] == [0, 0, 0]
    assert [w.observed_s for w in windows] == pytest.approx([60, 0, 30.2], abs=0.01)


def test_each_zone_has_a_row_with_its_own_rules():
    counting = aggregates(zones=(TABLE, SHELF))
    run(counting, 0, 60)
    counting.add([Visit("table", 0, 3), Visit("shelf", 0, 3)])
    ((table, shelf),) = counting.close(60)
    assert (table.stops, shelf.stops) == (0, 1)
    assert (table.definitions.stop_s, shelf.definitions.stop_s) == (5, 2)


def test_a_window_waits_until_its_visits_are_known():
    counting = aggregates()
    run(counting, 0, 61)
    assert counting.close(59.5) == []
    counting.add([Visit("table", 50, 59.8)])
    ((window,),) = counting.close(61)
    assert window.pass_bys == 1


def test_windows_stand_on_whole_multiples_of_the_wall_clock():
    counting = aggregates(offset_s=1_000_000_030.0)
    run(counting, 0, 112)
    first, second = counting.close(112)
    assert first[0].start == 1_000_000_020
    assert second[0].start == 1_000_000_080
    assert first[0].observed_s == pytest.approx(50)
    assert first[0].clock is Quality.SYNCED


def test_the_end_flushes_the_window_that_is_open():
    counting = aggregates()
    run(counting, 0, 70)
    counting.add([Visit("table", 50, 69, censored=Censored.RIGHT)])
    batches = counting.close(60) + counting.flush(70)
    assert [batch[0].observed_s for batch in batches] == pytest.approx([60, 10])
    assert batches[1][0].censored == 1
    assert counting.flush(70) == []


def test_a_visit_reported_too_late_is_counted_late_not_lost():
    counting = aggregates()
    run(counting, 0, 130)
    counting.close(120)
    counting.add([Visit("table", 0, 30)])
    ((window,),) = counting.flush(130)
    assert (window.start, window.pass_bys) == (120, 1)


spans = st.tuples(st.floats(0, 500), st.floats(0, 90))


@given(st.lists(spans, max_size=20), st.floats(1, 120), st.floats(0, 1e9), st.floats(0.05, 3))
def test_no_visit_and_no_second_is_lost_or_doubled(visits, window_s, offset_s, step_s):
    counting = Aggregates((TABLE,), window_s, step_s, Epoch(offset_s))
    visits = [Visit("table", enter, enter + dwell) for enter, dwell in visits]
    waiting = sorted(visits, key=lambda visit: visit.leave_s)
    batches, t = [], 0.0
    while t <= 600:
        counting.observe(t)
        counting.add([visit for visit in waiting if visit.leave_s <= t])
        waiting = [visit for visit in waiting if visit.leave_s > t]
        batches += counting.close(t)
        t += step_s
    last = t - step_s
    batches += counting.flush(last)
    windows = [batch[0] for batch in batches]
    assert sum(w.pass_bys for w in windows) == len(visits)
    assert sum(w.dwell_s for w in windows) == pytest.approx(
        sum(v.dwell_s for v in visits), abs=0.02
    )
    assert sum(w.observed_s for w in windows) == pytest.approx(last, abs=0.002 * len(windows))
    starts = [w.start for w in windows]
    assert all(b - a == pytest.approx(window_s, abs=0.002) for a, b in itertools.pairwise(starts))
