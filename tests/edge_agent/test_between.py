from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.observations import Tracks
from edge_agent.pipeline.between import coasted, nobody


def tracks(t, **lefts):
    ids = np.array([int(name[1:]) for name in lefts], np.int64)
    boxes = np.array([[x, 0.2, x + 0.2, 0.9] for x in lefts.values()]).reshape(-1, 4)
    return Tracks(t, ids, boxes, np.full(len(ids), 0.9), np.ones(len(ids), bool))


def test_whoever_walks_walks_on_and_the_others_stay():
    found = coasted(tracks(1.0, p1=0.1, p2=0.5), tracks(1.4, p2=0.5, p1=0.2, p3=0.7), 1.6)
    assert found.t == 1.6
    assert found.ids.tolist() == [2, 1, 3]
    assert found.boxes[:, 0] == pytest.approx([0.5, 0.25, 0.7])
    assert found.boxes[:, 2] == pytest.approx([0.7, 0.45, 0.9])


def test_boxes_stay_in_the_frame_and_the_last_ones_as_they_were():
    last = tracks(1.4, p1=0.75)
    found = coasted(tracks(1.0, p1=0.6), last, 1.8)
    assert found.boxes[0].tolist() == pytest.approx([0.9, 0.2, 1.0, 0.9])
    assert last.boxes[0, 0] == 0.75


def test_without_a_run_before_nobody_is_known_to_move():
    assert coasted(None, tracks(1.4, p1=0.2), 1.8).boxes[0, 0] == 0.2


def test_nobody_is_no_tracks():
    assert len(nobody(3.0).ids) == len(nobody(3.0).boxes) == 0


def test_what_the_tracker_said_of_the_last_run_is_not_said_of_a_frame_between():
    last = tracks(1.4, p1=0.2)
    said = replace(last, steady=last.boxes)
    assert coasted(tracks(1.0, p1=0.1), said, 1.8).steady is None
