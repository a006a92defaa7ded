"""When the wall clock is believed."""

from __future__ import annotations

import pytest

from edge_agent.aggregates import Epoch
from edge_agent.pipeline.anchor import SYNCED_S, Anchor, believed
from edge_agent.records import Quality

SET = Epoch(1.7e9, Quality.SYNCED, SYNCED_S)


class Clock:
    def __init__(self, wall=1_700_001_000.0, synced=True):
        self.now, self.off, self.set = 1000.0, wall - 1000.0, synced

    def monotonic(self):
        return self.now

    def wall(self):
        return self.now + self.off

    def synced(self):
        return self.set

    def sleep(self, seconds):
        self.now += seconds


def test_a_clock_that_nobody_set_says_so_and_tells_no_bound():
    assert Anchor(Clock(synced=False)).epoch == Epoch(1.7e9, Quality.UNSYNCED, None)


def test_a_recording_keeps_its_own_seconds_whatever_the_clock_does():
    clock = Clock()
    anchor = Anchor(clock, recorded=True)
    clock.off += 5000
    assert anchor.look() is None
    assert anchor.epoch == Epoch()


def test_a_recording_at_its_own_pace_begins_now():
    anchor = Anchor(Clock(), zero=1000.0)
    assert anchor.epoch == Epoch(1_700_001_000.0, Quality.SYNCED, SYNCED_S)
    assert anchor.now == 0.0


def test_a_time_servers_word_is_believed_once():
    clock = Clock(wall=0.0, synced=False)
    anchor = Anchor(clock)
    assert anchor.look() is None
    clock.off, clock.set = 1.7e9, True
    assert anchor.look() == anchor.epoch == SET
    assert anchor.look() is None


def test_a_clock_that_lost_its_server_is_believed_less_and_less():
    clock = Clock()
    anchor = Anchor(clock)
    clock.set = False
    assert anchor.look() is None
    clock.sleep(7 * 86_400)
    told = anchor.look()
    assert (told.offset_s, told.bound_s) == (1.7e9, pytest.approx(61.5, abs=0.1))
    clock.set = True
    assert anchor.look() == SET


def test_a_clock_that_is_set_by_hand_leaves_nobody_sure():
    clock = Clock()
    anchor = Anchor(clock)
    clock.set, clock.off = False, clock.off + 8 * 3600
    assert anchor.look() == Epoch(1.7e9, Quality.SYNCED, None)
    assert anchor.look() is None
    clock.set = True
    assert anchor.look() == Epoch(1.7e9 + 8 * 3600, Quality.SYNCED, SYNCED_S)


def test_a_bound_is_not_told_anew_for_every_tremble():
    clock = Clock()
    anchor = Anchor(clock)
    clock.off -= 2.05
    assert anchor.look().bound_s == pytest.approx(3.0, abs=0.1)
    for tremble in (0.001, -0.001, 0.05, -0.05):
        clock.off += tremble
        assert anchor.look() is None


@pytest.mark.parametrize(
    ("step_s", "epoch"),
    [
        pytest.param(0.3, SET, id="slewed"),
        pytest.param(-0.3, SET, id="slewed back"),
        pytest.param(60.0, Epoch(1.7e9 + 60, Quality.SYNCED, SYNCED_S), id="set forward"),
        pytest.param(-3600.0, Epoch(1.7e9, Quality.SYNCED, 3601.0), id="never back, but told"),
    ],
)
def test_a_clock_that_was_set_is_followed_forward_and_never_back(step_s, epoch):
    assert believed(SET, 1.7e9 + step_s) == epoch


def test_hours_that_left_unsure_are_not_told_again_either():
    unsure = Epoch(1.7e9, Quality.UNSYNCED, None)
    assert believed(unsure, 1.7e9 - 60, told_s=900) == Epoch(1.7e9, Quality.SYNCED, 61.0)
    assert believed(unsure, 1.7e9 - 60, told_s=0) == Epoch(1.7e9 - 60, Quality.SYNCED, SYNCED_S)
    assert believed(unsure, 1.7e9 - 3600, told_s=900).offset_s == 1.7e9 - 3600
    assert believed(unsure, 1.7e9 + 60, told_s=900).offset_s == 1.7e9 + 60


def test_a_clock_that_comes_back_is_as_good_as_before():
    away = believed(SET, 1.7e9 - 3600)
    assert believed(away, 1.7e9) == SET
