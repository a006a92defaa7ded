from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.timestamps import ClipTimes, Jump

STAMPS = st.lists(st.none() | st.floats(0, 1e5), min_size=1, max_size=80)


def told(stamps: list[float | None], interval_s: float = 0.1) -> list[float]:
    times = ClipTimes(interval_s, jump_s=2.0)
    return [times.next(stamp)[0] for stamp in stamps]


def jumps(stamps: list[float | None], interval_s: float = 0.1) -> list[Jump]:
    times = ClipTimes(interval_s, jump_s=2.0)
    return [jump for stamp in stamps if (jump := times.next(stamp)[1])]


def test_the_first_frame_is_at_nought_wherever_the_clip_starts():
    assert told([5.0, 5.1, 5.2]) == pytest.approx([0, 0.1, 0.2])


def test_variable_rate_is_believed():
    stamps = [0, 0.033, 0.066, 0.2, 0.9, 0.933]
    assert told(stamps) == pytest.approx(stamps)
    assert jumps(stamps) == []


def test_without_stamps_frames_are_counted():
    assert told([None] * 4, 0.04) == pytest.approx([0, 0.04, 0.08, 0.12])


def test_a_step_back_is_rebased_and_told():
    stamps = [10.0, 10.1, 10.2, 3.0, 3.1]
    assert told(stamps) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert jumps(stamps) == [Jump(10.2, 3.0)]


def test_a_step_forward_is_believed_and_told():
    stamps = [0.0, 0.1, 60.0, 60.1]
    assert told(stamps) == pytest.approx(stamps)
    assert jumps(stamps) == [Jump(0.1, 60.0)]


def test_a_rebase_goes_on_by_the_real_interval_not_by_the_containers_guess():
    # One long hole makes a container's average rate useless.
    assert told([0, 0.1, 0.2, 0.0, 0.1], interval_s=0.6)[3:] == pytest.approx([0.3, 0.4])


def test_a_time_lapse_is_no_series_of_jumps():
    assert jumps([0, 10, 20, 30], interval_s=10) == []


def test_a_stamp_given_twice_is_a_frame_of_its_own():
    assert told([0, 0.1, 0.1, 0.3]) == pytest.approx([0, 0.1, 0.2, 0.3])


def test_frames_put_too_late_by_a_guess_do_not_shift_the_rest():
    assert told([0, 0.1, None, None, 0.15, 0.5])[-1] == pytest.approx(0.5)


@given(STAMPS)
def test_told_times_always_grow_from_nought(stamps):
    times = told(stamps)
    assert times[0] == 0
    assert all(a < b for a, b in pairwise(times))


@given(st.lists(st.floats(0.01, 1.9), min_size=1, max_size=80))
def test_a_sound_clock_is_passed_through(steps):
    stamps = [sum(steps[:number]) for number in range(len(steps) + 1)]
    assert told(stamps) == pytest.approx(stamps)
    assert jumps(stamps) == []


def test_a_leap_of_years_is_a_clock_that_was_set_and_not_a_pause():
    times = ClipTimes(0.1, 2.0)
    times.next(0.0)
    t, jump = times.next(1e8)
    assert t == pytest.approx(0.1)
    assert jump == Jump(0.0, 1e8)
    assert times.next(1e8 + 0.1)[0] == pytest.approx(0.2)
