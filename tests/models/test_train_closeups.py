"""What the close-up's network learns from shows a hand where it says that one is."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest
from closeup_world import BOXES, SHELVES, SIZE, moment, write

from edge_agent.closeup import INPUT, PLANES, Square, near
from models.train import closeups
from models.train.closeups import examples, read_shop, write_shop


def made(*some, seed=0, known=SHELVES):
    return list(examples(known, iter(some), np.random.default_rng(seed)))


def of_the_first(some):
    """The examples of who has a hand past the plane."""
    return [one for one in some if one.past.any()]


def brightest(planes):
    """Where the bright palm is in the picture, 0..1 across and down."""
    grey = cv2.GaussianBlur(planes[:3].mean(0, dtype=np.float32), (9, 9), 2)
    y, x = np.unravel_index(grey.argmax(), grey.shape)
    return np.array([x + 0.5, y + 0.5]) / INPUT


def test_everybody_near_a_shelf_is_an_example_at_that_shelf():
    some = made(moment())
    assert len(some) == 2
    for one in some:
        assert (one.planes.shape, one.planes.dtype) == ((PLANES, INPUT, INPUT), np.uint8)
        assert near(one.planes[3])
        assert one.planes[4].any()
        assert one.planes[5].any()
        assert (one.palms.shape, one.palms.dtype) == ((2, 2), np.float32)
    assert [one.past.tolist() for one in some] == [[True, False], [False, False]]
    np.testing.assert_allclose([one.depth for one in some], [[0.2, -0.1], [-0.3, -0.3]], atol=1e-6)


def test_mirrored_or_not_the_palm_is_where_the_hand_is():
    some = of_the_first(made(*(moment(seed) for seed in range(40))))
    assert len(some) == 40
    away = [np.hypot(*(brightest(one.planes) - one.palms[0])) for one in some]
    assert np.median(away) < 0.03
    assert max(away) < 0.08
    # The left hand is left of the right one in the pictures, until they are mirrored.
    turned = [bool(one.palms[0, 0] > one.palms[1, 0]) for one in some]
    assert 10 <= sum(turned) <= 30
    for one in some:
        assert one.past.tolist() == [True, False]
        np.testing.assert_allclose(one.depth, (0.2, -0.1), atol=1e-6)


def test_a_palm_lies_in_the_square_about_where_an_undisturbed_square_has_it():
    found = moment()
    square = Square.around(np.array(BOXES[0]), SIZE)
    wanted = (found.palms[0] * SIZE - (square.left, square.top)) / square.side
    some = of_the_first(made(*[found] * 40))
    palms = np.array([one.palms for one in some])
    turned = palms[:, 0, 0] > palms[:, 1, 0]
    palms[turned, :, 0] = 1 - palms[turned, :, 0]
    np.testing.assert_allclose(np.median(palms, axis=0), wanted, atol=0.04)
    assert (palms.std(axis=0) > 0.005).all()


def test_drawn_planes_are_mirrored_with_the_picture():
    some = of_the_first(made(*(moment(seed) for seed in range(20))))
    for one in some:
        body = one.planes[5].nonzero()[1].mean() / INPUT
        # The palm that is past the plane is at the left edge of its body.
        assert (one.palms[0, 0] < body) is not bool(one.palms[0, 0] > one.palms[1, 0])


def test_who_is_hidden_and_who_is_small_is_no_example():
    assert made(moment(visible=0.2)) == []
    tiny = moment()
    tiny.boxes[:] = (0.4, 0.2, 0.41, 0.25)
    assert made(tiny) == []
    assert made(moment(people=0)) == []


def test_a_shop_is_kept_and_read_again_as_it_was(tmp_path):
    some = [moment(0), moment(1, people=0), moment(2, people=1)]
    path = write(tmp_path, 5, some)
    assert path.name == "5.npz"
    known, again = read_shop(path)
    for name in ("shelves", "floors"):
        for one, other in zip(getattr(known, name), getattr(SHELVES, name), strict=True):
            np.testing.assert_array_equal(one, other)
    for one, other in zip(again, some, strict=True):
        assert np.abs(one.image.astype(int) - other.image).mean() < 2
        for field in fields(other)[1:]:
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
    assert [one.name for one in tmp_path.iterdir()] == ["5.npz"]


def test_a_shop_in_which_nothing_happens_is_kept_too(tmp_path):
    known, again = read_shop(write(tmp_path, 6, []))
    assert len(known.shelves) == 2
    assert list(again) == []


def test_a_shop_that_is_there_is_not_rendered_again(tmp_path, monkeypatch):
    path = write(tmp_path, 5, [moment()])
    before = path.read_bytes()
    monkeypatch.setattr(closeups, "moments", lambda _: pytest.fail("rendered"))
    assert write_shop(5, tmp_path) == path
    assert path.read_bytes() == before


def test_the_same_numbers_give_the_same_examples_and_others_do_not():
    first, again, other = (made(moment(), seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.planes, two.planes)
    assert any((one.planes != two.planes).any() for one, two in zip(first, other, strict=True))
