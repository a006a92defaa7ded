from __future__ import annotations

import math
from itertools import pairwise

import pytest
from camera_stand_ins import HandClock
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.pacing import Grid, Pace

FPS = st.floats(0.2, 60)
STEPS = st.lists(st.floats(0.001, 3.0), min_size=1, max_size=200)


def analysed(times: list[float], fps: float, interval_s: float = math.inf) -> list[float]:
    grid = Grid(fps, interval_s)
    return [t for t in times if grid.due(t)]


def source(fps: float, frames: int, digits: int = 3) -> list[float]:
    return [round(number / fps, digits) for number in range(frames)]


def test_ten_frames_a_second_at_five_give_exactly_every_second_one():
    times = source(10, 200)
    assert analysed(times, 5, 0.1) == times[::2]


@pytest.mark.parametrize(("has", "wanted", "every"), [(30, 5, 6), (29.97, 5, None), (15, 5, 3)])
def test_rounded_stamps_never_lose_a_frame(has, wanted, every):
    times = source(has, int(60 * has))
    taken = analysed(times, wanted, 1 / has)
    assert abs(len(taken) - 60 * wanted) <= 1
    if every:
        assert taken == times[::every]


def test_29_83_frames_a_second_at_five_are_taken_evenly():
    taken = analysed(source(179 / 6, 1790), 5, 6 / 179)
    gaps = [b - a for a, b in pairwise(taken)]
    assert len(taken) == 300
    assert 0.16 < min(gaps) <= max(gaps) < 0.24


@pytest.mark.parametrize("fps", [10, 10.5, 11, 15, 30, 1000])
def test_asked_for_more_than_there_is_every_frame_is_taken(fps):
    times = source(10, 100)
    assert analysed(times, fps, 0.1) == times


def test_a_live_camera_of_unknown_rate_with_jitter_is_taken_evenly():
    jitter = [0.004, -0.005, 0.002, -0.001, 0.005, -0.004, 0.001]
    times = [number / 30 + jitter[number % 7] for number in range(900)]
    taken = analysed(times, 5)
    assert 149 <= len(taken) <= 151


def test_after_a_gap_it_goes_on_at_once_and_makes_nothing_up_for_it():
    times = source(10, 20) + [10 + t for t in source(10, 20)]
    taken = analysed(times, 5, 0.1)
    assert taken == [t for t in times if round(t * 10) % 2 == 0]


def test_rounding_never_takes_a_point_of_the_grid_twice():
    point = 27 * (1 / 0.7)
    assert point / (1 / 0.7) < 27
    assert analysed([0.0, point, point + 1e-6], 0.7, 1e-9) == [0.0, point]


@given(FPS, STEPS, st.floats(0.001, 1.0))
def test_taken_times_grow_and_are_never_more_than_asked_for(fps, steps, interval):
    times = [sum(steps[:number]) for number in range(len(steps) + 1)]
    taken = analysed(times, fps, interval)
    assert taken[0] == times[0]
    assert all(a < b for a, b in pairwise(taken))
    # Over any stretch: fps a second, and the one at its start, and half a period early at its end.
    for first in range(0, len(taken), 7):
        span = taken[-1] - taken[first]
        assert len(taken) - first <= span * fps + 2.5


@given(st.integers(1, 12), st.integers(1, 30))
def test_a_whole_multiple_takes_every_nth_frame(every, fps):
    times = source(every * fps, 40 * every, digits=6)
    assert analysed(times, fps, 1 / (every * fps)) == times[::every]


@given(st.lists(st.floats(0, 5), min_size=2, max_size=60))
def test_a_source_that_runs_back_cannot_make_given_times_run_back(times):
    taken = analysed(times, 5)
    assert all(a < b for a, b in pairwise(taken))


def test_pace_one_plays_as_filmed():
    clock = HandClock()
    pace = Pace(clock, 1)
    for t in (0.0, 0.2, 0.4):
        assert pace.wait(t) == 0
    assert clock.slept == pytest.approx([0.2, 0.2])


def test_pace_twenty_is_twenty_times_faster():
    clock = HandClock()
    pace = Pace(clock, 20)
    for second in range(101):
        pace.wait(float(second))
    assert sum(clock.slept) == pytest.approx(5.0)


def test_pace_nought_never_waits_and_is_never_late():
    clock = HandClock()
    pace = Pace(clock, 0)
    pace.wait(0.0)
    clock.pass_by(60)
    assert pace.wait(1.0) == 0
    assert clock.slept == []


def test_work_between_frames_is_not_added_to_the_wait():
    clock = HandClock()
    pace = Pace(clock, 1)
    pace.wait(0.0)
    clock.pass_by(0.15)
    assert pace.wait(0.2) == 0
    assert clock.slept == pytest.approx([0.05])


def test_lateness_is_told_in_the_recordings_seconds():
    clock = HandClock()
    pace = Pace(clock, 2)
    pace.wait(0.0)
    clock.pass_by(1.0)
    assert pace.wait(0.5) == pytest.approx(1.5)
    assert clock.slept == []


def test_after_a_jump_playing_goes_on_at_once():
    clock = HandClock()
    pace = Pace(clock, 1)
    pace.wait(0.0)
    pace.restart()
    assert pace.wait(3600.0) == 0
    pace.wait(3600.2)
    assert clock.slept == pytest.approx([0.2])
