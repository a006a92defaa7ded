"""What hands do at a shelf, told as stories on drawn pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from shelf_world import FACINGS, SIZE, board, frame, people, with_arm, zone

from edge_agent.config import Zone
from edge_agent.observations import (
    Abstained,
    Censored,
    Closeups,
    Evidence,
    Hand,
    Handling,
    Move,
    Poses,
    Reach,
    Stock,
)
from edge_agent.shelf import Shelves
from models.scene.arms import arms

FPS = 5


def play(seconds, draw, boxes=lambda t: (), joints=lambda t: None, zones=None):
    """Events of a story; draw(t) is its picture."""
    stage, events = Shelves(zones or [zone()]), []
    for i in range(round(seconds * FPS) + 1):
        t = i / FPS
        events += stage.update(frame(draw(t), t), people(t, *boxes(t)), joints(t))
    return events + stage.finish()


def of(events, kind):
    return [event for event in events if isinstance(event, kind)]


def visiting(start, end, x=FACINGS["A"], depth=0.75, before=board, after=board):
    """A hand is at a place from start to end; the shelf looks otherwise after it."""

    def draw(t):
        if start <= t <= end:
            return with_arm(before(), x, depth)
        return after() if t > end else before()

    return draw


def test_a_lone_hand_is_one_reach_at_the_facing_it_came_to():
    (reach,) = of(play(6, visiting(2, 3.4)), Reach)
    assert (reach.zone, reach.facing) == ("shelf", "A")
    assert (reach.start_s, reach.end_s) == pytest.approx((2, 3.4))
    assert (reach.evidence, reach.censored, reach.track) == (
        Evidence.INTRUSION, Censored.NONE, None,
    )  # fmt: skip


def test_what_was_there_at_the_start_is_told_once_the_view_is_clear():
    stocks = of(play(3, lambda t: board("B")), Stock)
    assert {stock.facing: stock.present for stock in stocks} == {"A": True, "B": False, "C": True}
    assert [stock.t_s for stock in stocks] == [0, 0, 0]


@pytest.mark.parametrize(
    ("before", "after", "move"), [("", "A", Move.PICK), ("A", "", Move.PUT_BACK)]
)
def test_a_product_that_went_or_came_with_a_hand(before, after, move):
    draw = visiting(2, 3, before=lambda: board(before), after=lambda: board(after))
    events = play(6, draw)
    (handling,) = of(events, Handling)
    assert (handling.move, handling.zone, handling.facing) == (move, "shelf", "A")
    assert handling.t_s == pytest.approx(2.5, abs=0.3)
    assert handling.confidence > 0.8
    last = {stock.facing: stock.present for stock in of(events, Stock)}
    assert last == {"A": move is Move.PUT_BACK, "B": True, "C": True}


def test_a_hand_that_takes_nothing_is_a_reach_and_no_pick():
    events = play(6, visiting(2, 3))
    assert len(of(events, Reach)) == 1
    assert not of(events, Handling)


def test_two_hands_at_once_are_two_reaches_and_two_picks():
    def draw(t):
        picture = board("AC" if t > 3 else "")
        for x in (FACINGS["A"], FACINGS["C"]) if 2 <= t <= 3 else ():
            picture = with_arm(picture, x, 0.75)
        return picture

    events = play(6, draw)
    assert sorted(reach.facing for reach in of(events, Reach)) == ["A", "C"]
    assert sorted((one.facing, one.move) for one in of(events, Handling)) == [
        ("A", Move.PICK),
        ("C", Move.PICK),
    ]


def test_light_shadow_and_shake_are_nobody():
    def draw(t):
        shift = (round(t * 5) % 3 - 1, round(t * 5) % 2)
        return board(light=1 + 0.3 * ((t // 1) % 2), shift=shift)

    events = play(8, draw)
    assert not of(events, Reach)
    assert not of(events, Handling)


def test_a_product_that_is_gone_without_anybody_near_is_told_as_neither():
    events = play(12, lambda t: board("" if t < 4 else "B"))
    assert {(one.zone, one.facing) for one in of(events, Abstained)} == {("shelf", "B")}
    assert of(events, Abstained)[0].t_s == pytest.approx(4, abs=0.5)
    assert not of(events, Handling)


def test_a_body_that_passes_in_front_reaches_for_nothing_and_takes_nothing():
    def box(t):
        left = (t - 1) / 4
        return (left, 0.05, left + 0.2, 1.0)

    def draw(t):
        picture = board()
        x0, y0, x1, _ = box(t)
        columns = slice(max(0, round(x0 * SIZE[0])), max(0, round(x1 * SIZE[0])))
        picture[round(y0 * SIZE[1]) :, columns] = (70, 90, 60)
        return picture

    events = play(7, draw, lambda t: (box(t),) if -0.2 <= box(t)[0] <= 1 else ())
    assert not of(events, Reach)
    assert not of(events, Handling)
    assert len(of(events, Stock)) == len(FACINGS)


@pytest.fixture(scope="module")
def shopper():
    """Somebody who reaches into a shelf, simulated: where they stand and when it truly is."""
    seen = arms(48, 60, FPS)
    rows = seen.person == 9
    return replace(
        seen, t=seen.t[rows], keypoints=seen.keypoints[rows], boxes=seen.boxes[rows],
        past=seen.past[rows],
    )  # fmt: skip


def watched(shopper, arm=False, told=None):
    """Reaches of the shopper before a bare wall; the pictures show their body and arm, or none.

    `told` is what a close look finds in every frame.
    """
    stage, events = Shelves([Zone("shelf", shelf=shopper.shelf)]), []
    wall = board("ABC")
    side = int(shopper.past.any(axis=0).argmax())
    for t, joints, box in zip(shopper.t.tolist(), shopper.keypoints, shopper.boxes, strict=True):
        keypoints = np.concatenate([joints, np.ones((17, 1))], axis=1)[None]
        picture = wall.copy()
        if arm:
            corners = (box.reshape(2, 2) * SIZE).astype(int).tolist()
            cv2.rectangle(picture, *corners, (70, 90, 60), -1)
            elbow, wrist = joints[7 + side], joints[9 + side]
            ends = [
                (point * SIZE).astype(int).tolist() for point in (elbow, 1.4 * wrist - 0.4 * elbow)
            ]
            cv2.line(picture, *ends, (60, 90, 200), 5)
        body = people(t, tuple(box.tolist()), first=9)
        poses = Poses(t, body.ids, keypoints)
        events += stage.update(frame(picture, t), body, poses, closeups=told)
    return of(events + stage.finish(), Reach)


def spans(shopper):
    """Start and end of each true reach: looks at most two frames apart."""
    times = shopper.t[shopper.past.any(axis=1)]
    cuts = np.flatnonzero(np.diff(times) > 2.5 / FPS) + 1
    return [(some[0], some[-1]) for some in np.split(times, cuts)]


def test_a_hand_past_the_plane_is_a_reach_where_the_pictures_show_nothing(shopper):
    reaches = watched(shopper)
    true = spans(shopper)
    assert len(reaches) == len(true) > 0
    for reach, (start, end) in zip(reaches, true, strict=True):
        assert reach.evidence is Evidence.WRIST
        assert reach.track == 9
        assert (reach.start_s, reach.end_s) == pytest.approx((start, end), abs=2 / FPS)


def test_both_witnesses_of_one_hand_are_one_reach(shopper):
    reaches = watched(shopper, arm=True)
    assert len(reaches) == len(spans(shopper))
    assert Evidence.BOTH in {reach.evidence for reach in reaches}


def test_what_moves_beside_people_whose_joints_are_seen_is_no_hand(shopper):
    away = replace(shopper, past=shopper.past & False, keypoints=shopper.keypoints * 0.0)
    assert not watched(away, arm=True)


def at_the_wall(seconds, told, boxes=((0.3, 0.3, 0.5, 1.0),)):
    """Reaches before a bare wall; told(t) are the hands that a close look finds in each zone."""
    stage, events = Shelves([zone()]), []
    wall = board("ABC")
    for i in range(round(seconds * FPS)):
        t = i / FPS
        bodies = people(t, *boxes)
        poses = Poses(t, bodies.ids, np.ones((len(boxes), 17, 3)) * 0.9)
        events += stage.update(frame(wall, t), bodies, poses, closeups=Closeups(t, told(t)))
    return of(events + stage.finish(), Reach)


def sure_from(start, end, track=1, name="shelf"):
    point = (FACINGS["A"], 0.6)
    return lambda t: {name: (Hand(track, point, 0.95),) if start <= t <= end else ()}


def test_a_hand_that_a_close_look_tells_is_a_reach_of_its_body_at_its_facing():
    (reach,) = at_the_wall(10, sure_from(5, 8))
    assert (reach.zone, reach.facing, reach.track) == ("shelf", "A", 1)
    assert (reach.start_s, reach.end_s) == pytest.approx((5, 8))
    assert reach.evidence is Evidence.WRIST


def test_hands_at_another_shelf_and_of_nobody_here_are_no_reach_at_this_one():
    assert at_the_wall(10, sure_from(5, 8, name="other")) == []
    assert at_the_wall(10, sure_from(5, 8, track=5)) == []


def test_where_somebody_looks_closely_joints_tell_of_no_hands(shopper):
    assert watched(shopper)
    assert watched(shopper, told=Closeups(0.0, {"shelf": ()})) == []


def test_a_reach_is_cut_off_by_the_end_of_observation():
    (reach,) = of(play(3, visiting(2, 9)), Reach)
    assert reach.censored is Censored.RIGHT
    assert reach.end_s == 3


def test_a_shelf_at_rest_is_looked_at_once_a_second():
    stage, looked = Shelves([zone()]), []
    for i in range(50):
        t = i / FPS
        stage.update(frame(board(), t), people(t), None, moved=t < 1)
        looked.append(stage._looked_s)
    assert len(set(looked)) == pytest.approx(4 * FPS + 6, abs=2)


def test_without_a_shelf_there_is_nothing_to_say():
    stage = Shelves([])
    assert stage.update(frame(board(), 0.0), people(0.0), None) == []
    assert stage.finish() == []


def test_lights_that_go_out_take_nothing():
    """Not even with somebody's hand in the shelf at that moment."""

    def draw(t):
        picture = with_arm(board(), FACINGS["A"], 0.75) if 2 <= t <= 4 else board()
        return picture if t < 3 else (picture * 0.04).astype(np.uint8)

    events = play(12, draw)
    assert of(events, Handling) == []
    assert {one.facing for one in of(events, Abstained)} == set(FACINGS)
