"""A wrist in the shelf's polygon: runs of frames."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.config import Zone
from edge_agent.geometry import Polygon
from edge_agent.observations import Keypoint, Poses
from models.evaluate.wrists import wrist_runs

SHELF = Zone("shelf", shelf=Polygon(((0.5, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 1.0))))
FLOOR = Zone("floor", floor=Polygon(((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))))


def pose(t, x, track=1, side=Keypoint.LEFT_WRIST, score=0.9):
    joints = np.zeros((1, 17, 3))
    joints[0, side] = x, 0.5, score
    return Poses(t, np.array([track]), joints)


def spans(poses, least=0.3):
    return [(one.start_s, one.end_s) for one in wrist_runs(poses, [SHELF, FLOOR], least)]


def test_a_run_lasts_from_the_first_frame_in_the_polygon_to_the_last():
    poses = [pose(t, 0.7 if 2 <= t <= 4 else 0.3) for t in range(7)]
    assert spans(poses) == [(2, 4)]
    (one,) = wrist_runs(poses, [SHELF], 0.3)
    assert (one.zone, one.track, one.facing) == ("shelf", 1, None)


@pytest.mark.parametrize(("gap", "runs"), [(1.0, 1), (1.2, 2)])
def test_a_second_without_it_is_bridged_and_more_is_not(gap, runs):
    assert len(spans([pose(0.0, 0.7), pose(gap, 0.7)])) == runs


def test_each_hand_of_each_person_runs_alone():
    other = pose(1.0, 0.7, side=Keypoint.RIGHT_WRIST)
    assert spans([pose(0.0, 0.7), other, pose(1.5, 0.7, track=2)]) == [(0, 0), (1, 1), (1.5, 1.5)]


def test_a_wrist_that_scores_too_little_is_not_there():
    assert spans([pose(0.0, 0.7, score=0.3)], least=0.3) == [(0, 0)]
    assert spans([pose(0.0, 0.7, score=0.3)], least=0.31) == []
