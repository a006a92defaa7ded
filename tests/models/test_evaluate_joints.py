"""PCK and OKS: worked by hand, on a picture of 200 x 100 pixels."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.observations import Keypoint
from models.evaluate.joints import compare, pck, torso_length

SIZE = (200, 100)
BOX = np.array([0.0, 0.0, 0.5, 1.0])  # 100 x 100 pixels


def person(**changes):
    """All joints visible; shoulders at y = 20, hips at y = 60, 30 px apart: a torso of 50."""
    joints = np.full((17, 3), 2.0)
    joints[:, :2] = (0.25, 0.5)
    for name, place in {
        "LEFT_SHOULDER": (60, 20), "RIGHT_SHOULDER": (30, 20),
        "LEFT_HIP": (60, 60), "RIGHT_HIP": (30, 60),
    }.items():  # fmt: skip
        joints[getattr(Keypoint, name), :2] = (place[0] / 200, place[1] / 100)
    for name, visibility in changes.items():
        joints[getattr(Keypoint, name), 2] = visibility
    return joints


def moved(joints, name, dx):
    other = joints.copy()
    other[getattr(Keypoint, name), 0] += dx / SIZE[0]
    return other


def test_the_torso_is_from_the_left_shoulder_to_the_right_hip_in_pixels():
    assert torso_length(person(), SIZE) == pytest.approx(50)


def test_the_other_diagonal_does_not_measure_while_this_one_can():
    true = person()
    true[Keypoint.LEFT_HIP, :2] = (30 / 200, 30 / 100)
    assert torso_length(true, SIZE) == pytest.approx(50)


def test_a_hidden_joint_measures_the_torso_and_is_not_scored():
    true = person(LEFT_SHOULDER=1)
    assert torso_length(true, SIZE) == pytest.approx(50)
    assert np.isnan(compare(true, true, BOX, SIZE).distances[Keypoint.LEFT_SHOULDER])


def test_where_one_is_out_of_the_picture_the_other_diagonal_measures():
    true = person(LEFT_SHOULDER=0)
    true[Keypoint.LEFT_HIP, :2] = (30 / 200, 30 / 100)
    assert torso_length(true, SIZE) == pytest.approx(10)


def test_without_either_the_person_is_left_out_of_pck_but_has_an_oks():
    true = person(LEFT_HIP=0, RIGHT_HIP=0)
    likeness = compare(true, true, BOX, SIZE)
    assert not likeness.torso
    assert np.isnan(likeness.distances).all()
    assert likeness.oks == 1


def test_a_joint_counts_within_a_fifth_of_the_torso():
    true = person()
    near, far = moved(true, "NOSE", 10), moved(true, "NOSE", 11)
    assert pck(compare(near, true, BOX, SIZE).distances, 0.2) == 1
    assert pck(compare(far, true, BOX, SIZE).distances, 0.2) == pytest.approx(16 / 17)


def test_a_person_not_found_has_every_joint_wrong():
    likeness = compare(None, person(NOSE=1), BOX, SIZE)
    assert pck(likeness.distances, 0.2) == 0
    assert np.isinf(likeness.distances).sum() == 16
    assert likeness.oks == 0


def test_joints_that_are_no_numbers_are_wrong():
    broken = person()
    broken[Keypoint.NOSE, :2] = np.nan
    assert pck(compare(broken, person(), BOX, SIZE).distances, 0.2) == pytest.approx(16 / 17)


def test_oks_falls_as_coco_says():
    true = person()
    off = moved(true, "NOSE", 5)
    # exp(-25 / (2 * 0.53 * 100 * 100 * (2 * 0.026)^2)), and sixteen ones.
    expected = (np.exp(-25 / (2 * 5300 * 0.052**2)) + 16) / 17
    assert compare(off, true, BOX, SIZE).oks == pytest.approx(expected)


def test_nothing_visible_is_no_score():
    true = person()
    true[:, 2] = 1
    likeness = compare(true, true, BOX, SIZE)
    assert np.isnan(likeness.oks)
    assert pck(likeness.distances, 0.2) is None
