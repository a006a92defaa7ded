"""From what somebody does to where their joints are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.scene.bones import two_bones, unit
from models.scene.camera import Floats
from models.scene.stance import Build, Joint, Stance

# Lengths as shares of the height: Drillis and Contini (1966), as in Winter, "Biomechanics and
# Motor Control of Human Movement", figure 4.1. A child's head takes more and its legs less.
_ADULT = {"hip": 0.53, "neck": 0.855, "skull": 0.93, "arm": 0.172, "forearm": 0.157}
_CHILD = {"hip": 0.49, "neck": 0.81, "skull": 0.905, "arm": 0.162, "forearm": 0.148}
_HAND, _ANKLE, _TOE = 0.055, 0.039, 0.12
# Half the distance between the shoulders and between the hips.
_SHOULDER, _HIP = 0.117, 0.052
# Share of a step in which a foot is in the air, and how far it is lifted.
_SWING, _LIFT = 0.4, 0.055
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Act:
    """What somebody does at one moment.

    Args:
        x, y: metres, between the feet.
        heading: radians, where the chest faces: 0 = towards +x.
        phase: radians of the gait cycle (two steps).
        walk: 0 = stands, 1 = walks.
        stride: metres of a gait cycle.
        bend: radians, the trunk forward.
        crouch: 0 = upright, 1 = squats.
        twist: radians, shoulders against hips, to the left.
        sway: metres, the weight shifted to the left.
        left, right: where each hand goes: x, y, z in metres and 0..1 how far it is there.
        gaze: float64 [3], metres: what is looked at; None = ahead.
    """

    x: float
    y: float
    heading: float
    phase: float = 0.0
    walk: float = 0.0
    stride: float = 1.3
    bend: float = 0.0
    crouch: float = 0.0
    twist: float = 0.0
    sway: float = 0.0
    left: Floats = field(default_factory=lambda: np.zeros(4))
    right: Floats = field(default_factory=lambda: np.zeros(4))
    gaze: Floats | None = None


def stance_of(act: Act, build: Build) -> Stance:
    """The joints of somebody of this build who does this."""
    share = _CHILD if build.child else _ADULT
    tall = build.height
    ahead = np.array([np.cos(act.heading), np.sin(act.heading), 0.0])
    left = np.array([-ahead[1], ahead[0], 0.0])
    joints = np.zeros((len(Joint), 3))
    ground = np.array([act.x, act.y, 0.0])
    hip = tall * share["hip"]
    # Lowest with both feet on the floor, highest over the standing leg.
    bob = -act.walk * 0.016 * tall * (1 + np.cos(2 * act.phase))
    # Who bends or squats keeps the weight over the feet.
    back = -0.10 * tall * np.sin(act.bend) - 0.08 * tall * act.crouch
    low = hip * (1 - 0.52 * act.crouch) + bob
    pelvis = ground + back * ahead + act.sway * left + low * _UP
    joints[Joint.PELVIS] = pelvis
    _trunk(joints, act, build, ahead, left)
    _legs(joints, act, build, (ground, ahead, left))
    _arms(joints, act, build, ahead, left)
    gaze = _gaze(joints, act, ahead)
    return Stance(joints, ahead, gaze)


def _trunk(joints: Floats, act: Act, build: Build, ahead: Floats, left: Floats) -> None:
    share = _CHILD if build.child else _ADULT
    tall = build.height
    lean = act.bend + 0.05 * act.walk + 0.45 * act.crouch
    spine = np.cos(lean) * _UP + np.sin(lean) * ahead
    turn = act.twist + 0.10 * act.walk * np.sin(act.phase)
    across = np.cos(turn) * left - np.sin(turn) * ahead
    pelvis = joints[Joint.PELVIS]
    neck = pelvis + tall * (share["neck"] - share["hip"]) * spine
    joints[Joint.NECK] = neck
    joints[Joint.CHEST] = pelvis + 0.6 * (neck - pelvis)
    # The head stays more upright than the trunk.
    upright = unit(spine + 0.8 * _UP)
    joints[Joint.HEAD] = neck + tall * (share["skull"] - share["neck"]) * upright
    wide = _SHOULDER * (0.9 if build.female else 1.0) * (0.85 + 0.15 * build.girth) * tall
    top = neck - 0.035 * tall * spine
    joints[Joint.LEFT_SHOULDER] = top + wide * across
    joints[Joint.RIGHT_SHOULDER] = top - wide * across
    hip = _HIP * (1.08 if build.female else 1.0) * tall
    joints[Joint.LEFT_HIP] = pelvis + hip * left
    joints[Joint.RIGHT_HIP] = pelvis - hip * left


def _legs(joints: Floats, act: Act, build: Build, frame: tuple[Floats, Floats, Floats]) -> None:
    ground, ahead, left = frame
    tall = build.height
    share = _CHILD if build.child else _ADULT
    bone = 1.01 * (share["hip"] - _ANKLE) * tall / 2
    for side, sign in enumerate((1.0, -1.0)):
        fore, lift = _foot(act.phase + np.pi * side)
        fore *= act.walk * act.stride / 4
        apart = sign * tall * (0.055 + 0.02 * (1 - act.walk) + 0.03 * act.crouch)
        ankle = ground + fore * ahead + apart * left
        ankle = ankle + (_ANKLE * tall + act.walk * lift * tall) * _UP
        hip = joints[Joint.LEFT_HIP + side]
        give = ahead + 0.25 * sign * left
        knee, ankle = two_bones(hip, ankle, bone, bone, give)
        joints[Joint.LEFT_KNEE + side], joints[Joint.LEFT_ANKLE + side] = knee, ankle
        toe = ankle + _TOE * tall * unit(ahead + 0.12 * sign * left)
        toe[2] = max(0.01, ankle[2] - _ANKLE * tall * 0.8 - 0.25 * lift * act.walk * tall)
        joints[Joint.LEFT_TOE + side] = toe


def _foot(phase: float) -> tuple[float, float]:
    """How far ahead (-1..1) and how high (share of the height) a foot is in its cycle."""
    share = (phase / (2 * np.pi)) % 1.0
    if share < 1 - _SWING:
        return 1 - 2 * share / (1 - _SWING), 0.0
    way = (share - 1 + _SWING) / _SWING
    return -float(np.cos(np.pi * way)), _LIFT * float(np.sin(np.pi * way))


def _arms(joints: Floats, act: Act, build: Build, ahead: Floats, left: Floats) -> None:
    share = _CHILD if build.child else _ADULT
    tall = build.height
    upper, lower = share["arm"] * tall, (share["forearm"] + _HAND / 2) * tall
    for side, (sign, goal) in enumerate(((1.0, act.left), (-1.0, act.right))):
        shoulder = joints[Joint.LEFT_SHOULDER + side]
        # Each arm swings with the other side's leg.
        swing = -0.42 * act.walk * np.cos(act.phase + np.pi * side)
        down = (
            np.cos(swing) * -_UP + np.sin(swing) * ahead + sign * (0.10 + 0.08 * build.girth) * left
        )
        hang = shoulder + 0.94 * (upper + lower) * unit(down) + 0.05 * tall * ahead
        hand = hang
        if goal[3] > 0:
            hand = hang + goal[3] * (goal[:3] - hang)
            # Halfway the hand goes round the body, not through it.
            hand = hand + goal[3] * (1 - goal[3]) * 0.5 * tall * (0.35 * ahead + 0.15 * sign * left)
        give = -_UP * 0.6 - 0.6 * ahead + 0.5 * sign * left
        elbow, end = two_bones(shoulder, hand, upper, lower, give)
        joints[Joint.LEFT_ELBOW + side] = elbow
        # The palm's middle ends the chain; the wrist lies before it.
        joints[Joint.LEFT_HAND + side] = end
        joints[Joint.LEFT_WRIST + side] = end - _HAND * tall * unit(end - elbow)


def _gaze(joints: Floats, act: Act, ahead: Floats) -> Floats:
    if act.gaze is None:
        return unit(ahead - 0.08 * _UP)
    towards = unit(act.gaze - joints[Joint.HEAD])
    # A neck turns by 75 degrees at most.
    if towards @ ahead < 0.26:
        towards = unit(towards - (towards @ ahead - 0.3) * ahead)
    return unit(towards)
