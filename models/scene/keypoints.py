"""Where a person's COCO-17 keypoints lie in a finished picture, and which can be seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.scene.camera import Camera
from models.scene.canvas import Canvas
from models.scene.frames import head_frame
from models.scene.head import head_height
from models.scene.stance import Build, Joint, Stance

Floats = NDArray[np.float64]

OUTSIDE, HIDDEN, VISIBLE = 0, 1, 2

# The face's five in the head's frame: left, front, up, in heads.
_FACE = np.array(
    [
        (0.0, 0.46, -0.14),
        (0.135, 0.37, 0.0),
        (-0.135, 0.37, 0.0),
        (0.335, -0.03, -0.05),
        (-0.335, -0.03, -0.05),
    ]
)
_BODY = [
    Joint.LEFT_SHOULDER,
    Joint.RIGHT_SHOULDER,
    Joint.LEFT_ELBOW,
    Joint.RIGHT_ELBOW,
    Joint.LEFT_WRIST,
    Joint.RIGHT_WRIST,
    Joint.LEFT_HIP,
    Joint.RIGHT_HIP,
    Joint.LEFT_KNEE,
    Joint.RIGHT_KNEE,
    Joint.LEFT_ANKLE,
    Joint.RIGHT_ANKLE,
]
# How far a keypoint may lie behind the surface that is seen over it, as shares of the height:
# the flesh and cloth over that joint. More means that another limb is in front.
_FLESH = np.array([0.03] * 5 + [0.075] * 2 + [0.05] * 4 + [0.10] * 2 + [0.06] * 2 + [0.05] * 2)
# A face's feature seen from behind its own half of the head is hidden: cosine of the angle
# between where it faces and the camera.
_TURNED = np.array([-0.10, 0.05, 0.05, -0.15, -0.15])


def keypoints(canvas: Canvas, camera: Camera, stance: Stance, build: Build, person: int) -> Floats:
    """The COCO-17 keypoints of one person once everything is drawn.

    Args:
        canvas: finished: what hides whom is read from its owners and depths.
        camera: that drew it.
        stance: of the person.
        build: of the person.
        person: as given to `draw`.

    Returns:
        float64 [17, 3]: x, y in pixels and 0 = outside the frame or behind the camera,
        1 = in the frame but hidden, 2 = visible.
    """
    points = joints_of(stance, build)
    placed = camera.project(points)
    x, y, depth = placed.T
    inside = (depth > 0.05) & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    column = np.where(inside, x, 0).astype(np.int64)
    row = np.where(inside, y, 0).astype(np.int64)
    mine = canvas.owner[row, column] == person
    covered = depth - canvas.depth[row, column]
    seen = mine & (covered < _FLESH * build.height)
    seen[:5] &= _facing(camera, head_frame(stance), points[:5])
    value = np.where(inside, np.where(seen, VISIBLE, HIDDEN), OUTSIDE)
    return np.stack([np.where(depth > 0.05, x, 0), np.where(depth > 0.05, y, 0), value], axis=1)


def joints_of(stance: Stance, build: Build) -> Floats:
    """The COCO-17 keypoints in the shop, float64 [17, 3], metres."""
    frame = head_frame(stance)
    face = frame[0] + (_FACE * head_height(build)) @ frame[1:]
    return np.concatenate([face, stance.joints[_BODY]])


def _facing(camera: Camera, frame: Floats, face: Floats) -> NDArray[np.bool_]:
    """Whether nose, eyes and ears are on the side of the head that the camera sees, bool [5]."""
    _, left, front, _ = frame
    normals = np.stack(
        [front, front + 0.35 * left, front - 0.35 * left, left - 0.1 * front, -left - 0.1 * front]
    )
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    towards = camera.position - face
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    return np.asarray((normals * towards).sum(1) > _TURNED)
