"""Rendered moments in which hands are out: the truth about them is that of the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.scene.reaching import moments

SEED = 31
SIZE = (640, 360)


@pytest.fixture(scope="module")
def shop():
    known, found = moments(SEED)
    return known, list(found)


def test_every_moment_has_a_row_of_truth_for_each_person_shelf_and_hand(shop):
    known, some = shop
    zones = len(known.shelves)
    assert zones == len(known.floors) >= 1
    assert len(some) == 36
    for one in some:
        count = len(one.boxes)
        assert (one.image.shape, one.image.dtype) == ((360, 640, 3), np.uint8)
        shapes = (one.visible, one.keypoints, one.palms, one.past, one.depth)
        assert [array.shape for array in shapes] == [
            (count,), (count, 17, 3), (count, 2, 2), (count, zones, 2), (count, zones, 2),
        ]  # fmt: skip
        assert (one.visible >= 0.2).all()
        assert (one.boxes[:, 2:] > one.boxes[:, :2]).all()


def test_who_has_a_hand_past_a_plane_has_it_deeper_than_the_plane(shop):
    _, some = shop
    past = np.concatenate([one.past.ravel() for one in some])
    depth = np.concatenate([one.depth.ravel() for one in some])
    assert (depth[past] > 0).all()
    assert depth[~past].mean() < -0.3


def test_moments_are_chosen_in_which_hands_are_out_and_some_are_past_a_plane(shop):
    _, some = shop
    share = np.mean([one.past.any() for one in some])
    assert 0.15 < share < 0.9


def test_palms_are_at_the_wrists_that_are_seen(shop):
    away = [
        np.hypot(*((one.keypoints[i, 9 + side, :2] - one.palms[i, side]) * SIZE))
        / ((one.boxes[i, 3] - one.boxes[i, 1]) * SIZE[1])
        for one in shop[1]
        for i in range(len(one.boxes))
        for side in (0, 1)
        if one.keypoints[i, 9 + side, 2] == 2
    ]
    assert len(away) > 20
    assert np.median(away) < 0.1
    assert max(away) < 0.2


def test_a_hand_past_a_plane_is_seen_through_the_shelfs_front(shop):
    known, some = shop
    inside = [
        cv2.pointPolygonTest(
            (known.shelves[zone] * SIZE).astype(np.float32),
            (one.palms[i, side] * SIZE).astype(float).tolist(),
            measureDist=True,
        )
        > -0.05 * SIZE[1]
        for one in some
        for i, zone, side in np.argwhere(one.past).tolist()
    ]
    assert len(inside) > 5
    assert np.mean(inside) > 0.8


def test_the_same_seed_shows_the_same_moments(shop):
    known, found = moments(SEED)
    again, one = next(found), shop[1][0]
    np.testing.assert_array_equal(known.shelves[0], shop[0].shelves[0])
    np.testing.assert_array_equal(again.image, one.image)
    np.testing.assert_array_equal(again.past, one.past)
