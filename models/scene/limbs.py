"""The shapes of arms, legs, hands and shoes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.scene.look import Look
from models.scene.sheet import Sheet
from models.scene.stance import Build
from models.scene.torso import angles, folds, superellipse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Radii of an adult's limbs as shares of the height, along 0 (first joint), 1, 2 (last joint): half
# the girths of ANSUR II (2012), median man, over pi; the curve between them by eye.
_ARM = np.array(
    [
        (-0.90, 0.018),
        (-0.45, 0.023),
        (-0.15, 0.0275),
        (0.10, 0.0315),
        (0.30, 0.0325),
        (0.55, 0.0300),
        (0.85, 0.0250),
        (1.00, 0.0245),
        (1.22, 0.0255),
        (1.60, 0.0200),
        (1.95, 0.0155),
        (2.05, 0.0160),
    ]
)
_LEG = np.array(
    [
        (-0.90, 0.0250),
        (-0.35, 0.0370),
        (0.00, 0.0470),
        (0.20, 0.0510),
        (0.60, 0.0430),
        (0.90, 0.0345),
        (1.00, 0.0340),
        (1.15, 0.0325),
        (1.35, 0.0345),
        (1.70, 0.0250),
        (1.92, 0.0210),
        (2.06, 0.0225),
    ]
)
# Half-lengths of the curves at shoulder and elbow, at hip and knee: see `frames.limb_path`.
ARM_BENDS, LEG_BENDS = (0.30, 0.18), (0.25, 0.18)
_COLUMNS = 12


def arm_rows(look: Look) -> Floats:
    """Where an arm's rings lie, with a step where the sleeve ends."""
    rows = np.concatenate([[-0.9, -0.6, -0.35, -0.18, -0.05, 0.08], np.linspace(0.22, 2.03, 14)])
    return np.sort(np.append(rows, [sleeve_end(look) - 0.015, sleeve_end(look) + 0.015]))


def leg_rows(look: Look) -> Floats:
    """Where a leg's rings lie, with a step where the trousers end."""
    rows = np.concatenate([[-0.8, -0.4, -0.15], np.linspace(0.05, 2.04, 16)])
    return np.sort(np.append(rows, [leg_end(look) - 0.015, leg_end(look) + 0.015]))


def sleeve_end(look: Look) -> float:
    """Where the sleeve ends along the arm, 0..2."""
    return min(2 * look.sleeve, 1.97)


def leg_end(look: Look) -> float:
    """Where the trousers end along the leg, 0..2."""
    return min(2 * look.cover, 1.98)


def arms(build: Build, look: Look, rows: Floats, frames: tuple[Ints, Ints]) -> list[Sheet]:
    """Left and right arm without the hand."""
    radius = np.interp(rows, _ARM[:, 0], _ARM[:, 1]) * build.height * _limb_girth(build)
    radius *= np.interp(rows, [0, 2], [0.92, 0.94]) if build.female else 1.0
    covered = rows < sleeve_end(look)
    loose = 0.005 + 0.018 * look.ease + (0.006 if look.sleeve < 0.6 else 0.0)
    ease = loose * np.clip((rows + 0.5) / 0.9, 0.25, 1)
    radius = radius + np.where(covered, ease, 0.0) * build.height / 1.75
    return [
        _limb(radius, rows, frame, "arm", (look.grain + 5 + k, covered, 0.03 + 0.05 * look.ease))
        for k, frame in enumerate(frames)
    ]


def legs(build: Build, look: Look, rows: Floats, frames: tuple[Ints, Ints]) -> list[Sheet]:
    """Left and right leg without the shoe."""
    radius = np.interp(rows, _LEG[:, 0], _LEG[:, 1]) * build.height * _limb_girth(build)
    radius *= 1.04 if build.female else 1.0
    covered = rows < leg_end(look)
    # Trousers hang from the knee: the wider they are, the less the calf shows.
    ease = 0.003 + look.wide * np.interp(rows, [0, 0.6, 1.2, 2.0], [0.004, 0.014, 0.022, 0.034])
    if look.cover < 0.9 or look.wide == 0.0:
        ease = 0.002 + look.wide * np.interp(rows, [0, 1.0], [0.006, 0.028])
    radius = radius + np.where(covered, ease, 0.0) * build.height / 1.75
    wrinkle = 0.02 + 0.05 * look.wide
    return [
        _limb(radius, rows, frame, "leg", (look.grain + 9 + k, covered, wrinkle), bulge=True)
        for k, frame in enumerate(frames)
    ]


def leg_room(build: Build, look: Look, rows: Floats) -> Floats:
    """What a hanging garment keeps from the middle of a leg at 0..2, metres."""
    radius = np.interp(np.maximum(rows, 0), _LEG[:, 0], _LEG[:, 1]) * build.height
    return np.asarray(radius * (1.12 * _limb_girth(build)) + 0.014 + 0.02 * look.wide)


def _limb_girth(build: Build) -> float:
    thick = 1 + 0.55 * (build.girth - 1)
    return thick * (1.06 if build.child else 1.0)


def _limb(
    radius: Floats,
    rows: Floats,
    frame: Ints,
    tile: str,
    cloth: tuple[int, NDArray[np.bool_], float],
    bulge: bool = False,
) -> Sheet:
    seed, covered, wrinkle = cloth
    theta = angles(_COLUMNS)
    side, front = superellipse(theta, 2.0)
    rng = np.random.default_rng(seed)
    # Cloth gathers at the joint and at its end.
    gathered = (
        0.35 + np.exp(-(((rows - 1) / 0.22) ** 2)) + 0.8 * np.exp(-(((rows - 1.9) / 0.2) ** 2))
    )
    crease = folds(rng, rows, theta, (3, 16.0)) * (gathered * wrinkle * covered)[:, None]
    local = np.zeros((len(rows), len(theta), 3))
    local[..., 0] = side * radius[:, None] * (1 + crease)
    local[..., 1] = front * radius[:, None] * (1 + crease)
    if bulge:
        # The calf sits behind the shin, the thigh before it.
        back = np.interp(rows, [0.1, 0.5, 1.0, 1.35, 1.9], [0.0, 0.12, 0.0, -0.28, -0.05])
        local[..., 1] += (back * radius)[:, None]
    return Sheet(local, frame, tile, v=np.clip(rows / 2.05, 0, 1))


def hands(build: Build, frames: tuple[int, int]) -> list[Sheet]:
    """Two mittens and two thumbs."""
    scale = build.height / 1.75 * (0.93 if build.female else 1.0)
    along = np.array([-0.015, 0.01, 0.03, 0.05, 0.08, 0.105, 0.13, 0.155, 0.175, 0.187])
    wide = np.array([0.025, 0.027, 0.033, 0.040, 0.043, 0.042, 0.039, 0.034, 0.026, 0.010])
    thick = np.array([0.021, 0.019, 0.018, 0.017, 0.015, 0.0125, 0.0115, 0.011, 0.0095, 0.005])
    theta = angles(10)
    side, front = superellipse(theta, 2.4)
    palm = np.zeros((len(along), len(theta), 3))
    palm[..., 0] = side * wide[:, None]
    # Fingers at rest curl towards the palm.
    palm[..., 1] = front * thick[:, None] + (1.6 * np.maximum(along - 0.06, 0) ** 2)[:, None]
    palm[..., 2] = along[:, None]
    reach = np.linspace(0, 1, 6)
    round_ = angles(8)
    girth = np.array([0.016, 0.0145, 0.0125, 0.0115, 0.0105, 0.003])
    thumb = np.zeros((len(reach), len(round_), 3))
    thumb[..., 0] = (0.022 + 0.045 * reach**0.8)[:, None] + girth[:, None] * np.sin(round_) * 0.8
    thumb[..., 1] = 0.012 + 0.008 * reach[:, None] + girth[:, None] * np.cos(round_)
    thumb[..., 2] = (0.03 + 0.085 * reach)[:, None] - girth[:, None] * np.sin(round_) * 0.5
    sheets = []
    for frame in frames:
        sheets.append(Sheet(palm * scale, np.full(len(along), frame), "hand"))
        sheets.append(Sheet(thumb * scale, np.full(len(reach), frame), "hand"))
    return sheets


def shoes(build: Build, frames: tuple[int, int], ankle_m: float) -> list[Sheet]:
    """Two shoes, their soles flat."""
    long = 0.160 * build.height
    at = np.array([0.0, 0.02, 0.10, 0.22, 0.34, 0.48, 0.62, 0.76, 0.88, 0.96, 1.0])
    wide = np.array([0.05, 0.6, 0.82, 0.86, 0.84, 0.90, 1.0, 1.0, 0.86, 0.58, 0.06])
    top = np.array([0.5, 0.95, 1.12, 1.15, 1.05, 0.82, 0.66, 0.56, 0.50, 0.40, 0.25])
    wide = (
        wide
        * 0.029
        * build.height
        * (0.92 if build.female else 1.0)
        * (1 + 0.3 * (build.girth - 1))
    )
    height = top * (ankle_m + 0.012)
    theta = angles(14)
    side, up = superellipse(theta, 3.0)
    local = np.zeros((len(at), len(theta), 3))
    local[..., 0] = side * wide[:, None]
    local[..., 1] = (at * long - 0.27 * long)[:, None]
    local[..., 2] = (up + 1) / 2 * height[:, None] - ankle_m
    # Sides lean in above the sole.
    lean = 1 - 0.22 * np.clip((up + 1) / 2, 0, 1)
    local[..., 0] *= lean
    return [Sheet(local, np.full(len(at), frame), "shoe") for frame in frames]
