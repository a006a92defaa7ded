"""What a poor detector makes of people: measured on many of them."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.observations import Detections, Keypoint
from models.evaluate.damage import worse_boxes, worse_joints

MANY, ASPECT = 4000, 16 / 9
LEFT, RIGHT = Keypoint.LEFT_WRIST, Keypoint.RIGHT_WRIST


def people(joints=None):
    """Upright, with a torso of 0.2 of the picture's height and both wrists seen."""
    one = np.full((17, 3), 0.5)
    one[:, 2] = 0.9
    one[[Keypoint.LEFT_SHOULDER, Keypoint.RIGHT_SHOULDER], 1] = 0.4
    one[[Keypoint.LEFT_HIP, Keypoint.RIGHT_HIP], 1] = 0.6
    one[LEFT, 0], one[RIGHT, 0] = 0.3, 0.7
    boxes = np.tile([0.4, 0.2, 0.6, 0.9], (MANY, 1))
    return Detections(
        1.0, boxes, np.ones(MANY), np.tile(one if joints is None else joints, (MANY, 1, 1))
    )


def test_joints_tremble_by_a_twentieth_of_the_torso_alike_in_both_directions():
    before = people()
    after = worse_joints(before, ASPECT, np.random.default_rng(1)).keypoints
    nose = Keypoint.NOSE
    off = (after - before.keypoints)[after[:, nose, 2] > 0][:, nose]
    assert off[:, 1].std() == pytest.approx(0.05 * 0.2, rel=0.05)
    assert off[:, 0].std() * ASPECT == pytest.approx(0.05 * 0.2, rel=0.05)


def test_a_tenth_of_the_joints_is_lost_and_has_no_place():
    after = worse_joints(people(), ASPECT, np.random.default_rng(1)).keypoints
    lost = after[..., 2] == 0
    assert lost.mean() == pytest.approx(0.1, abs=0.005)
    assert not after[lost].any()


def test_two_people_of_a_hundred_have_left_and_right_swapped():
    after = worse_joints(people(), ASPECT, np.random.default_rng(1)).keypoints
    both = (after[:, [LEFT, RIGHT], 2] > 0).all(axis=1)
    swapped = after[both, LEFT, 0] > after[both, RIGHT, 0]
    assert swapped.mean() == pytest.approx(0.02, abs=0.01)


def test_a_torso_that_the_picture_cuts_off_is_told_by_the_box():
    joints = people().keypoints[0].copy()
    joints[Keypoint.LEFT_HIP] = 0
    after = worse_joints(people(joints), ASPECT, np.random.default_rng(1)).keypoints
    seen = after[after[:, Keypoint.NOSE, 2] > 0][:, Keypoint.NOSE, 1]
    assert seen.std() == pytest.approx(0.05 * 0.29 * 0.7, rel=0.05)
    assert not after[:, Keypoint.LEFT_HIP].any(axis=1).mean() > 0.03  # but for those swapped


def test_the_same_seed_does_the_same_damage_and_the_first_values_stay():
    before = people()
    kept = before.keypoints.copy()
    one, other = (worse_joints(before, ASPECT, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one.keypoints, other.keypoints)
    assert np.array_equal(before.keypoints, kept)


def test_edges_tremble_by_their_own_side_and_some_boxes_are_missed():
    boxes = np.tile([0.4, 0.2, 0.6, 0.7], (MANY, 1))
    after, found = worse_boxes(boxes, np.random.default_rng(1))
    off = after - boxes
    assert off.std(axis=0) == pytest.approx([0.006, 0.015, 0.006, 0.015], rel=0.05)
    assert found.mean() == pytest.approx(0.93, abs=0.01)


def test_boxes_stay_in_the_frame():
    after, _ = worse_boxes(np.tile([0.0, 0.0, 1.0, 1.0], (MANY, 1)), np.random.default_rng(1))
    assert after.min() >= 0
    assert after.max() <= 1
