"""Pose is for people near a shelf, and looks toward it."""

import numpy as np
import pytest

from edge_agent.config import Anchor, Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import Tracks
from edge_agent.pipeline.near import Near

SHELF = Polygon(((0.7, 0.2), (0.9, 0.2), (0.9, 0.4), (0.7, 0.4)))
FLOOR = Polygon(((0.2, 0.6), (0.4, 0.6), (0.4, 1.0), (0.2, 1.0)))
ASPECT = 16 / 9


def at(x):
    """One person, 0.1 wide and 0.4 high, centred at x."""
    box = np.array([[x - 0.05, 0.2, x + 0.05, 0.6]])
    return Tracks(0.0, np.array([3]), box, np.ones(1), np.ones(1, bool))


def test_only_who_could_reach_the_shelf_is_looked_at():
    near = Near([Zone("z", shelf=SHELF)])
    assert near(at(0.2), ASPECT) == {}
    assert list(near(at(0.6), ASPECT)) == [3]


def test_the_direction_is_toward_the_shelf_in_the_picture():
    near = Near([Zone("z", shelf=SHELF)])
    dx, dy = near(at(0.6), ASPECT)[3]
    assert dx > 0.9
    assert dy < 0
    assert dx**2 + dy**2 == pytest.approx(1)


def test_a_torso_needs_its_trunk_and_feet_do_not():
    assert Near([Zone("z", Anchor.FEET, floor=FLOOR)])(at(0.3), ASPECT) == {}
    assert Near([Zone("z", Anchor.TORSO, floor=FLOOR)])(at(0.3), ASPECT) == {3: None}
    assert Near([Zone("z", Anchor.TORSO, floor=FLOOR)])(at(0.9), ASPECT) == {}
