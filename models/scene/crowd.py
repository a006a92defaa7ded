"""The people of a shop without pictures: where their boxes lie, and how long they stay where.

Everybody whose body is in the picture counts as seen, whoever stands before them: it takes some
seconds a shop instead of minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.scene import truth
from models.scene.arms import body_box
from models.scene.camera import Floats
from models.scene.keypoints import joints_of
from models.scene.picture import in_sight
from models.scene.posture import stance_of
from models.scene.shopper import act_of
from models.scene.stage import Stage, set_stage, tell
from models.scene.story import Story, Traffic, positions
from models.scene.truth import ClipLabels

# Which joints are seen is not known here.
_UNKNOWN = np.zeros((17, 3), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Everybody in the picture, frame after frame.

    Args:
        labels: `visible` is the share of a body's box that the frame holds, keypoints are 0.
        zones: name and floor of each, as a site file has them.
        visits: as a truth file has them.
        fps: frames a second.
        frames: how many.
        size: width, height, pixels.
    """

    labels: ClipLabels
    zones: tuple[dict[str, Any], ...]
    visits: tuple[dict[str, Any], ...]
    fps: float
    frames: int
    size: tuple[int, int]


def crowd(seed: int, seconds: float, fps: float) -> Crowd:
    """The people of a seed's shop, as `models scene` has them.

    Args:
        seed: 0 or more.
        seconds: how long.
        fps: frames a second.
    """
    stage = set_stage(seed)
    story = tell(stage, Traffic(), seconds)
    frames = max(1, round(seconds * fps))
    labels = _labels([row for i in range(frames) for row in _rows(stage, story, i, fps)])
    staff = frozenset(t.person.number for t in story.tracks if t.person.staff)
    visits = [
        visit for zone in stage.zones for visit in truth.visits(labels, zone, fps, frames, staff)
    ]
    zones = tuple({"name": zone.name, "floor": zone.floor.tolist()} for zone in stage.zones)
    return Crowd(labels, zones, tuple(visits), fps, frames, stage.size)


def _rows(
    stage: Stage, story: Story, index: int, fps: float
) -> Iterator[tuple[int, int, Floats, float]]:
    """Frame, person, box and how much of it is in the picture, of one frame."""
    camera = stage.shop.camera
    for track, row in positions(story, index / fps):
        stance = stance_of(act_of(row), track.person.build)
        if not in_sight(camera, stance):
            continue
        placed = camera.project(joints_of(stance, track.person.build))
        whole = body_box(stage.sensor.places(placed[:, :2]) / stage.size, stage.size)
        box = whole.clip(0, 1)
        inside = _area(box) / _area(whole)
        if inside > 0:
            yield index, track.person.number, box, inside


def _area(box: Floats) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _labels(rows: list[tuple[int, int, Floats, float]]) -> ClipLabels:
    return ClipLabels(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[3] for row in rows], np.float32),
        np.repeat(_UNKNOWN[None], len(rows), axis=0),
    )
