"""Polygons: what is a floor, who is on it, and where its border is crossed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.geometry import Polygon

SQUARE = Polygon(((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)))
ARROW = Polygon(((0.1, 0.1), (0.9, 0.5), (0.1, 0.9), (0.4, 0.5)))  # not convex
FRACTION = st.floats(0, 1)


def test_inside_outside_and_on_the_border():
    assert SQUARE.contains((0.5, 0.5))
    assert SQUARE.contains((0.2, 0.5))
    assert SQUARE.contains((0.8, 0.8))
    assert not SQUARE.contains((0.81, 0.5))


def test_a_notch_is_outside():
    assert ARROW.contains((0.6, 0.5))
    assert not ARROW.contains((0.2, 0.5))


def test_distance_is_to_the_nearest_edge_and_zero_inside():
    assert SQUARE.distance((0.5, 0.5)) == 0
    assert SQUARE.distance((0.9, 0.5)) == pytest.approx(0.1)
    assert SQUARE.distance((0.9, 0.9)) == pytest.approx(0.1 * 2**0.5)


@given(FRACTION, FRACTION)
def test_contains_agrees_with_the_plain_definition_of_a_square(x, y):
    assert SQUARE.contains((x, y)) == (
        0.2 - 1e-9 <= x <= 0.8 + 1e-9 and 0.2 - 1e-9 <= y <= 0.8 + 1e-9
    )


def test_the_last_border_on_the_way_counts():
    assert SQUARE.crossing((0.0, 0.5), (0.4, 0.5)) == pytest.approx(0.5)
    assert SQUARE.crossing((0.0, 0.5), (1.0, 0.5)) == pytest.approx(0.8)
    assert SQUARE.crossing((0.3, 0.3), (0.6, 0.6)) is None


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (((0, 0), (1, 1)), "at least 3 points"),
        (((0, 0), (1.2, 0), (1, 1)), "outside the frame"),
        (((0, 0), (1, 1), (1, 0), (0, 1)), "crosses itself"),
        (((0, 0), (0.5, 0.5), (1, 1)), "no area"),
        (((0, 0), (1, 0), (1, 0), (0, 1)), "same point"),
        (((float("nan"), 0), (1, 0), (0, 1)), "outside the frame"),
    ],
)
def test_what_is_no_polygon_is_told_with_the_reason(points, says):
    with pytest.raises(ValueError, match=says):
        Polygon(points)
