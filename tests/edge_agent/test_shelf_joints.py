"""Joints that are lost for a moment."""

from __future__ import annotations

import numpy as np
import pytest
from shelf_world import people

from edge_agent.observations import Keypoint, Poses
from edge_agent.shelf.joints import Joints

BOX = (0.4, 0.2, 0.6, 0.8)
WRIST, HIP = Keypoint.LEFT_WRIST, Keypoint.LEFT_HIP


def poses(t, dx=0.0, lost=()):
    """Somebody who stands, dx to the right, without the joints that are lost."""
    joints = np.full((1, 17, 3), 0.9)
    joints[0, :, 0] = np.linspace(0.42, 0.58, 17) + dx
    joints[0, :, 1] = np.linspace(0.25, 0.75, 17)
    joints[0, list(lost)] = 0.0
    return Poses(t, np.array([1]), joints)


def after(*steps):
    """What is left of the last of some poses, each (t, dx, lost)."""
    joints = Joints()
    for t, dx, lost in steps:
        box = (BOX[0] + dx, BOX[1], BOX[2] + dx, BOX[3])
        found = joints.filled(people(t, box), poses(t, dx, lost))
    return found.keypoints[0]


def test_a_wrist_that_is_lost_for_a_frame_goes_on_with_its_body():
    found = after((0, 0, ()), (0.2, 0.1, (WRIST,)))
    np.testing.assert_allclose(found[WRIST], poses(0, 0.1).keypoints[0, WRIST])


def test_it_is_lost_for_good_after_a_while():
    assert not after((0, 0, ()), (1.0, 0, (WRIST,)))[WRIST].any()


def test_what_is_seen_stays_as_it_is_and_the_poses_given_are_not_changed():
    given = poses(0.2, 0.05, (WRIST,))
    joints = Joints()
    joints.filled(people(0, BOX), poses(0))
    found = joints.filled(people(0.2, BOX), given).keypoints[0]
    seen = given.keypoints[0, :, 2] > 0
    np.testing.assert_array_equal(found[seen], given.keypoints[0, seen])
    assert not given.keypoints[0, WRIST].any()


def test_a_hip_that_was_never_seen_is_where_the_other_one_is_and_a_wrist_is_not():
    found = after((0, 0, (HIP, WRIST)))
    assert found[HIP, :2] == pytest.approx(found[Keypoint.RIGHT_HIP, :2])
    assert found[HIP, 2] == 0
    assert not found[WRIST].any()


def test_who_left_is_forgotten():
    joints = Joints()
    joints.filled(people(0, BOX), poses(0))
    joints.filled(people(0.2), Poses(0.2, np.empty(0, np.int64), np.empty((0, 17, 3))))
    found = joints.filled(people(0.4, BOX), poses(0.4, 0, (WRIST,)))
    assert not found.keypoints[0, WRIST].any()
