"""Visits become windows of counts."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.aggregates import Aggregates, Epoch
from edge_agent.certainty import Kind, of_events
from edge_agent.config import Facing, Thresholds, Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import (
    Abstained,
    Censored,
    Doings,
    Evidence,
    Handling,
    Level,
    Move,
    Reach,
    Stock,
    Visit,
)
from edge_agent.records import (
    EDGES,
    Estimate,
    Estimates,
    FacingCounts,
    Histograms,
    Quality,
    VisitCounts,
)

BOARD = Polygon(((0.1, 0.1), (0.2, 0.1), (0.2, 0.2)))
TABLE, SHELF = Zone("table"), Zone("shelf", thresholds=Thresholds(stop_s=2))


def aggregates(window_s=60.0, offset_s=0.0, zones=(TABLE,), epoch=None):
    return Aggregates(zones, window_s, 0.2, epoch or Epoch(offset_s, Quality.SYNCED))


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


UNSET, SET = Epoch(0.0, Quality.UNSYNCED), Epoch(1_000_017.0, Quality.SYNCED, 1.0)


def test_windows_nobody_timed_yet_are_timed_by_the_first_word_of_a_time_server():
    counting = aggregates(epoch=UNSET)
    run(counting, 0, 90)
    counting.set_clock(SET, 90)
    run(counting, 90, 200)
    windows = [batch[0] for batch in counting.close(130)]
    assert [one.start for one in windows] == [1_000_017, 1_000_077, 1_000_107]
    assert [one.length_s for one in windows] == [60, 30, 33], "from then on by the minute"
    assert {(one.clock, one.bound_s) for one in windows} == {(Quality.SYNCED, 1.0)}
    assert sum(one.observed_s for one in windows) == pytest.approx(123, abs=0.5)


def test_a_clock_that_is_set_forward_leaves_a_gap_and_counts_nothing_twice():
    counting = aggregates(epoch=SET)
    run(counting, 0, 90)
    counting.set_clock(Epoch(1_003_617.0, Quality.SYNCED, 1.0), 90)
    run(counting, 90, 200)
    _, before, cut, after, *_ = [batch[0] for batch in counting.flush(200)]
    assert (before.length_s, cut.length_s) == (60, 27)
    assert (cut.start, after.start) == (before.end, cut.end + 3600)


def test_a_clock_set_before_anything_was_seen_is_simply_the_clock():
    counting = aggregates(epoch=UNSET)
    counting.set_clock(SET, 5)
    run(counting, 6, 130)
    assert {batch[0].clock for batch in counting.flush(130)} == {Quality.SYNCED}


@given(st.lists(st.tuples(st.floats(1, 590), st.floats(-1e6, 1e8)), max_size=6), st.booleans())
def test_no_second_is_counted_twice_however_often_the_clock_is_set(steps, synced):
    quality = Quality.SYNCED if synced else Quality.UNSYNCED
    counting = aggregates(epoch=Epoch(1e9, quality))
    steps, batches, t = sorted(steps), [], 0.0
    while t <= 600:
        while steps and steps[0][0] <= t:
            counting.set_clock(Epoch(1e9 + steps.pop(0)[1], Quality.SYNCED, 1.0), t)
        counting.observe(t)
        counting.add([Visit("table", t, t)])
        batches += counting.close(t)
        t += 1.0
    windows = [batch[0] for batch in [*batches, *counting.flush(t - 1.0)]]
    assert sum(one.pass_bys for one in windows) == 601
    assert sum(one.observed_s for one in windows) == pytest.approx(600, abs=0.5)
    assert all(one.length_s > 0 for one in windows)


SQUARE = Polygon(((0.1, 0.5), (0.9, 0.5), (0.9, 0.9)))
FIXTURE = Zone(
    "table",
    floor=SQUARE,
    shelf=BOARD,
    facings=(Facing("A", BOARD, brand="acme"), Facing("B", BOARD)),
)


def visit(enter, leave, staff=False, censored=Censored.NONE, **did):
    return Visit("table", enter, leave, 0.0, censored, staff, Doings(**did))


def told(*visits, events=(), zone=FIXTURE):
    """The first minute's window."""
    counting = aggregates(zones=(zone,))
    run(counting, 0, 60)
    counting.add(visits, events)
    ((window,),) = counting.close(60)
    return window


def buckets(name, **counts):
    """A histogram by where buckets begin: _0=1 is one in the bucket from 0."""
    found = [0] * len(EDGES[name])
    for edge, count in counts.items():
        found[EDGES[name].index(int(edge[1:]))] = count
    return tuple(found)


def test_staff_counts_among_all_and_once_more_beside():
    window = told(
        visit(0, 6, reaches=1, first_s=1.0),
        visit(0, 20, staff=True, reaches=5, picks=1, put_backs=4, first_s=2.0),
        visit(0, 3, staff=True),
        visit(0, 30, staff=True, censored=Censored.LEFT),
    )
    assert (window.pass_bys, window.stops, window.engaged, window.dwell_s) == (4, 3, 3, 29)
    assert window.staff == VisitCounts(
        pass_bys=3, stops=2, engaged=2, dwell_s=23, reached=1,
        reaches=5, picks=1, put_backs=4, empty_handed=1,
    )  # fmt: skip


def test_stops_that_reached_and_hands_that_left_empty():
    window = told(
        visit(0, 3, reaches=1),
        visit(0, 6, reaches=1, kept=(("A", 4.0),)),
        visit(0, 7),
        visit(0, 8, reaches=2, picks=1, put_backs=1),
    )
    assert (window.stops, window.reached, window.empty_handed) == (3, 2, 2)


def test_times_are_told_in_buckets_and_only_of_visits_seen_whole():
    histograms = told(
        visit(0, 4.99),
        visit(0, 5, reaches=1, first_s=0.4),
        visit(0, 40, reaches=2, switches=1, first_s=5.0, kept=(("A", 12.0),)),
        visit(0, 55, reaches=12, first_s=9.99, kept=(("B", 39.0), ("A", 20.0))),
        visit(0, 50, reaches=3, first_s=30.0, censored=Censored.RIGHT),
    ).histograms
    assert histograms == Histograms(
        dwell_s=buckets("dwell_s", _2=1, _5=1, _30=2),
        first_reach_s=buckets("first_reach_s", _0=1, _5=2),
        choosing_s=buckets("choosing_s", _10=1, _20=1),
        reaches=buckets("reaches", _0=1, _1=1, _2=1, _3=1, _10=1),
        switches=buckets("switches", _0=4, _1=1),
    )


def test_a_time_that_lies_on_an_edge_but_for_its_last_bits_lies_on_it():
    just = visit(3.2, 8.2)
    assert just.dwell_s < 5
    assert told(just).histograms.dwell_s == buckets("dwell_s", _5=1)


def test_what_a_zone_has_not_is_none_and_never_zero():
    bare = told(zone=Zone("table", shelf=BOARD))
    assert (bare.staff, bare.histograms, bare.facings, bare.reached) == (None, None, None, None)
    assert (bare.estimates.reaches, bare.estimates.picks) == (Estimate(0, 0, 0), None)
    walked = told(zone=Zone("table", floor=SQUARE))
    assert (walked.reached, walked.empty_handed, walked.abstained) == (None, None, None)
    assert (walked.staff.pass_bys, walked.staff.reaches) == (0, None)
    assert walked.histograms.dwell_s == buckets("dwell_s")
    assert walked.histograms.first_reach_s is None
    assert walked.estimates == Estimates(None, None, None)
    shelved = told(zone=Zone("table", floor=SQUARE, shelf=BOARD))
    assert (shelved.reached, shelved.empty_handed, shelved.histograms.switches) == (0, None, None)


def test_each_facing_tells_its_hands_and_what_it_held():
    window = told(
        events=[
            Reach("table", "A", 10, 11, Evidence.BOTH),
            Reach("table", None, 20, 21, Evidence.BOTH),
            Reach("table", "B", 30, 31, Evidence.BOTH),
            Stock("table", "A", 0, True),
            Handling(Move.PICK, "table", "A", 30, 0.9),
            Stock("table", "A", 30, False),
            Stock("table", "A", 50, True, Level.LOW),
            Abstained("table", "B", 40),
        ]
    )
    assert window.abstained == 1
    assert window.facings == (
        FacingCounts(
            "A", "acme", reaches=1, picks=1, known_s=60, empty_s=20, low_s=10, since_full_s=30
        ),
        FacingCounts("B", None, reaches=1),
    )


def test_what_a_facing_holds_is_known_over_windows_but_not_over_an_outage():
    counting = aggregates(zones=(FIXTURE,))
    run(counting, 0, 90)
    counting.add([], [Stock("table", "A", 0, False), Stock("table", "B", 0, True)])
    counting.cut()
    run(counting, 150, 180)
    counting.add([], [Stock("table", "A", 170, True)])
    minutes = [{one.name: one for one in batch[0].facings} for batch in counting.close(180)]
    assert [minute["A"].empty_s for minute in minutes] == pytest.approx([60, 30, 0])
    assert [minute["A"].known_s for minute in minutes] == pytest.approx([60, 30, 10])
    assert [minute["A"].since_full_s for minute in minutes] == [None, None, 0]
    assert [minute["B"].since_full_s for minute in minutes] == pytest.approx([0, 30, 90])


def test_before_anything_was_seen_there_is_nothing_to_cut():
    counting = aggregates(zones=(FIXTURE,))
    counting.cut()
    run(counting, 0, 60)
    ((window,),) = counting.close(60)
    assert [facing.known_s for facing in window.facings] == [0, 0]


def test_estimates_lie_about_what_is_told_and_widen_with_what_may_be_missed():
    pick = Handling(Move.PICK, "table", "A", 30, 1.0)
    reach = Reach("table", "A", 30, 31, Evidence.BOTH, confidence=1.0)
    once = told(events=[reach, pick]).estimates
    assert once.picks == of_events(Kind.PICKS, [1.0], 0)
    assert once.put_backs == Estimate(0, 0, 0)
    more = told(events=[reach, pick, reach, reach]).estimates
    assert more.picks == of_events(Kind.PICKS, [1.0], 2)
    assert more.reaches == of_events(Kind.REACHES, [1.0] * 3, 3)
    assert more.picks.best > once.picks.best


known_visits = st.builds(
    visit,
    enter=st.just(0.0),
    leave=st.floats(0.1, 299),
    staff=st.booleans(),
    censored=st.sampled_from(Censored),
    reaches=st.integers(0, 12),
    picks=st.integers(0, 4),
    put_backs=st.integers(0, 4),
    switches=st.integers(0, 6),
    first_s=st.none() | st.floats(0, 300),
    kept=st.lists(st.tuples(st.sampled_from("AB"), st.floats(0, 300)), max_size=3).map(tuple),
)


@given(st.lists(known_visits, max_size=20))
def test_every_visit_lies_in_one_bucket_and_staff_is_a_part(visits):
    counting = aggregates(zones=(FIXTURE,), window_s=300.0)
    counting.observe(0)
    counting.add(visits)
    ((window,),) = counting.close(300)
    assert sum(window.histograms.dwell_s) == window.pass_bys - window.censored
    assert sum(window.histograms.reaches) == sum(window.histograms.switches) == window.pass_bys
    for name in ("pass_bys", "stops", "engaged", "reached", "empty_handed", "dwell_s"):
        assert getattr(window.staff, name) <= getattr(window, name) + 1e-6
