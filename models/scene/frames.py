"""Where a stance puts the pieces of a body: one affine frame for each ring of skin or cloth.

A frame is float64 [4, 3]: origin and three axes, in the shop. A vertex hangs in one frame by
local coordinates (side, front, along). Axes of a skirt's frames are as long as the skirt is wide,
all others have length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scene.stance import Joint, Stance

Floats = NDArray[np.float64]

_ARMS = [
    [Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST],
    [Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST],
]
_LEGS = [
    [Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE],
    [Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE],
]
_UP = np.array([0.0, 0.0, 1.0])
# Share of a limb's half that bends: skin over a joint is round.
_BEND = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """Where along the body the rings lie.

    Args:
        trunk: 0 = pelvis .. 1 = neck; below 0 towards the crotch.
        arm: 0 = shoulder, 1 = elbow, 2 = wrist.
        leg: 0 = hip, 1 = knee, 2 = ankle.
        hem: of the garment that hangs from the trunk: < 0 is minus the trunk's 0..1, above 0 the
            leg's 0..2.
        neck: 0 = its base .. 1 = in the skull.
        hip_reach: half-widths [rings, 2] of the hanging garment, side and front, at least.
        leg_room: what the garment keeps from the middle of each thigh, metres, [rings].
        ankle_m: height of the ankle over the sole.
        head_m: from chin to crown.
    """

    trunk: Floats
    arm: Floats
    leg: Floats
    hem: Floats
    neck: Floats
    hip_reach: Floats
    leg_room: Floats
    ankle_m: float
    head_m: float

    def counts(self) -> dict[str, int]:
        """Frames of each piece, in their order."""
        trunk, arm, leg = len(self.trunk), len(self.arm), len(self.leg)
        return {
            "trunk": trunk,
            "left arm": arm,
            "right arm": arm,
            "left leg": leg,
            "right leg": leg,
            "hem": len(self.hem),
            "neck": len(self.neck),
            "head": 1,
            "left hand": 1,
            "right hand": 1,
            "left shoe": 1,
            "right shoe": 1,
            "back": 1,
            "hip": 1,
        }


def unit(vectors: Floats) -> Floats:
    """Vectors [..., 3] at length 1; a null vector stays one."""
    length = np.sqrt((vectors * vectors).sum(-1, keepdims=True))
    return vectors / np.maximum(length, 1e-9)


def cross(a: Floats, b: Floats) -> Floats:
    """np.cross of [..., 3], which is slow for few vectors."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        axis=-1,
    )


def frames(stance: Stance, rings: Rings) -> Floats:
    """Every frame of a body, float64 [frames, 4, 3], pieces in the order of `Rings.counts`."""
    joints = stance.joints
    left = _unit_between(joints, Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER)
    trunk = _trunk(stance, rings.trunk)
    front = trunk[0, 2]
    arms = _limbs(joints[_ARMS], rings.arm, _arm_fronts(stance.forward, left))
    legs = _limbs(joints[_LEGS], rings.leg, np.stack([front, front]))
    head = head_frame(stance)
    pieces = [
        trunk,
        arms.reshape(-1, 4, 3),
        legs.reshape(-1, 4, 3),
        _hem(stance, rings),
        _neck(joints, head, rings),
        head[None],
        _hands(joints, left),
        _shoes(joints, rings.ankle_m),
        _trunk(stance, np.array([0.62])),
        _trunk(stance, np.array([0.02])),
    ]
    return np.concatenate(pieces)


def head_frame(stance: Stance) -> Floats:
    """The head's frame [4, 3]: middle of the skull, its left, its front, its crown."""
    joints = stance.joints
    up = unit(joints[Joint.HEAD] - joints[Joint.NECK] + 0.15 * _UP)
    front = stance.gaze
    # A gaze up or down nods the head, but the neck takes a share of it.
    up = unit(up - 0.85 * front * (front @ up))
    left = unit(cross(up, front))
    return np.stack([joints[Joint.HEAD], left, front, cross(front, left)])


def neck_base(joints: Floats) -> Floats:
    """Where the neck leaves the trunk, [3]: a little above the shoulders' line.

    The joint NECK may lie higher, up to the nape; skin shows the neck from the shoulders on.
    """
    middle = (joints[Joint.LEFT_SHOULDER] + joints[Joint.RIGHT_SHOULDER]) / 2
    span = joints[Joint.HEAD] - middle
    return np.asarray(middle + 0.17 * span)


def _unit_between(joints: Floats, start: Joint, end: Joint) -> Floats:
    return unit(joints[end] - joints[start])


def _trunk(stance: Stance, rows: Floats) -> Floats:
    """Rings along a smooth spine through pelvis, chest and neck."""
    joints = stance.joints
    pelvis, chest, neck = joints[Joint.PELVIS], joints[Joint.CHEST], neck_base(joints)
    lower, upper = np.linalg.norm(chest - pelvis), np.linalg.norm(neck - chest)
    middle = min(max(lower / (lower + upper), 0.25), 0.75)
    t = np.maximum(rows, 0.0)[:, None]
    # Lagrange's parabola through the three.
    a = (t - middle) * (t - 1) / middle
    b = t * (t - 1) / (middle * (middle - 1))
    c = t * (t - middle) / (1 - middle)
    da = (2 * t - middle - 1) / middle
    db = (2 * t - 1) / (middle * (middle - 1))
    dc = (2 * t - middle) / (1 - middle)
    centre = a * pelvis + b * chest + c * neck
    along = da * pelvis + db * chest + dc * neck
    centre = centre + np.minimum(rows, 0.0)[:, None] * along
    along = unit(along)
    hips = _unit_between(joints, Joint.RIGHT_HIP, Joint.LEFT_HIP)
    shoulders = _unit_between(joints, Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER)
    share = t * t * (3 - 2 * t)
    left = hips * (1 - share) + shoulders * share
    left = unit(left - along * (left * along).sum(-1, keepdims=True))
    return np.stack([centre, left, cross(left, along), along], axis=1)


def _arm_fronts(forward: Floats, left: Floats) -> Floats:
    """For each arm a direction in which it hardly ever points, [2, 3]."""
    back_up = -forward + 0.8 * _UP
    return np.stack([back_up + 0.5 * left, back_up - 0.5 * left])


def _limbs(joints: Floats, rows: Floats, fronts: Floats) -> Floats:
    """Rings along two limbs [2, 3 joints, 3], round at the middle joint: [2, rows, 4, 3]."""
    start, middle, end = joints[:, None, 0], joints[:, None, 1], joints[:, None, 2]
    upper, lower = middle - start, end - middle
    s = rows[None, :, None]
    curve = np.clip((s - 1 + _BEND) / (2 * _BEND), 0, 1)
    before = np.minimum(s, 1 - _BEND)
    after = np.maximum(s - 1 - _BEND, 0)
    # A quadratic Bezier curve between the two straight pieces, its corner in the joint.
    bent = curve * (2 - curve) * _BEND * upper + curve * curve * _BEND * lower
    centre = start + before * upper + bent + after * lower
    along = unit((1 - curve) * unit(upper) + curve * unit(lower))
    front = fronts[:, None] - along * (fronts[:, None] * along).sum(-1, keepdims=True)
    front = unit(front)
    side = cross(front, along)
    return np.stack(np.broadcast_arrays(centre, side, front, along), axis=2)


def _hem(stance: Stance, rings: Rings) -> Floats:
    """Rings of what hangs from the hips around both legs."""
    joints, rows = stance.joints, rings.hem
    on_trunk = _trunk(stance, np.maximum(-rows, 0.0))
    q = np.maximum(rows, 0.0)[:, None, None]
    legs = joints[_LEGS]
    thigh = np.minimum(q, 1.0) * (legs[:, 1] - legs[:, 0])
    shin = np.maximum(q - 1.0, 0.0) * (legs[:, 2] - legs[:, 1])
    points = legs[:, 0] + thigh + shin
    middle, apart = points.mean(1), points[:, 0] - points[:, 1]
    below = (rows > 0)[:, None]
    centre = np.where(below, middle, on_trunk[:, 0])
    left, front = on_trunk[:, 1], on_trunk[:, 2]
    reach = rings.hip_reach.copy()
    for column, axis in enumerate((left, front)):
        room = np.abs((apart * axis).sum(-1)) / 2 + rings.leg_room
        reach[:, column] = np.where(below[:, 0], np.maximum(reach[:, column], room), reach[:, column])
    return np.stack(
        [centre, left * reach[:, :1], front * reach[:, 1:], -on_trunk[:, 3]],
        axis=1,
    )


def _neck(joints: Floats, head: Floats, rings: Rings) -> Floats:
    base = neck_base(joints)
    top = head[0] - head[3] * 0.22 * rings.head_m - head[2] * 0.10 * rings.head_m
    t = rings.neck[:, None]
    centre = base + t * (top - base)
    along = np.broadcast_to(unit(top - base), centre.shape)
    left = head[1] - along * (along @ head[1])[:, None]
    left = unit(left)
    return np.stack([centre, left, cross(left, along), along], axis=1)


def _hands(joints: Floats, left: Floats) -> Floats:
    """Origin in the wrist; axes: towards the thumb, out of the palm, along the fingers."""
    wrists = joints[[Joint.LEFT_WRIST, Joint.RIGHT_WRIST]]
    along = unit(joints[[Joint.LEFT_HAND, Joint.RIGHT_HAND]] - wrists)
    inward = np.stack([-left, left]) - 0.35 * _UP
    palm = unit(inward - along * (inward * along).sum(-1, keepdims=True))
    thumb = cross(palm, along) * np.array([[1.0], [-1.0]])
    return np.stack([wrists, thumb, palm, along], axis=1)


def _shoes(joints: Floats, ankle_m: float) -> Floats:
    """Origin in the ankle; axes: to the person's left, towards the toes, up."""
    ankles = joints[[Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]]
    shins = joints[[Joint.LEFT_KNEE, Joint.RIGHT_KNEE]] - ankles
    foot = joints[[Joint.LEFT_TOE, Joint.RIGHT_TOE]] - ankles
    length = np.linalg.norm(foot, axis=-1, keepdims=True)
    along = foot / np.maximum(length, 1e-6)
    left = unit(cross(shins, along))
    # The toes lie lower than the ankle: turn that out, for the sole is flat.
    rise = np.arcsin(np.clip((ankle_m - 0.02) / np.maximum(length, 0.05), 0, 0.9))
    forward = along * np.cos(rise) + cross(along, left) * np.sin(rise)
    return np.stack([ankles, left, forward, cross(forward, left)], axis=1)
