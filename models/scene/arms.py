"""Arms of shoppers, without pictures: where their joints lie, and whose hand is past the plane.

What a network learns depth from: a camera sees a wrist on the shelf, only the shop knows whether
it is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Polygon
from edge_agent.observations import Keypoint
from models.scene.camera import Floats
from models.scene.keypoints import joints_of
from models.scene.posture import stance_of
from models.scene.shop import ANYHOW, ASIDE, OVERHEAD
from models.scene.shopper import HAND, act_of
from models.scene.stage import Stage, set_stage, tell
from models.scene.stance import Joint
from models.scene.story import Story, Track, Traffic, positions

# A joint nearer to the camera than this is not in its picture, metres.
_NEAR_M = 0.3
# A hand is stretched out from this weight on, as the truth has it.
_OUT = 0.3
# Flesh and hair beyond the outermost joints, as shares of the box's height: measured on rendered
# shoppers, medians of left, top, right and bottom.
_FLESH = np.array([0.04, 0.10, 0.04, 0.055])
# How cameras hang, shop by shop.
_HANGINGS = (ASIDE, OVERHEAD, ANYHOW)


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """All people before one shelf, frame after frame.

    Args:
        t: float64 [M], seconds.
        person: int64 [M].
        keypoints: float64 [M, 17, 2], fractions of the frame.
        boxes: float64 [M, 4], x0 y0 x1 y1, fractions.
        past: bool [M, 2], the left and the right hand is past the shelf's plane.
        shelf: its polygon.
        aspect: width / height of the frame.
    """

    t: Floats
    person: NDArray[np.int64]
    keypoints: Floats
    boxes: Floats
    past: NDArray[np.bool_]
    shelf: Polygon
    aspect: float

    def mirrored(self) -> Arms:
        """The shop in a mirror: left hands become right ones."""
        keypoints = self.keypoints[:, Keypoint.OTHER_SIDE].copy()
        boxes = self.boxes[:, [2, 1, 0, 3]].copy()
        keypoints[..., 0] = 1 - keypoints[..., 0]
        boxes[:, [0, 2]] = 1 - boxes[:, [0, 2]]
        shelf = Polygon(tuple((1 - x, y) for x, y in self.shelf.points))
        past = self.past[:, ::-1]
        return replace(self, keypoints=keypoints, boxes=boxes, past=past, shelf=shelf)


def arms(seed: int, seconds: float, fps: float) -> Arms:
    """The people before the main shelf of a seed's shop.

    Args:
        seed: 0 or more; cameras hang aside, overhead and anyhow in turn.
        seconds: how long.
        fps: frames a second.
    """
    stage = set_stage(seed, hanging=_HANGINGS[seed % len(_HANGINGS)])
    story = tell(stage, Traffic(), seconds)
    rows = list(_rows(stage, story, seconds, fps))
    t, person, keypoints, boxes, past = (np.array([row[i] for row in rows]) for i in range(5))
    shelf = Polygon(tuple((float(x), float(y)) for x, y in stage.zones[0].shelf))
    width, height = stage.size
    return Arms(
        t.reshape(-1), person.reshape(-1).astype(np.int64), keypoints.reshape(-1, 17, 2),
        boxes.reshape(-1, 4), past.reshape(-1, 2).astype(np.bool_), shelf, width / height,
    )  # fmt: skip


def _rows(
    stage: Stage, story: Story, seconds: float, fps: float
) -> Iterator[tuple[float, int, Floats, Floats, list[bool]]]:
    for index in range(round(seconds * fps)):
        t = index / fps
        for track, row in positions(story, t):
            seen = _seen(stage, track, row)
            if seen is not None:
                yield (t, track.person.number, *seen)


def _seen(stage: Stage, track: Track, row: Floats) -> tuple[Floats, Floats, list[bool]] | None:
    """Joints, box and hands past the plane; None = this body is not in the picture."""
    stance = stance_of(act_of(row), track.person.build)
    camera = stage.shop.camera
    placed = camera.project(joints_of(stance, track.person.build))
    if placed[:, 2].min() < _NEAR_M:
        return None
    points = stage.sensor.places(placed[:, :2]) / stage.size
    shoulders = points[5:7]
    if shoulders.min() < 0 or shoulders.max() > 1:
        return None
    box = body_box(points, stage.size).clip(0, 1)
    fixture = stage.shop.fixtures[stage.zones[0].fixture]
    past = [
        bool(row[HAND + 4 * side + 3] > _OUT)
        and fixture.reached(stance.joints[Joint.LEFT_HAND + side])
        for side in (0, 1)
    ]
    return points, box, past


def body_box(points: Floats, size: tuple[int, int]) -> Floats:
    """The box of a body whose joints are known: float64 [4], fractions, not cut at the frame.

    Args:
        points: float64 [17, 2], fractions.
        size: width, height of the frame, pixels.
    """
    low, high = points.min(0), points.max(0)
    room = (high[1] - low[1]) * _FLESH * np.array([size[1] / size[0], 1] * 2)
    return np.concatenate([low - room[:2], high + room[2:]])
