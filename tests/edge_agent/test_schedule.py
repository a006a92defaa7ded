"""When the detector runs: always in time for a visit, else as seldom as it may."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edge_agent.config import BudgetConfig
from edge_agent.observations import Tracks
from edge_agent.pipeline.schedule import MOST_APART_S, Schedule

LINGER_S = 2.0


def tracks(t, *ids, confirmed=True, apart=0.3):
    boxes = np.array([[apart * i, 0.2, apart * i + 0.2, 0.9] for i in range(len(ids))])
    return Tracks(
        t,
        np.array(ids, np.int64),
        boxes.reshape(-1, 4),
        np.full(len(ids), 0.9),
        np.full(len(ids), confirmed),
    )


def played(seconds, seen=lambda t: (), fps=5.0, moved=None, occupied=lambda t: False, **budget):
    """Times at which the detector ran; `seen` gives ids, and what moves is whoever is there."""
    schedule = Schedule(BudgetConfig(**budget), max(1 / fps, MOST_APART_S), LINGER_S)
    ran = []
    for i in range(round(seconds * fps)):
        t = round(100 + i / fps, 3)
        there = seen(t - 100)
        if schedule.due(t, bool(there) if moved is None else moved(t - 100)):
            ran.append(round(t - 100, 3))
            schedule.ran(tracks(t, *there), occupied(t - 100))
        elif not schedule.attended(t):
            schedule.rested(occupied(t - 100))
    return ran


def gaps(times):
    return [round(b - a, 3) for a, b in pairwise(times)]


def test_the_first_frames_all_count():
    assert played(3)[:5] == [0, 0.2, 0.4, 0.6, 0.8]


def test_nobody_there_is_looked_at_every_few_seconds():
    found = played(60, look_s=5)
    assert set(gaps(found[5:])) == {5.0}
    assert len(found) < 20


def test_whoever_moves_is_looked_at_in_the_same_frame_and_then_half_as_often():
    found = played(30, lambda t: (1,) if 10.4 <= t < 20 else ())
    assert 10.4 in found
    during = [t for t in found if 12 <= t < 20]
    assert set(gaps(during)) == {0.4}


def test_strangers_and_people_who_touch_are_looked_at_every_frame():
    def crowd(t):
        return (1, 2) if 10 <= t < 20 else ()

    schedule = Schedule(BudgetConfig(), MOST_APART_S, LINGER_S)
    for i in range(100):
        t = 100 + i / 5
        assert schedule.due(t, True)
        schedule.ran(tracks(t, 1, 2, apart=0.1), False)
    # Everybody is new each time.
    assert set(gaps(played(20, lambda t: (round(t * 10),)))) == {0.2}


def test_a_person_who_is_not_confirmed_is_looked_at_in_the_next_frame():
    schedule = Schedule(BudgetConfig(), MOST_APART_S, LINGER_S)
    schedule.due(0.0, True)
    schedule.ran(tracks(0.0, 1), False)
    for t in (1.2, 1.4, 1.6):
        assert schedule.due(t, True)
        schedule.ran(tracks(t, 1, confirmed=False), False)


def test_a_person_who_stands_still_is_never_left_alone():
    found = played(600, lambda t: (1,), moved=lambda t: False, occupied=lambda t: True)
    assert max(gaps(found)) <= MOST_APART_S


def test_an_open_visit_is_never_left_alone_even_when_nobody_is_found_and_nothing_moves():
    found = played(
        60, lambda t: (1,) if t < 5 else (), moved=lambda t: False, occupied=lambda t: t < 40
    )
    assert max(gaps([t for t in found if t < 40])) <= MOST_APART_S
    assert max(gaps([t for t in found if t > 41])) == 5.0


def test_a_track_is_alive_for_as_long_as_it_may_come_back():
    found = played(30, lambda t: (1,) if t < 5 else (), moved=lambda t: False)
    assert max(gaps([t for t in found if t < 5 + LINGER_S])) <= MOST_APART_S
    assert [t for t in found if 7.3 < t < 11] == []


def test_what_moves_and_is_nobody_is_looked_at_half_as_often_soon():
    found = played(20, moved=lambda t: t > 5)
    assert set(gaps([t for t in found if t > 7])) == {0.4}


@pytest.mark.parametrize(("every", "gap"), [(1, 0.1), (3, 0.3), (5, 0.5), (30, 0.5)])
def test_every_nth_frame_is_what_was_asked_for_and_twice_a_second_at_least(every, gap):
    found = played(30, lambda t: (1,), fps=10, detect_every=every)
    assert set(gaps([t for t in found if t > 2])) == {gap}


@pytest.mark.parametrize("fps", [0.5, 1, 2, 3, 4, 7.5, 15, 30])
def test_at_any_rate_it_looks_twice_a_second_or_at_every_frame(fps):
    found = played(60, lambda t: (1,), fps=fps)
    assert max(gaps(found)) <= max(MOST_APART_S, 1 / fps) + 0.002
    assert min(gaps([t for t in found if t > 3])) >= min(0.35, 1 / fps) - 0.002


def test_without_gate_and_schedule_it_runs_on_every_frame():
    assert len(played(20, moved=lambda t: True, gate=False, detect_every=1)) == 100


def test_after_an_outage_and_a_restart_the_first_frames_count_again():
    schedule = Schedule(BudgetConfig(), MOST_APART_S, LINGER_S)
    for i in range(50):
        if schedule.due(i / 5, False):
            schedule.ran(tracks(i / 5), False)
    assert [schedule.due(t, False) for t in (14.0, 14.2, 14.4)] == [True] * 3
    schedule.ran(tracks(14.4), False)
    assert not schedule.due(15.2, False)
    schedule.restart()
    assert schedule.due(15.4, False)
