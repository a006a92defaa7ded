"""Tracks become visits."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zone_world import FLOOR, TABLE, play, through, tracks, walk

from edge_agent.config import Anchor, Thresholds, Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import Censored, Poses, Visit
from edge_agent.zones import Floors
from edge_agent.zones.presence import TRANSITIONS, VISITING, Sight, State

LEFT = Zone("left", floor=Polygon(((0.1, 0.5), (0.5, 0.5), (0.5, 1.0), (0.1, 1.0))))
RIGHT = Zone("right", floor=Polygon(((0.4, 0.5), (0.9, 0.5), (0.9, 1.0), (0.4, 1.0))))


def test_a_visit_lasts_from_border_to_border():
    (visit,) = play(Floors([TABLE], 0.2), walk(through, 0, 16))
    assert visit.enter_s == pytest.approx(2.0, abs=0.05)
    assert visit.leave_s == pytest.approx(12.0, abs=0.1)
    assert visit.censored is Censored.NONE
    assert visit.bridged_s == 0


def test_somebody_beside_the_floor_whose_box_trembles_across_the_border_is_no_visitor():
    def beside(t):
        seen = tracks(t, (1, 0.39 + 0.03 * np.sin(40 * t)))
        return replace(seen, steady=tracks(t, (1, 0.39)).boxes)

    frames = [beside(i / 30) for i in range(300)]
    assert play(Floors([TABLE], 1 / 30), frames) == []
    raw = [replace(frame, steady=None) for frame in frames]
    assert play(Floors([TABLE], 1 / 30), raw) != []


@pytest.mark.parametrize("offset", [0.0, 0.05, 0.1, 0.15])
def test_five_frames_a_second_give_the_dwell_that_thirty_give(offset):
    def shifted(t):
        return through(t - offset)

    (slow,) = play(Floors([TABLE], 0.2), walk(shifted, 0, 16, fps=5))
    (fast,) = play(Floors([TABLE], 1 / 30), walk(shifted, 0, 16, fps=30))
    assert slow.dwell_s == pytest.approx(fast.dwell_s, abs=0.2)
    assert slow.enter_s == pytest.approx(fast.enter_s, abs=0.1)


@settings(max_examples=60)
@given(st.floats(0.02, 0.5), st.floats(1, 30), st.floats(0.02, 0.5), st.floats(0, 0.2))
def test_at_any_pace_five_fps_agree_with_thirty_within_the_interval(come, stay, go, phase):
    arrive = 1 + phase + 0.4 / come

    def x(t):
        if t < arrive + stay:
            return min(0.2 + come * max(0.0, t - 1 - phase), 0.6)
        return 0.6 + go * (t - arrive - stay)

    end = arrive + stay + 0.4 / go + 3
    (slow,) = play(Floors([TABLE], 0.2), walk(x, 0, end, fps=5))
    (fast,) = play(Floors([TABLE], 1 / 30), walk(x, 0, end, fps=30))
    assert abs(slow.dwell_s - fast.dwell_s) <= 0.2


@given(st.integers(0, 40))
def test_one_flickering_frame_never_makes_a_visit(at):
    frames = [tracks(i / 5, *([(7, 0.6)] if i == at else [])) for i in range(60)]
    assert play(Floors([TABLE], 0.2), frames) == []


def test_one_frame_on_the_floor_by_a_passer_by_is_no_visit():
    def jitter(t):
        return 0.41 if t == 3.0 else 0.3

    assert play(Floors([TABLE], 0.2), walk(jitter, 0, 10)) == []


def test_two_detections_make_a_visit_however_short():
    visits = play(Floors([TABLE], 0.2), [*walk(lambda _: 0.6, 3, 3.2), tracks(9.0)])
    assert [(v.enter_s, v.leave_s) for v in visits] == [(3.0, 3.2)]


@given(st.floats(4, 11.5))
def test_a_vanished_tracks_visit_ends_at_the_last_second_seen(gone):
    frames = walk(lambda t: min(through(t), 0.6), 0, 20, seen=lambda t: t <= gone)
    (visit,) = play(Floors([TABLE], 0.2), frames)
    last = np.floor(gone * 5) / 5
    assert visit.leave_s == pytest.approx(last)
    assert visit.censored is Censored.NONE


def test_a_short_gap_is_bridged_and_reported():
    frames = walk(through, 0, 16, seen=lambda t: not 5.0 < t < 6.6)
    (visit,) = play(Floors([TABLE], 0.2), frames)
    assert visit.dwell_s == pytest.approx(10.0, abs=0.15)
    assert visit.bridged_s == pytest.approx(1.6, abs=0.01)


def test_a_long_gap_makes_two_visits():
    frames = walk(through, 0, 16, seen=lambda t: not 5.0 < t < 7.3)
    first, second = play(Floors([TABLE], 0.2), frames)
    assert first.leave_s == pytest.approx(5.0)
    assert second.enter_s == pytest.approx(7.4)


def test_stepping_off_for_a_moment_is_a_gap_too():
    def step_off(t):
        return 0.3 if 5 <= t < 6 else through(t)

    (visit,) = play(Floors([TABLE], 0.2), walk(step_off, 0, 16))
    assert visit.bridged_s == pytest.approx(1.2, abs=0.25)


def test_jitter_at_the_border_keeps_one_visit():
    rng = np.random.default_rng(1)

    def on_the_line(t):
        return 0.45 if t < 2 else 0.4 + rng.normal(0, 0.004)

    (visit,) = play(Floors([TABLE], 0.2), walk(on_the_line, 0, 30))
    assert visit.leave_s == pytest.approx(30.0, abs=0.5)
    assert visit.bridged_s < 3


def test_a_lost_and_found_person_under_a_new_id_goes_on_visiting():
    frames = walk(through, 0, 5) + [tracks(t) for t in (5.2, 5.4, 5.6)]
    frames += walk(through, 5.8, 16, identity=2)
    (visit,) = play(Floors([TABLE], 0.2), frames)
    assert visit.dwell_s == pytest.approx(10.0, abs=0.15)
    assert visit.bridged_s == pytest.approx(0.8)


def test_somebody_else_at_the_other_end_is_a_visit_of_its_own():
    frames = walk(lambda _: 0.45, 2, 5) + walk(lambda _: 0.75, 5.4, 9, identity=2)
    visits = play(Floors([TABLE], 0.2), [tracks(0.0), *frames, tracks(9.8)])
    assert len(visits) == 2


def test_who_was_seen_leaving_hands_nothing_over():
    leaves = walk(lambda t: 0.6 if t < 4 else 0.9, 2, 4.2)
    visits = play(
        Floors([TABLE], 0.2), [tracks(0.0), *leaves, *walk(lambda _: 0.6, 4.4, 8, identity=2)]
    )
    assert len(visits) == 2


def test_start_and_end_of_observation_censor():
    (both,) = play(Floors([TABLE], 0.2), walk(lambda _: 0.6, 0, 9))
    assert both.censored is Censored.BOTH
    (left,) = play(Floors([TABLE], 0.2), walk(lambda t: 0.6 if t < 4 else 0.9, 0, 9))
    assert left.censored is Censored.LEFT
    (right,) = play(Floors([TABLE], 0.2), walk(lambda t: 0.2 if t < 4 else 0.6, 0, 9))
    assert right.censored is Censored.RIGHT


def test_seen_leaving_right_before_the_end_is_not_censored():
    (visit,) = play(Floors([TABLE], 0.2), walk(through, 0, 12.6))
    assert visit.censored is Censored.NONE


def test_an_outage_cuts_off_and_begins_anew():
    frames = walk(lambda t: 0.6, 0, 8, seen=lambda t: t >= 5) + walk(lambda _: 0.6, 20, 23)
    first, second = play(Floors([TABLE], 0.2), frames)
    assert (first.leave_s, first.censored) == (8.0, Censored.RIGHT)
    assert (second.enter_s, second.censored) == (20.0, Censored.BOTH)


def test_a_person_is_on_one_of_two_overlapping_floors():
    def across(t):
        return 0.15 + 0.1 * t

    visits = play(Floors([LEFT, RIGHT], 0.2), walk(across, 0, 9))
    assert [v.zone for v in visits] == ["left", "right"]
    left, right = visits
    # Sticky: left until its own border (x 0.5), though right begins at 0.4 already.
    assert left.leave_s == pytest.approx(3.5, abs=0.25)
    assert right.enter_s >= left.leave_s - 1e-9


NEXT = Zone("next", floor=Polygon(((0.8, 0.5), (1.0, 0.5), (1.0, 1.0), (0.8, 1.0))))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("jitter", [0.008, 0.012])  # 2 and 3 % of the box's height
@pytest.mark.parametrize("where", [0.8, 0.798])
def test_standing_on_the_border_of_two_floors_is_one_visit(seed, jitter, where):
    rng = np.random.default_rng(seed)

    def stand(t):
        return 0.6 if t < 5 else where + rng.normal(0, jitter)

    visits = play(Floors([TABLE, NEXT], 0.2), walk(stand, 0, 65))
    assert len(visits) <= (2 if jitter < 0.01 else 4)  # before the hold: 20 to 45
    assert sum(v.dwell_s for v in visits) == pytest.approx(65, abs=2)


def test_walking_on_to_the_next_floor_ends_one_visit_and_begins_another():
    visits = play(Floors([TABLE, NEXT], 0.2), walk(lambda t: 0.3 + 0.1 * t, 0, 9))
    assert [v.zone for v in visits] == ["table", "next"]
    assert visits[0].leave_s == pytest.approx(5.0, abs=0.25)
    assert visits[1].enter_s == pytest.approx(visits[0].leave_s, abs=0.01)


def test_a_narrow_floor_crossed_in_half_a_second_is_a_visit_too():
    edges = (0.6, 0.65)
    narrow = Polygon(((edges[0], 0.5), (edges[1], 0.5), (edges[1], 1.0), (edges[0], 1.0)))
    wide = Polygon(((0.2, 0.5), (0.6, 0.5), (0.6, 1.0), (0.2, 1.0)))
    zones = [Zone("wide", floor=wide), Zone("narrow", floor=narrow)]
    visits = play(Floors(zones, 0.2), walk(lambda t: 0.1 + 0.1 * t, 0, 10))
    assert [v.zone for v in visits] == ["wide", "narrow"]
    assert visits[1].dwell_s == pytest.approx(0.5, abs=0.2)


def test_a_step_to_the_side_and_back_is_one_visit():
    def step(t):
        return 0.85 if 5 <= t < 5.6 else 0.6

    visits = play(Floors([TABLE, NEXT], 0.2), walk(step, 0, 10))
    assert [(v.zone, v.dwell_s) for v in visits] == [("table", pytest.approx(10))]


def test_a_gap_of_just_gap_s_is_bridged():
    frames = walk(through, 0, 16, seen=lambda t: not 7.8 < t < 9.8)
    (visit,) = play(Floors([TABLE], 0.2), frames)
    assert visit.bridged_s == pytest.approx(2.0)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=10, max_size=80))
def test_visits_of_one_person_never_overlap(xs):
    frames = [tracks(i / 5, (1, x)) for i, x in enumerate(xs)]
    visits = sorted(play(Floors([LEFT, RIGHT], 0.2), frames), key=lambda v: v.enter_s)
    for before, after in itertools.pairwise(visits):
        assert after.enter_s >= before.leave_s - 1e-9


@settings(max_examples=40)
@given(st.data())
def test_a_crowd_leaves_nothing_behind_and_no_visit_is_impossible(data):
    floors = Floors([LEFT, RIGHT], 0.2)
    visits: list[Visit] = []
    for i in range(50):
        people = data.draw(st.lists(st.tuples(st.integers(1, 6), st.floats(0, 1)), max_size=5))
        visits += floors.update(tracks(i / 5, *dict(people).items()))
        horizon = floors.horizon(i / 5)
        assert horizon <= i / 5
    for i in range(50, 70):
        visits += floors.update(tracks(i / 5))
    assert not floors.occupied
    assert all(0 <= v.bridged_s <= v.dwell_s + 1e-9 for v in visits)
    assert floors.finish() == []


def test_nothing_ends_before_a_horizon_that_was_told():
    floors = Floors([TABLE], 0.2)
    told = 0.0
    for frame in walk(through, 0, 16, seen=lambda t: not 6.9 < t < 8.1):
        for visit in floors.update(frame):
            assert visit.leave_s >= told
        told = max(told, floors.horizon(frame.t))
    assert told == pytest.approx(16.0)


def test_head_and_torso_are_other_points_than_feet():
    high = Polygon(((0.4, 0.0), (0.8, 0.0), (0.8, 0.45), (0.4, 0.45)))
    frames = [tracks(0.0), tracks(2.0), *walk(lambda _: 0.6, 4, 6)]
    assert play(Floors([Zone("feet", floor=high)], 0.2), frames) == []
    assert len(play(Floors([Zone("head", Anchor.HEAD, floor=high)], 0.2), frames)) == 1
    middle = Polygon(((0.4, 0.55), (0.8, 0.55), (0.8, 0.65), (0.4, 0.65)))
    torso = Zone("torso", Anchor.TORSO, floor=middle)
    assert len(play(Floors([torso], 0.2), frames)) == 1


def test_a_sure_trunk_moves_the_torso_and_an_unsure_one_does_not():
    middle = Polygon(((0.4, 0.55), (0.8, 0.55), (0.8, 0.65), (0.4, 0.65)))
    for score, expected in ((0.9, 0), (0.1, 1)):
        floors = Floors([Zone("torso", Anchor.TORSO, floor=middle)], 0.2)
        visits = []
        for frame in [tracks(0.0), tracks(2.0), *walk(lambda _: 0.6, 4, 6)]:
            keypoints = np.full((len(frame.ids), 17, 3), (0.1, 0.1, score))
            visits += floors.update(frame, Poses(frame.t, frame.ids, keypoints))
        assert len(visits + floors.finish()) == expected


def test_a_zone_keeps_its_own_gap():
    patient = Zone("patient", floor=FLOOR, thresholds=Thresholds(gap_s=6))
    frames = walk(through, 0, 16, seen=lambda t: not 5.0 < t < 9.0)
    (visit,) = play(Floors([patient], 0.2), frames)
    assert visit.bridged_s == pytest.approx(4.0, abs=0.01)


def test_every_state_can_be_left_and_only_known_ones_reached():
    reachable = set(TRANSITIONS.values())
    assert reachable == set(State)
    for state in set(State) - {State.OUTSIDE}:
        assert any(source is state for source, _ in TRANSITIONS)
    assert (State.ENTERING, Sight.EXPIRED) not in TRANSITIONS
    assert frozenset({State.INSIDE, State.AWAY}) == VISITING
