"""One frame's way from picture to counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from walkers import FLOOR, person, visitor

from edge_agent.aggregates import Epoch
from edge_agent.config import parse_site
from edge_agent.observations import Censored, Frame, Poses
from edge_agent.pipeline import STAGES, Models, build_pipeline, with_clip


def site(**zone):
    values = {
        "unit": {"id": "unit-1"},
        "camera": {"source": "recorded"},
        "zones": [{"name": "table", "floor": FLOOR, **zone}],
        "privacy": {"window_s": 10},
    }
    return parse_site(values, "site.yaml", Path("."))


def picture(t):
    return Frame(np.zeros((36, 64, 3), np.uint8), t, 64, 36)


class Finds:
    """A detector that sees whatever walks."""

    input_size = (64, 64)

    def __init__(self):
        self.runtime = lambda tensor: [tensor]

    def prepare(self, frame):
        return np.array([frame.t])

    def decode(self, outputs, frame):
        assert outputs[0][0] == frame.t
        return person(frame.t, visitor(frame.t, 20, 6))


class Joints:
    """A pose model that remembers whom it was asked for."""

    def __init__(self):
        self.runtime = lambda tensor: [tensor]
        self.asked = []

    def __call__(self, frame, tracks, ids, toward):
        self.asked.append((frame.t, list(ids), dict(toward)))
        return Poses(frame.t, np.array(ids), np.zeros((len(ids), 17, 3)))


def frames(end, step=0.2):
    return [picture(round(i * step, 3)) for i in range(round(end / step) + 1)]


def test_a_walk_becomes_a_visit_and_windows():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), None))
    visits, batches = [], []
    for frame in frames(45):
        analysis = pipeline.step(frame)
        visits += analysis.visits
        batches += analysis.batches
    last_visits, last_batches = pipeline.finish(45.0)
    visits += last_visits
    batches += last_batches
    assert [round(v.dwell_s) for v in visits] == [7, 7, 3]
    assert [v.censored for v in visits] == [Censored.NONE, Censored.NONE, Censored.RIGHT]
    assert sum(batch[0].pass_bys for batch in batches) == 3
    assert [batch[0].start for batch in batches] == [0, 10, 20, 30, 40]


def test_every_stage_is_told_once_a_frame_and_in_order():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), Joints()))
    laps: list[str] = []
    pipeline.step(picture(0.0), laps.append)
    assert tuple(laps) == STAGES


def test_pose_runs_for_people_near_a_shelf_alone():
    shelf = [[0.45, 0.2], [0.55, 0.2], [0.55, 0.3], [0.45, 0.3]]
    near, far = Joints(), Joints()
    for joints, where in ((near, {"shelf": shelf}), (far, {})):
        pipeline = build_pipeline(site(**where), Epoch(), Models(Finds(), joints))
        for frame in frames(20):
            pipeline.step(frame)
    assert far.asked == []
    seen = [(t, toward) for t, _, toward in near.asked]
    assert seen
    assert all(
        dx**2 + dy**2 == pytest.approx(1) for _, toward in seen for dx, dy in toward.values()
    )
    # Standing at 0.75 the arm does not reach 0.55: 0.5 of a height of 0.4, at 16:9.
    assert max(t for t, _ in seen) < 10.5


def test_without_a_picture_visits_are_cut_off_and_windows_close_unobserved():
    pipeline = build_pipeline(site(), Epoch(), Models(Finds(), None))
    for frame in frames(5):
        pipeline.step(frame)
    visits, batches = pipeline.idle(35.0)
    assert [v.censored for v in visits] == [Censored.RIGHT]
    assert [round(batch[0].observed_s) for batch in batches] == [5, 0, 0]
    assert [batch[0].pass_bys for batch in batches] == [1, 0, 0]


def test_a_clip_takes_the_place_of_the_camera(tmp_path):
    configured = with_clip(site(), tmp_path / "clip.mp4", None, pace=0)
    assert configured.camera.source.value == "file"
    assert configured.camera.fps == 5
    assert with_clip(site(), tmp_path / "clip.mp4", 10, pace=0).camera.fps == 10
