"""A facing that holds four: what is left of them, as stories on drawn pictures."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from shelf_world import FACINGS, board, facing, frame, people, with_arm, zone

from edge_agent.observations import Handling, Level, Move, Stock
from edge_agent.shelf import Shelves

FPS, CORNERS = 5, ((64, 74), (82, 74), (64, 116), (82, 116))


def shelf(left, light=1.0):
    """Four packs in facing A, of which the first so many are there, beside B and C."""
    picture = board("A", light=light)
    for x, y in CORNERS[:left]:
        tone = np.array([(60, 50, 150), (210, 220, 235), (40, 40, 60)]) * light
        for inset, colour in enumerate(tone.clip(0, 255).tolist()):
            near, far = (x + 3 * inset, y + 6 * inset), (x + 16 - 3 * inset, y + 38 - 6 * inset)
            cv2.rectangle(picture, near, far, colour, -1)
    return picture


def play(*steps, light=lambda t: 1.0):
    """Each step is how many are left after a hand was there for a second; three seconds apart."""
    place = zone()
    four = replace(facing("A"), holds=4)
    stage = Shelves([replace(place, facings=(four, facing("B"), facing("C")))])
    events = []
    for i in range(4 * len(steps) * FPS):
        t = i / FPS
        step, since = int(t // 4), t % 4
        before = steps[max(step - 1, 0)] if since < 2.5 else steps[step]
        picture = shelf(before, light(t))
        if step > 0 and 1.5 <= since < 2.5:
            picture = with_arm(picture, FACINGS["A"], 0.8)
        events += stage.update(frame(picture, t), people(t), None)
    return events + stage.finish()


def levels(events):
    return [one.level for one in events if isinstance(one, Stock) and one.facing == "A"]


def moves(events):
    return [one.move for one in events if isinstance(one, Handling)]


def test_one_after_the_other_is_taken_until_it_is_empty():
    events = play(4, 3, 2, 1, 0)
    assert moves(events) == [Move.PICK] * 4
    assert levels(events) == [Level.FULL, Level.LOW, Level.EMPTY]
    last = [one for one in events if isinstance(one, Stock)][-1]
    assert (last.level, last.present) == (Level.EMPTY, False)


def test_two_taken_in_one_reach_are_two_picks_and_a_change_of_mind_brings_one_back():
    events = play(4, 2, 3)
    assert moves(events) == [Move.PICK, Move.PICK, Move.PUT_BACK]
    assert levels(events) == [Level.FULL, Level.LOW, Level.FULL]


def test_a_restock_sets_an_empty_facing_to_full():
    assert levels(play(4, 2, 0, 2, 4)) == [
        Level.FULL, Level.LOW, Level.EMPTY, Level.LOW, Level.FULL,
    ]  # fmt: skip


def test_the_light_of_the_day_takes_nothing():
    events = play(4, 4, 4, light=lambda t: 1.0 - 0.02 * t)
    assert (moves(events), levels(events)) == ([], [Level.FULL])


def test_a_facing_of_one_product_has_no_level():
    stage = Shelves([zone()])
    events = [
        event for i in range(10) for event in stage.update(frame(board(), i / 5), people(0), None)
    ]
    assert {one.level for one in events} == {None}
