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
# Where on the trunk bags hang: on the back and at the hip.
_BAGS = np.array([0.62, 0.02])
# Hair turns with the head at its roots and hangs straight down at its ends, in this many steps.
HAIR_FRAMES = 5
# How far inside the trunk a limb begins, as shares of the height: an arm towards the other one,
# a leg up into the hips.
_ARM_ROOT, _LEG_ROOT = 0.065, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """Where along the body the rings lie.

    Args:
        trunk: 0 = pelvis .. 1 = neck; below 0 towards the crotch.
        arm: as of `limb_path`, from inside the chest to the wrist.
        leg: as of `limb_path`, from inside the hips to the ankle.
        hem: of the garment that hangs from the trunk: < 0 is minus the trunk's 0..1, above 0 the
            leg's 0..2.
        neck: 0 = its base .. 1 = in the skull.
        hip_reach: half-widths [rings, 2] of the hanging garment, side and front, at least.
        leg_room: what the garment keeps from the middle of each thigh, metres, [rings].
        ankle_m: height of the ankle over the sole.
        head_m: from chin to crown.
        height: metres, of the person.
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
    height: float

    def counts(self) -> dict[str, int]:
        """Frames of each piece, in their order."""
        trunk, arm, leg = len(self.trunk), self.arm.shape[1], self.leg.shape[1]
        return {
            "trunk": trunk,
            "left arm": arm,
            "right arm": arm,
            "left leg": leg,
            "right leg": leg,
            "hem": len(self.hem),
            "neck": len(self.neck),
            "head": 1,
            "hair": HAIR_FRAMES,
            "left hand": 1,
            "right hand": 1,
            "left shoe": 1,
            "right shoe": 1,
            "back": 1,
            "hip": 1,
        }


def unit(vectors: Floats) -> Floats:
    """Vectors [..., 3] at length 1; a null vector stays one."""
    length = np.sqrt(np.einsum("...i,...i->...", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-9)[..., None])


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
    count = len(rings.trunk)
    spine = _trunk(stance, np.concatenate([rings.trunk, np.maximum(-rings.hem, 0.0), _BAGS]))
    trunk, hem, bags = spine[:count], spine[count:-2], spine[-2:]
    hips = trunk[np.searchsorted(rings.trunk, 0.0)]
    arms = _limbs(_arm_chains(joints, left, rings), rings.arm, _arm_fronts(stance.forward, left))
    legs = _limbs(_leg_chains(joints, hips, rings), rings.leg, np.stack([hips[2], hips[2]]))
    head = head_frame(stance)
    pieces = [
        trunk,
        arms.reshape(-1, 4, 3),
        legs.reshape(-1, 4, 3),
        _hem(stance, rings, hem),
        _neck(joints, head, rings),
        head[None],
        _hair(head),
        _hands(joints, left),
        _shoes(joints, rings.ankle_m),
        bags,
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
    """Where the neck leaves the trunk, [3]: above the shoulders' line.

    The joint NECK may lie higher, up to the nape; skin shows the neck from the shoulders on.
    """
    middle = (joints[Joint.LEFT_SHOULDER] + joints[Joint.RIGHT_SHOULDER]) / 2
    span = joints[Joint.HEAD] - middle
    return np.asarray(middle + 0.30 * span)


def _unit_between(joints: Floats, start: Joint, end: Joint) -> Floats:
    return unit(joints[end] - joints[start])


def _trunk(stance: Stance, rows: Floats) -> Floats:
    """Rings along a smooth spine through pelvis, chest and neck."""
    joints = stance.joints
    pelvis, chest, neck = joints[Joint.PELVIS], joints[Joint.CHEST], neck_base(joints)
    lower, upper = np.linalg.norm(chest - pelvis), np.linalg.norm(neck - chest)
    middle = float(np.clip(lower / (lower + upper), 0.25, 0.75))
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


def _arm_chains(joints: Floats, left: Floats, rings: Rings) -> Floats:
    """Both arms [2, 4, 3] with a root in the chest, that shoulders are round."""
    inward = _ARM_ROOT * rings.height * left
    roots = joints[[Joint.LEFT_SHOULDER, Joint.RIGHT_SHOULDER]] + np.stack([-inward, inward])
    return np.concatenate([roots[:, None], joints[_ARMS]], axis=1)


def _leg_chains(joints: Floats, hips: Floats, rings: Rings) -> Floats:
    """Both legs [2, 4, 3] with a root in the hips."""
    ends = joints[[Joint.LEFT_HIP, Joint.RIGHT_HIP]]
    roots = 0.75 * ends + 0.25 * ends.mean(0) + _LEG_ROOT * rings.height * hips[3]
    return np.concatenate([roots[:, None], joints[_LEGS]], axis=1)


def _hair(head: Floats) -> Floats:
    """The head's frame, step by step more upright, [HAIR_FRAMES, 4, 3]."""
    share = np.linspace(0, 1, HAIR_FRAMES)[:, None]
    up = unit((1 - share) * head[3] + share * _UP)
    front = unit(head[2] - up * (up @ head[2])[:, None])
    origin = np.broadcast_to(head[0], up.shape)
    return np.stack([origin, cross(up, front), front, up], axis=1)


def _arm_fronts(forward: Floats, left: Floats) -> Floats:
    """For each arm a direction in which it hardly ever points, [2, 3]."""
    back_up = -forward + 0.8 * _UP
    return np.stack([back_up + 0.5 * left, back_up - 0.5 * left])


def _limbs(chains: Floats, path: Floats, fronts: Floats) -> Floats:
    """Rings along two limbs.

    Args:
        chains: [2, 4, 3], from inside the trunk over shoulder and elbow to the wrist.
        path: as of `limb_path`.
        fronts: [2, 3], about where each limb's front is.

    Returns:
        [2, rows, 4, 3].
    """
    bones = chains[:, 1:] - chains[:, :-1]
    centre = chains[:, :1] + path[0] @ bones
    along = unit(path[1] @ unit(bones))
    front = fronts[:, None] - along * (fronts[:, None] * along).sum(-1, keepdims=True)
    front = unit(front)
    return np.stack([centre, cross(front, along), front, along], axis=2)


def limb_path(rows: Floats, bends: tuple[float, float]) -> Floats:
    """How far along each of a limb's three bones its rings lie, and which way they face.

    Args:
        rows: -1 = in the trunk, 0 = shoulder or hip, 1 = elbow or knee, 2 = wrist or ankle.
        bends: half-length of the curve at joints 0 and 1: flesh over a joint is round.

    Returns:
        float64 [2, rows, 3]: share of each bone passed, and each bone's part in the direction.
        Between two straight pieces the path is a quadratic Bezier curve.
    """
    first, second = bends
    leave = np.clip((rows + first) / (2 * first), 0, 1)
    enter = np.clip((rows - 1 + second) / (2 * second), 0, 1)
    upper = first * leave**2 + np.maximum(rows - first, 0)
    lower = second * enter**2 + np.maximum(rows - 1 - second, 0)
    passed = np.stack([1 + rows - upper, upper - lower, lower], axis=1)
    return np.stack([passed, np.stack([1 - leave, leave - enter, enter], axis=1)])


def _hem(stance: Stance, rings: Rings, on_trunk: Floats) -> Floats:
    """Rings of what hangs from the hips around both legs."""
    joints, rows = stance.joints, rings.hem
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
        reach[:, column] = np.where(
            below[:, 0], np.maximum(reach[:, column], room), reach[:, column]
        )
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
