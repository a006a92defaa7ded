"""What of a picture is not the shelf."""

from __future__ import annotations

import tracemalloc

import cv2
import numpy as np

from edge_agent.geometry import Polygon
from edge_agent.shelf.ground import Ground
from edge_agent.shelf.patch import Patch

SHAPE = (60, 80)
NOBODY = np.zeros(SHAPE, np.bool_)


def board(seed=1):
    """A shelf with things on it, smooth as a picture that was made smaller is."""
    rng = np.random.default_rng(seed)
    picture = np.full((*SHAPE, 3), 150, np.uint8)
    for _ in range(25):
        x, y = (int(value) for value in rng.integers(0, (80, 60)))
        colour = tuple(int(value) for value in rng.integers(40, 230, 3))
        cv2.rectangle(picture, (x, y), (x + 6, y + 9), colour, -1)
    return cv2.blur(picture, (3, 3))


def with_box(picture, colour, x=30, y=20, wide=16, tall=20):
    made = picture.copy()
    made[y : y + tall, x : x + wide] = colour
    return made, np.s_[y : y + tall, x : x + wide]


def learned(picture, hidden=NOBODY):
    whole = Polygon(((0, 0), (1, 0), (1, 1), (0, 1)))
    ground = Ground(Patch(whole, (SHAPE[1], SHAPE[0])))
    compare(ground, picture, hidden)
    return ground


def compare(ground, picture, hidden=NOBODY):
    ground.see(picture)
    return ground.compare(hidden)


def test_looking_for_days_takes_no_more_memory_than_looking_once():
    picture = board()
    ground = learned(picture)
    tracemalloc.start()
    try:
        for _ in range(50):
            compare(ground, picture)
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(500):
            compare(ground, picture)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000


def test_the_shelf_itself_is_no_foreground_whatever_the_light():
    ground = learned(board())
    for light in (1.0, 0.6, 1.4):
        picture = (board() * light).clip(0, 255).astype(np.uint8)
        assert compare(ground, picture).mean() < 0.01


def test_a_hand_is_and_its_even_shadow_is_not():
    ground = learned(board())
    shown, here = with_box(board(), (110, 140, 220))
    found = compare(ground, shown)
    assert found[here].mean() > 0.8
    assert found.sum() < 1.3 * found[here].sum()
    shaded = board()
    shaded[here] = (shaded[here] * 0.75).astype(np.uint8)
    assert compare(ground, shaded)[here].mean() < 0.1


def test_what_a_body_hid_is_learned_when_it_is_first_seen():
    hidden = NOBODY.copy()
    hidden[:, :40] = True
    shown, here = with_box(board(), (20, 20, 20), x=5)
    ground = learned(shown, hidden)
    assert not compare(ground, board()).any()
    assert compare(ground, shown)[here].mean() > 0.8


def test_a_shaken_picture_is_laid_on_the_ground():
    ground = learned(board())
    moved = np.roll(board(), (2, -1), axis=(0, 1))
    edge = NOBODY.copy()
    edge[5:-5, 5:-5] = True
    assert not (compare(ground, moved) & edge).any()
    # Not so where it went farther than wind and footsteps take it.
    assert (compare(ground, np.roll(board(), 9, axis=1)) & edge).mean() > 0.1


def test_a_hand_that_was_there_from_the_start_leaves_a_ghost_and_a_new_one_is_real():
    with_hand, here = with_box(board(), (110, 140, 220))
    part = NOBODY.copy()
    part[here] = True
    ground = learned(with_hand)
    compare(ground, board())
    assert ground.is_ghost(part)
    ground.take_in(part)
    assert not compare(ground, board()).any()
    compare(ground, with_hand)
    assert not ground.is_ghost(part)


def test_daylight_is_followed_and_a_hand_is_not_learned():
    ground, shown = learned(board()), with_box(board(), (110, 140, 220))
    for i in range(300):
        found = compare(ground, shown[0])
        ground.learn(i / 5, found)
    assert compare(ground, shown[0])[shown[1]].mean() > 0.7
    # The left half brightens slowly, as in the morning sun.
    for i in range(300):
        morning = board().astype(np.float64)
        morning[:, :40] += 60 * i / 300
        picture = morning.clip(0, 255).astype(np.uint8)
        found = compare(ground, picture)
        ground.learn(60 + i / 2, found)
    assert found.mean() < 0.05
