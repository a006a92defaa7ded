"""A hot board: fewer frames, in steps, never fewer than dwell needs."""

from __future__ import annotations

import pytest

from edge_agent.heat import LEAST_FPS, STEPS, Board, Heat, read_board


def rates(fps, *degrees):
    heat = Heat(fps)
    return [heat.feel(Board(celsius)) for celsius in degrees]


def test_a_cool_board_analyses_what_it_was_told_to():
    heat = Heat(5)
    assert heat.feel(Board(55)) == 5
    assert not heat.hot


def test_it_steps_down_as_it_gets_hotter_and_up_as_it_cools():
    assert rates(10, 60, 70, 75, 80, 90) == [10, 8, 6, 4, 4]
    assert rates(10, 90, 75, 70, 60) == [4, 6, 8, 10]


def test_it_does_not_swing_at_a_threshold():
    assert rates(10, 69, 70, 69, 70, 67, 66, 65, 69) == [10, 8, 8, 8, 8, 10, 10, 10]


def test_it_comes_down_through_all_steps_at_once():
    assert rates(10, 85, 40) == [4, 10]


@pytest.mark.parametrize(("fps", "least"), [(3, LEAST_FPS), (2, 2), (1, 1), (0.5, 0.5)])
def test_dwell_keeps_its_two_frames_a_second_or_what_it_had(fps, least):
    assert rates(fps, 95) == [least]


def test_throttled_is_the_last_step_whatever_the_temperature_says():
    heat = Heat(10)
    assert heat.feel(Board(50, throttled=True)) == 4
    assert heat.hot
    assert heat.feel(Board(None, throttled=True)) == 4
    assert heat.feel(Board(50)) == 10


def test_a_board_without_a_sensor_is_never_hot():
    heat = Heat(10)
    heat.feel(Board(90))
    assert heat.feel(Board()) == 10
    assert not heat.hot


def test_steps_only_ever_go_down():
    assert sorted(STEPS) == list(STEPS)
    assert sorted((share for _, share in STEPS), reverse=True) == [share for _, share in STEPS]


def sysfs(root, throttled=None, **zones):
    for name, text in zones.items():
        folder = root / "class/thermal" / f"thermal_{name}"
        folder.mkdir(parents=True)
        (folder / "temp").write_text(text)
    if throttled is not None:
        folder = root / "devices/platform/soc/soc:firmware"
        folder.mkdir(parents=True)
        (folder / "get_throttled").write_text(throttled)
    return root


def test_the_hottest_sound_zone_is_read(tmp_path):
    zones = {"zone0": "48312\n", "zone1": "61000\n", "zone2": "-273000\n", "zone3": "999999"}
    assert read_board(sysfs(tmp_path, **zones)) == Board(61.0, False)


@pytest.mark.parametrize(
    ("flags", "throttled"),
    [("0", False), ("1", False), ("2", True), ("4", True), ("8", True), ("50000", False)],
)
def test_the_firmwares_flags_tell_of_heat_now_not_of_low_voltage_or_the_past(
    tmp_path, flags, throttled
):
    assert read_board(sysfs(tmp_path, throttled=f"{flags}\n")).throttled is throttled


def test_what_cannot_be_read_is_left_out(tmp_path):
    assert read_board(tmp_path) == Board()
    assert read_board(sysfs(tmp_path, throttled="", zone0="hot", zone1="")) == Board()
