"""A close look at somebody near a shelf: what is cut out, what is drawn, what is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shelf_world import people
from tiny_models import entry, input_spec

from edge_agent.closeup import INPUT, MAP, Closeup, Square, build_closeup, corners_of, near
from edge_agent.config import Zone
from edge_agent.errors import ModelError
from edge_agent.geometry import Polygon
from edge_agent.manifest import Decoder, Task
from edge_agent.observations import Frame

SIZE = (320, 240)
GREY = 110
REACH = replace(entry(input_spec(INPUT, INPUT), Decoder.REACH), task=Task.REACH)
SHELF = Polygon(((0.1, 0.1), (0.9, 0.1), (0.9, 0.5), (0.1, 0.5)))
FLOOR = Polygon(((0.0, 0.6), (1.0, 0.6), (1.0, 1.0), (0.0, 1.0)))
FAR = Polygon(((0.9, 0.9), (1.0, 0.9), (1.0, 1.0), (0.9, 1.0)))
# In the middle of the frame: 96 pixels wide and 192 high.
BOX = (0.35, 0.1, 0.65, 0.9)

squares = st.builds(Square, st.integers(-300, 400), st.integers(-300, 400), st.integers(1, 500))


class Runtime:
    """Says the same map of everybody, and keeps what it was shown."""

    def __init__(self, logits=None):
        self.logits = np.full((1, MAP, MAP), -9, np.float32) if logits is None else logits
        self.shown = []

    def __call__(self, tensor):
        self.shown.append(tensor)
        return [self.logits]


def with_hands(*hands):
    """A map with a hill at each row, column and logit."""
    down, across = np.mgrid[:MAP, :MAP]
    hills = [logit - ((down - y) ** 2 + (across - x) ** 2) / 4 for y, x, logit in hands]
    return np.maximum(np.max(hills, axis=0), -9)[None].astype(np.float32)


def picture(t=0.0):
    image = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    return Frame(image, t, *SIZE)


def zone(name="shelf", shelf=SHELF, floor=FLOOR):
    return Zone(name, shelf=shelf, floor=floor)


def look(runtime, *boxes, zones=None, first=1):
    stage = build_closeup(REACH, runtime, [zone()] if zones is None else zones)
    return stage(picture(), people(0.0, *boxes, first=first)).hands


@given(squares, st.integers(1, 200), st.integers(1, 200))
def test_a_cut_is_always_of_one_size(square, wide, high):
    made = square.cut(np.full((high, wide, 3), 7, np.uint8))
    assert (made.shape, made.dtype) == ((INPUT, INPUT, 3), np.uint8)
    assert set(np.unique(made).tolist()) <= {7, GREY}


@given(squares)
def test_a_polygon_is_drawn_in_one_size_and_nobodys_is_empty(square):
    made = square.drawn(np.array([(0, 0), (90, 10), (50, 150)], np.float64))
    assert (made.shape, made.dtype) == ((INPUT, INPUT), np.uint8)
    assert set(np.unique(made).tolist()) <= {0, 255}
    assert not square.drawn(np.empty((0, 2))).any()


@given(
    st.integers(-60, 220), st.integers(-60, 160), st.integers(60, 300),
    st.integers(8, SIZE[0] - 8), st.integers(8, SIZE[1] - 8),
)  # fmt: skip
def test_a_place_of_the_frame_is_at_the_same_place_of_the_cut_and_of_the_drawing(
    left, top, side, x, y
):
    square = Square(left, top, side)
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[y - 6 : y + 6, x - 6 : x + 6] = 255
    cut = square.cut(image)[..., 0]
    block = np.array([(x - 6, y - 6), (x + 6, y - 6), (x + 6, y + 6), (x - 6, y + 6)], np.float64)
    drawn = square.drawn(block)
    u, v = (x - left) * INPUT / side, (y - top) * INPUT / side
    room = 7 * INPUT / side
    if not (room <= u <= INPUT - room and room <= v <= INPUT - room):
        return
    for plane in (np.where(cut > GREY, cut, 0), drawn):
        rows, columns = plane.nonzero()
        # Edges are drawn over, half a pixel on.
        assert columns.mean() == pytest.approx(u - 0.5, abs=1.1)
        assert rows.mean() == pytest.approx(v - 0.5, abs=1.1)


def test_what_lies_outside_the_frame_is_grey():
    made = Square(-48, -48, 96).cut(np.full((200, 200, 3), 255, np.uint8))
    assert (made[48:, 48:] == 255).all()
    assert (made[:48] == GREY).all()
    assert (made[:, :48] == GREY).all()


def test_a_square_reaches_from_over_the_head_to_the_knees():
    square = Square.around(np.array(BOX), SIZE)
    height = 192
    assert square.side == round(0.95 * height)
    assert square.left + square.side / 2 == pytest.approx(160, abs=1)
    assert 0.1 * height < 24 - square.top < 0.2 * height
    assert 0.7 * height < square.top + square.side - 24 < 0.9 * height
    lying = Square.around(np.array((0.1, 0.4, 0.9, 0.5)), SIZE)
    assert lying.side == round(0.95 * 256)


def test_a_box_has_its_corners_one_after_the_other():
    assert corners_of(np.array((1.0, 2.0, 3.0, 5.0))).tolist() == [[1, 2], [3, 2], [3, 5], [1, 5]]


def test_near_is_who_sees_more_than_a_hundredth_of_the_square_as_shelf():
    plane = np.zeros((INPUT, INPUT), np.uint8)
    assert not near(plane)
    plane[0, :90] = 255
    assert not near(plane)
    plane[1, :10] = 255
    assert near(plane)


def test_a_network_sees_the_picture_the_shelf_the_floor_and_the_body():
    runtime = Runtime()
    look(runtime, BOX)
    (tensor,) = runtime.shown
    square = Square.around(np.array(BOX), SIZE)
    assert (tensor.shape, tensor.dtype) == ((1, 6, INPUT, INPUT), np.uint8)
    np.testing.assert_array_equal(tensor[0, :3], square.cut(picture().image).transpose(2, 0, 1))
    body = np.array([(112, 24), (208, 24), (208, 216), (112, 216)], np.float64)
    shelf, floor = (np.array(one.points) * SIZE for one in (SHELF, FLOOR))
    for plane, corners in zip(tensor[0, 3:], (shelf, floor, body), strict=True):
        np.testing.assert_array_equal(plane, square.drawn(corners))
        assert plane.any()


def test_a_zone_without_a_floor_has_an_empty_plane_for_it():
    runtime = Runtime()
    look(runtime, BOX, zones=[zone(floor=None)])
    assert runtime.shown[0][0, 3].any()
    assert not runtime.shown[0][0, 4].any()


def test_a_hand_is_told_where_its_cell_lies_in_the_frame_with_its_chance():
    (hand,) = look(Runtime(with_hands((6, 18, 1.0))), BOX, first=4)["shelf"]
    square = Square.around(np.array(BOX), SIZE)
    across = square.left + 18.5 / 24 * square.side
    down = square.top + 6.5 / 24 * square.side
    assert hand.track == 4
    assert hand.point == pytest.approx((across / SIZE[0], down / SIZE[1]))
    assert hand.chance == pytest.approx(1 / (1 + np.exp(-1)))


def test_two_hands_are_told_and_a_third_is_not_the_surest_first():
    hands = look(Runtime(with_hands((4, 4, 0.0), (20, 20, 2.0), (4, 20, 1.0))), BOX)["shelf"]
    assert [round(hand.chance, 2) for hand in hands] == [0.88, 0.73]


def test_what_lies_beside_a_surer_hand_is_the_same_hand():
    logits = with_hands((10, 10, 2.0))
    logits[0, 12, 12] = 1.9
    assert len(look(Runtime(logits), BOX)["shelf"]) == 1
    logits[0, 10, 15] = 1.9
    assert len(look(Runtime(logits), BOX)["shelf"]) == 2


def test_of_an_unlikely_hand_nothing_is_said():
    for chance, count in ((0.04, 0), (0.06, 1)):
        logit = float(np.log(chance / (1 - chance)))
        assert len(look(Runtime(with_hands((5, 5, logit))), BOX)["shelf"]) == count


@given(st.integers(0, 2**32 - 1))
def test_hands_lie_within_the_square_that_was_looked_at(seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-0.2, 0.7, 2)
    box = (*corner, *(corner + rng.uniform(0.2, 0.6, 2)))
    square = Square.around(np.array(box), SIZE)
    logits = rng.normal(0, 3, (1, MAP, MAP)).astype(np.float32)
    whole = Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)))
    hands = look(Runtime(logits), box, zones=[zone(shelf=whole)])["shelf"]
    assert 0 < len(hands) <= 2
    for hand in hands:
        x, y = hand.point[0] * SIZE[0], hand.point[1] * SIZE[1]
        assert square.left < x < square.left + square.side
        assert square.top < y < square.top + square.side
        assert 0.05 <= hand.chance <= 1


def test_nobody_far_from_a_shelf_and_nobody_small_is_looked_at():
    runtime = Runtime(with_hands((5, 5, 3.0)))
    assert look(runtime, BOX, zones=[zone(shelf=FAR)]) == {"shelf": ()}
    small = (0.5, 0.3, 0.52, 0.4)
    assert Square.around(np.array(small), SIZE).side < 24
    assert look(runtime, small) == {"shelf": ()}
    assert runtime.shown == []


def test_everybody_is_looked_at_once_for_each_shelf_that_is_near():
    runtime = Runtime(with_hands((5, 5, 3.0)))
    zones = [zone("a"), zone("far", FAR), Zone("no shelf", floor=FLOOR), zone("b", floor=None)]
    other = (0.1, 0.1, 0.4, 0.9)
    found = look(runtime, BOX, other, zones=zones, first=7)
    whose = {name: [hand.track for hand in hands] for name, hands in found.items()}
    assert whose == {"a": [7, 8], "far": [], "b": [7, 8]}
    assert len(runtime.shown) == 4


def test_where_nobody_is_every_shelf_is_told_without_a_hand():
    runtime = Runtime()
    assert look(runtime, zones=[zone("a"), zone("b")]) == {"a": (), "b": ()}
    assert look(runtime, BOX, zones=[Zone("no shelf", floor=FLOOR)]) == {}
    assert runtime.shown == []


def test_a_map_of_another_size_is_refused_with_both_sizes():
    with pytest.raises(ModelError, match=r"model tiny: .*\[1, 1, 24, 24\].*takes \[1, 24, 24\]"):
        look(Runtime(np.zeros((1, 1, MAP, MAP), np.float32)), BOX)


def test_a_model_that_does_something_else_is_refused():
    with pytest.raises(
        ModelError, match=r"tiny does not tell hands .*decoder yolox.*models\.reach"
    ):
        build_closeup(entry(), Runtime(), [zone()])
    assert isinstance(build_closeup(REACH, Runtime(), [zone()]), Closeup)
