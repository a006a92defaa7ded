"""Time of day as the clocks of a shop show it."""

import pytest

from edge_agent.clock import time_of_day

NOON_UTC = 1_700_049_600.0  # 2023-11-15, 12:00


@pytest.mark.parametrize(
    ("wall_s", "timezone", "hours"),
    [
        (NOON_UTC, "UTC", 12),
        (NOON_UTC, "Asia/Seoul", 21),
        (NOON_UTC + 3 * 3600, "Asia/Seoul", 0),
        (NOON_UTC, "Europe/Berlin", 13),
        (NOON_UTC - 120 * 86_400, "Europe/Berlin", 14),  # in July
        (NOON_UTC + 0.5, "UTC", 12 + 0.5 / 3600),
    ],
)
def test_clocks_show_the_time_of_their_place_and_season(wall_s, timezone, hours):
    assert time_of_day(wall_s, timezone) == pytest.approx(hours * 3600)
