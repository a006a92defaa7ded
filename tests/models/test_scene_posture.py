"""Bodies that bend where bodies bend."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scene.bones import two_bones
from models.scene.posture import Act, stance_of
from models.scene.stance import Build, Joint

BUILDS = [Build(1.75), Build(1.6, 1.3, female=True), Build(1.1, child=True)]
metres = st.floats(-2, 2)


@given(st.tuples(metres, metres, metres), st.tuples(metres, metres, metres))
def test_bones_keep_their_length_wherever_they_reach(target, bend):
    root = np.array([0.1, 0.2, 1.4])
    middle, end = two_bones(root, np.array(target), 0.3, 0.27, np.array(bend) + np.array([0, 0, 3]))
    assert np.linalg.norm(middle - root) == pytest.approx(0.3, abs=1e-6)
    assert np.linalg.norm(end - middle) == pytest.approx(0.27, abs=1e-6)


@pytest.mark.parametrize("build", BUILDS)
def test_a_hand_gets_to_what_is_within_its_reach(build):
    goal = np.array([0.3 * build.height, 0.1, 0.7 * build.height])
    act = Act(0.0, 0.0, 0.0, left=np.array([*goal, 1.0]))
    hand = stance_of(act, build).joints[Joint.LEFT_HAND]
    np.testing.assert_allclose(hand, goal, atol=0.02)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("phase", np.linspace(0, 6, 7).tolist())
def test_a_walkers_feet_stay_over_the_floor(build, phase):
    stance = stance_of(Act(0, 0, 1.0, phase=phase, walk=1.0, stride=0.8 * build.height), build)
    ankles = stance.joints[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE], 2]
    assert ankles.min() > 0.02
    assert ankles.min() < 0.09 * build.height
    assert stance.joints[:, 2].max() < build.height


@pytest.mark.parametrize("build", BUILDS)
def test_who_squats_is_lower_and_stands_where_they_stood(build):
    tall, low = (stance_of(Act(1, 2, 0.5, crouch=c), build).joints for c in (0.0, 1.0))
    assert low[Joint.HEAD, 2] < 0.75 * tall[Joint.HEAD, 2]
    for foot in (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE):
        assert np.linalg.norm(low[foot] - tall[foot]) < 0.12


def test_left_is_left():
    """Facing +x, the own left is +y."""
    joints = stance_of(Act(0, 0, 0.0), BUILDS[0]).joints
    for left, right in ((Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER), (Joint.LEFT_HIP, 13)):
        assert joints[left, 1] > joints[right, 1]


def test_nobody_looks_backwards():
    act = Act(0, 0, 0.0, gaze=np.array([-5.0, 0.1, 1.5]))
    stance = stance_of(act, BUILDS[0])
    assert stance.gaze @ stance.forward > 0
