"""A camera that does not see its place says so, and which way; people do not confuse it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_agent.lookout import Lookout, Outlook
from edge_agent.observations import Blindness, Frame, Layout

SIZE = (640, 360)


def shop():
    """Shelves, a floor and a poster."""
    rng = np.random.default_rng(3)
    picture = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    picture[250:] = (90, 100, 105)
    for _ in range(160):
        x, y = int(rng.integers(0, 620)), int(rng.integers(0, 340))
        colour = tuple(int(value) for value in rng.integers(20, 240, 3))
        cv2.rectangle(picture, (x, y), (x + int(rng.integers(8, 40)), y + 25), colour, -1)
    return picture


SHOP = shop()
# A few frames' worth; more would only take time.
NOISE = np.random.default_rng(1).integers(-5, 6, (4, *SHOP.shape))


def noisy(picture):
    return [(picture + noise).clip(0, 255).astype(np.uint8) for noise in NOISE]


def moved(across, down):
    move = np.array([[1, 0, across * SIZE[0]], [0, 1, down * SIZE[1]]], np.float64)
    return cv2.warpAffine(SHOP, move, SIZE, borderMode=cv2.BORDER_REFLECT)


def watch(lookout, picture, start, end):
    """What stands at the end, and the first time at which it stood; a frame a second."""
    since, before, pictures = start, Outlook(), noisy(picture)
    for t in range(start, end):
        outlook = lookout.look(Frame(pictures[t % len(pictures)], t, *SIZE))
        if outlook.blind is not before.blind:
            since = t
        before = outlook
    return before, since


@pytest.mark.parametrize(
    ("picture", "blind"),
    [
        (SHOP * 0.01, Blindness.DARK),
        (np.full_like(SHOP, (90, 110, 170)), Blindness.COVERED),
        (np.full_like(SHOP, 30), Blindness.COVERED),
        (cv2.GaussianBlur(SHOP, (0, 0), 5), Blindness.BLURRED),
        (moved(0.1, -0.05), Blindness.MOVED),
        (SHOP[::-1, ::-1], Blindness.MOVED),
    ],
    ids=["lights off", "a hand before the lens", "a black sticker", "breath", "bumped", "turned"],
)
def test_what_hides_the_place_is_told_within_ten_seconds_and_taken_back(picture, blind):
    lookout = Lookout()
    assert watch(lookout, SHOP, 0, 20)[0] == Outlook()
    outlook, since = watch(lookout, picture, 20, 40)
    assert outlook.blind is blind
    assert since - 20 <= 6
    back, since = watch(lookout, SHOP, 40, 60)
    assert back == Outlook()
    assert since - 40 <= 4


@pytest.mark.parametrize("fps", [1, 5, 10])
def test_a_live_camera_that_gives_one_picture_for_ever_is_frozen_until_it_gives_another(fps):
    lookout, pictures, told = Lookout(live=True), noisy(SHOP), {}
    for number in range(60 * fps):
        t = number / fps
        picture = pictures[2] if 20 <= t < 40 else pictures[number * 7 // fps % 3 + (number % 2)]
        outlook = lookout.look(Frame(picture, t, *SIZE))
        told.setdefault(outlook.blind, []).append(t)
    assert set(told) == {None, Blindness.FROZEN}
    assert 24 <= told[Blindness.FROZEN][0] <= 28
    assert 40 < told[Blindness.FROZEN][-1] <= 44


def test_a_picture_that_stands_still_for_a_moment_is_not_frozen():
    lookout, pictures = Lookout(live=True), noisy(SHOP)
    for t in range(60):
        picture = pictures[t // 3 % len(pictures)]
        assert lookout.look(Frame(picture, t, *SIZE)) == Outlook()


def test_a_clip_may_stand_still():
    lookout = Lookout()
    for t in range(60):
        assert lookout.look(Frame(SHOP, t, *SIZE)) == Outlook()


def test_a_camera_that_is_frozen_in_the_dark_is_dark():
    lookout, black = Lookout(live=True), np.zeros_like(SHOP)
    outlooks = [lookout.look(Frame(black, t, *SIZE)) for t in range(30)]
    assert {outlook.blind for outlook in outlooks[5:]} == {Blindness.DARK}


def test_a_moved_camera_says_by_how_much():
    lookout = Lookout()
    watch(lookout, SHOP, 0, 10)
    outlook, _ = watch(lookout, moved(0.1, -0.05), 10, 20)
    assert outlook.shift == pytest.approx((0.1, -0.05), abs=0.01)
    assert Lookout().look(Frame(SHOP, 0.0, *SIZE)).shift is None


def crowd():
    """Three people stand before half of it."""
    picture = SHOP.copy()
    for x in (60, 260, 430):
        picture[60:, x : x + 110] = (60, 70, 90)
    return picture


@pytest.mark.parametrize(
    "picture",
    [SHOP * 0.35, np.minimum(SHOP * 1.5, 255), crowd(), moved(0.006, 0)],
    ids=["evening", "sun", "a crowd", "a slammed door"],
)
def test_light_people_and_a_little_shake_are_none_of_it(picture):
    lookout = Lookout()
    watch(lookout, SHOP, 0, 10)
    assert watch(lookout, picture, 10, 40)[0] == Outlook()


def test_noise_on_a_bare_wall_is_nothing_to_judge_by():
    wall, noise = np.full_like(SHOP, 150), np.random.default_rng(2)
    lookout = Lookout()
    for t in range(30):
        grain = noise.normal(0, 20, (SIZE[1], SIZE[0], 1))
        picture = (wall + grain).clip(0, 255).astype(np.uint8)
        assert lookout.look(Frame(picture, t, *SIZE)) == Outlook()


def test_a_bare_wall_is_nothing_to_judge_by():
    wall = np.full_like(SHOP, 150)
    lookout = Lookout()
    assert watch(lookout, wall, 0, 10)[0] == Outlook()
    assert watch(lookout, wall // 2, 10, 20)[0] == Outlook()


def test_the_planes_of_a_camera_are_read_too():
    lookout, planes = Lookout(), cv2.cvtColor(SHOP, cv2.COLOR_BGR2YUV_I420)
    for t in range(10):
        assert lookout.look(Frame(planes, t, *SIZE, Layout.I420)) == Outlook()
    for t in range(10, 20):
        outlook = lookout.look(Frame(np.zeros_like(planes), t, *SIZE, Layout.I420))
    assert outlook.blind is Blindness.DARK
