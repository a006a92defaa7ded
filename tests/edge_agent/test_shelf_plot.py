"""One facing's piece of the picture, compared with itself at another time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from shelf_world import FACINGS, SIZE, board, facing, with_arm

from edge_agent.geometry import Polygon
from edge_agent.shelf.plot import Plot


@pytest.fixture
def plot():
    return Plot(facing("A").polygon, SIZE)


def apart(plot, before, after):
    plot.see(before)
    plot.keep()
    plot.see(after)
    return plot.apart()


def test_the_same_facing_is_the_same_in_other_light_and_a_pixel_off(plot):
    for other in (board(light=1.2), board(light=0.85), board(shift=(1, 0)), board("BC")):
        seen = apart(plot, board(), other)
        assert seen.levels < 0.12
        assert seen.structure < 0.2


def test_a_product_that_is_gone_changes_the_facing_and_not_its_ring(plot):
    seen = apart(plot, board(), board("A"))
    assert seen.levels > 0.3
    assert seen.ring < 0.1


def test_an_arm_before_it_crosses_the_ring(plot):
    seen = apart(plot, board(), with_arm(board(), FACINGS["A"], 0.75))
    assert seen.levels > 0.3
    assert seen.ring > 0.25


def test_an_arm_as_grey_as_the_shelf_is_told_by_its_edge():
    """Its levels are those of what is behind it; only its outline is new."""
    wall = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    arm = wall.copy()
    cv2.rectangle(arm, (75, 0), (88, 120), (138, 138, 138), -1)
    seen = apart(Plot(facing("A").polygon, SIZE), wall, arm)
    assert seen.ring > 0.1


def test_a_product_has_more_contrast_than_the_bare_board(plot):
    plot.see(board())
    full = plot.contrast()
    plot.see(board("A"))
    assert full > 1.3 * plot.contrast()


def test_it_is_at_rest_when_nothing_moved_since_the_frame_before(plot):
    assert not plot.see(board())
    assert plot.see(board())
    assert not plot.see(with_arm(board(), FACINGS["A"], 0.75))


def test_what_is_around_a_facing_can_be_followed_alone(plot):
    beside = board("A")
    cv2.rectangle(beside, (107, 60), (120, 170), (20, 20, 20), -1)
    before = apart(plot, board(), beside)
    assert before.ring > 0.2
    plot.follow(1.0, all_of_it=False)
    assert plot.apart().ring < 0.02
    assert plot.apart().levels > 0.8 * before.levels
    plot.follow(1.0, all_of_it=True)
    assert plot.apart().levels == 0


@pytest.mark.parametrize(
    "corners",
    [((0.0, 0.0), (0.02, 0.0), (0.02, 0.03)), ((0.98, 0.97), (1.0, 0.97), (1.0, 1.0), (0.98, 1.0))],
)
def test_a_small_facing_at_the_border_can_be_read(corners):
    seen = apart(Plot(Polygon(corners), SIZE), board(), board("A"))
    assert seen.levels == 0
    assert np.isfinite([seen.structure, seen.ring]).all()
