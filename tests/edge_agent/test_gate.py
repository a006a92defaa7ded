"""The gate: nobody walks past it, and nothing else keeps the detector up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from planes import i420

from edge_agent.gate import CELLS, Gate, shrink
from edge_agent.observations import Frame, Layout

HEIGHT, WIDTH = 180, 320
STEP_S = 0.2


def place(seed=0, low=40, high=200):
    """A floor, a wall and some shelves: smooth, with edges."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(low, high, (6, 8), dtype=np.uint8)
    return cv2.resize(rough, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.float32)


class Shop:
    """A camera that looks at an empty place, with noise, and what is put into it."""

    def __init__(self, ground=None, noise=2.5, seed=1):
        self.ground = place() if ground is None else ground
        self.rng = np.random.default_rng(seed)
        self.noise = self.rng.normal(0, noise, (16, 2 * HEIGHT, 2 * WIDTH)).astype(np.float32)
        self.gate = Gate()
        self.t = 0.0

    def frame(self, person=None, level=0.0, gain=1.0, layout=Layout.BGR):
        """person: x0, y0, x1, y1 in pixels, level: how much darker than the place behind it."""
        grey = self.ground.copy()
        if person is not None:
            x0, y0, x1, y1 = (round(value) for value in person)
            grey[max(0, y0) : y1, max(0, x0) : x1] -= level
        x, y = int(self.rng.integers(WIDTH)), int(self.rng.integers(HEIGHT))
        field = self.noise[int(self.rng.integers(len(self.noise)))]
        grey = grey * gain + field[y : y + HEIGHT, x : x + WIDTH]
        picture = np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
        image = picture if layout is Layout.BGR else i420(picture, WIDTH + 32)
        self.t += STEP_S
        return Frame(image, self.t, WIDTH, HEIGHT, layout)

    def moved(self, **seen):
        return self.gate.moved(self.frame(**seen))

    def rest(self, frames, **seen):
        """Frames that are known to be empty; how many of them the gate woke for."""
        woken = 0
        for i in range(frames):
            values = {key: value(i) if callable(value) else value for key, value in seen.items()}
            woken += self.moved(**values)
            self.gate.learn(self.t)
        return woken


@pytest.fixture
def shop():
    shop = Shop()
    shop.rest(50)
    return shop


def test_everything_moves_until_the_empty_place_is_known():
    shop = Shop()
    assert [shop.moved() for _ in range(3)] == [True] * 3
    assert shop.rest(10) < 5
    assert not shop.moved()


def test_noise_alone_does_not_wake_it(shop):
    assert shop.rest(300) == 0


@pytest.mark.parametrize("layout", Layout)
def test_both_layouts_are_read(layout):
    shop = Shop()
    assert shop.rest(50, layout=layout) < 5
    assert shop.moved(person=(100, 60, 130, 160), level=40, layout=layout)


@pytest.mark.parametrize(
    ("person", "level"),
    [
        ((0, 60, 8, 170), 40),  # the first shoulder at the edge
        ((150, 80, 158, 104), 20),  # far away: two cells by six
        ((100, 60, 130, 160), 8),  # dark on dark
        ((100, 60, 130, 160), -8),
    ],
)
def test_a_person_wakes_it_in_the_first_frame(shop, person, level):
    assert shop.moved(person=person, level=level)


def test_whoever_creeps_in_is_seen_before_half_of_them_is_there(shop):
    for i in range(200):  # 40 s for the width of a person
        x = WIDTH - 0.2 * i
        if shop.moved(person=(x, 60, x + 40, 170), level=15):
            break
        shop.gate.learn(shop.t)
    assert WIDTH - x < 20


def test_a_person_who_stands_still_keeps_it_awake_for_ever(shop):
    # Nobody says that the place is empty, so nothing is learned.
    assert all(shop.moved(person=(100, 60, 130, 160), level=12) for _ in range(500))


def test_exposure_flicker_is_divided_out(shop):
    assert shop.rest(200, gain=lambda _: 1 + 0.03 * shop.rng.standard_normal()) <= 2


def test_daylight_that_goes_in_a_minute_is_followed(shop):
    assert shop.rest(300, gain=lambda i: 1 - 0.5 * i / 300) <= 2


def test_a_person_in_the_same_moment_as_a_jump_of_exposure_is_seen(shop):
    assert shop.moved(person=(100, 60, 130, 160), level=50, gain=1.1)


def test_a_screen_that_flickers_is_learned_and_a_person_elsewhere_still_wakes_it(shop):
    screen = (20, 20, 80, 60)
    shop.rest(250, person=screen, level=lambda _: shop.rng.uniform(-25, 25))
    woken = shop.rest(100, person=screen, level=lambda _: shop.rng.uniform(-25, 25))
    assert woken < 10
    assert shop.moved(person=(150, 80, 166, 120), level=25)


def test_what_is_left_behind_is_learned_within_seconds(shop):
    trolley = (200, 100, 240, 160)
    woken = shop.rest(150, person=trolley, level=30)
    assert 2 < woken * STEP_S < 15
    assert not shop.moved(person=trolley, level=30)
    assert shop.moved()  # and its going wakes it again


def test_light_switched_off_wakes_it_and_is_learned(shop):
    assert shop.moved(gain=0.15)
    shop.rest(150, gain=0.15)
    assert not shop.moved(gain=0.15)


def test_a_black_picture_stays_quiet():
    shop = Shop(np.zeros((HEIGHT, WIDTH)), noise=1.0)
    assert shop.rest(100) < 3
    assert shop.moved(person=(100, 60, 130, 160), level=-30)


def test_another_size_of_frame_is_another_place(shop):
    small = np.full((120, 120, 3), 90, np.uint8)
    assert shop.gate.moved(Frame(small, 60.0, 120, 120))
    shop.gate.learn(60.0)
    assert not shop.gate.moved(Frame(small, 60.2, 120, 120))


def test_the_small_picture_keeps_the_aspect_and_leaves_row_padding_out():
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, WIDTH // 2 :] = 200
    frame = Frame(i420(picture, WIDTH + 64), 0.0, WIDTH, HEIGHT, Layout.I420)
    small = shrink(frame)
    assert small.shape == (45, CELLS)
    plain = shrink(Frame(picture, 0.0, WIDTH, HEIGHT))
    # Luma of video lies in 16..235.
    np.testing.assert_allclose(small[:, -1], 16 + 200 * 219 / 255, atol=2)
    np.testing.assert_allclose(plain[:, -1], 200, atol=1)
    assert (small[:, 0] < 20).all()
