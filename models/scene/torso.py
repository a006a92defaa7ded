"""The shapes of trunk, neck, and what hangs from the hips; bags on the back and at the hip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.scene.look import Bag, Look
from models.scene.sheet import Sheet
from models.scene.stance import Build

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Half-widths to the side, to the front and to the back of an adult man's trunk as shares of his
# height, from the crotch (t = -0.2) over the pelvis (0) to the base of the neck (1). Breadths from
# Drillis & Contini (1966) and ANSUR II (2012), median man, the curve between them by eye.
_TRUNK = np.array(
    [
        (-0.20, 0.034, 0.034, 0.040),
        (-0.13, 0.078, 0.054, 0.066),
        (-0.04, 0.096, 0.062, 0.078),
        (0.06, 0.097, 0.063, 0.077),
        (0.16, 0.092, 0.062, 0.066),
        (0.30, 0.085, 0.062, 0.054),
        (0.45, 0.088, 0.064, 0.056),
        (0.60, 0.095, 0.069, 0.064),
        (0.74, 0.101, 0.067, 0.068),
        (0.83, 0.103, 0.058, 0.066),
        (0.885, 0.098, 0.049, 0.060),
        (0.925, 0.082, 0.042, 0.054),
        (0.965, 0.058, 0.037, 0.047),
        (1.00, 0.041, 0.034, 0.041),
        (1.06, 0.033, 0.032, 0.034),
    ]
)
TRUNK_COLUMNS, HEM_COLUMNS = 24, 24
_SHOULDER_HALF = 0.11


def angles(columns: int) -> Floats:
    """Angles around a ring, from the back over the left to the front and round, [columns + 1]."""
    return np.linspace(0, 2 * np.pi, columns + 1)


def superellipse(theta: Floats, power: float) -> tuple[Floats, Floats]:
    """Side and front of a rounded box of half-widths 1; power 2 is an ellipse."""
    side, front = np.sin(theta), -np.cos(theta)
    reach = (np.abs(side) ** power + np.abs(front) ** power) ** (-1 / power)
    return side * reach, front * reach


def folds(rng: np.random.Generator, v: Floats, theta: Floats, waves: tuple[int, float]) -> Floats:
    """Soft wrinkles on a grid, about -1..1: waves[0] around, waves[1] along per unit of v."""
    total = np.zeros((len(v), len(theta)))
    for _ in range(4):
        around = int(rng.integers(0, waves[0] + 1))
        along = rng.normal(0, waves[1])
        total += np.sin(around * theta[None, :] + along * v[:, None] + rng.uniform(0, 6.3))
    return total / 2.2


def trunk_rows(look: Look) -> Floats:
    """Where the trunk's rings lie, with a step at a tucked-in shirt's waist."""
    rows = np.concatenate([np.linspace(-0.2, 0.7, 13), np.linspace(0.76, 1.06, 9)])
    return np.sort(np.append(rows, [waist(look) - 0.01, waist(look) + 0.01]))


def waist(look: Look) -> float:
    """Where the top ends on the trunk: at the belt, or under what hangs below it."""
    return 0.14 if look.hem < 0 or look.skirt else 0.02


def trunk_profile(build: Build, rows: Floats) -> Floats:
    """Half-widths of the bare trunk, float64 [rows, 3]: side, front, back, in metres."""
    table = np.stack([np.interp(rows, _TRUNK[:, 0], _TRUNK[:, k]) for k in (1, 2, 3)], axis=1)
    stout = build.girth - 1
    lower = np.clip(1 - rows / 0.95, 0, 1)
    table *= 1 + stout * (0.35 + 0.4 * lower)[:, None]
    belly = np.exp(-(((rows - 0.3) / 0.22) ** 2))
    table[:, 1] += max(stout, 0) * 0.07 * belly
    if build.female:
        table[:, 0] *= np.interp(rows, [-0.1, 0.05, 0.3, 0.6, 0.9], [1.05, 1.06, 0.88, 0.90, 0.92])
        table[:, 1] += 0.016 * np.exp(-(((rows - 0.66) / 0.1) ** 2))
        table[:, 2] *= np.interp(rows, [0, 0.3], [1.05, 0.92])
    if build.child:
        table[:, 0] = 0.55 * table[:, 0] + 0.45 * np.minimum(table[:, 0], 0.09)
        table[:, 1] += 0.006 * belly
    return table * build.height


def trunk(build: Build, look: Look, rows: Floats, frame: Ints, shoulder: float) -> Sheet:
    """From the crotch to the neck, dressed.

    Args:
        build: proportions.
        look: clothes.
        rows: as of `trunk_rows`.
        frame: int64 [rows].
        shoulder: half the distance between the shoulder joints as a share of the height.
    """
    rng = np.random.default_rng(look.grain)
    theta = angles(TRUNK_COLUMNS)
    widths = trunk_profile(build, rows)
    upper = np.clip((rows - 0.5) / 0.3, 0, 1) * np.clip((1.0 - rows) / 0.06, 0, 1)
    widths[:, 0] *= 1 + upper * (shoulder / _SHOULDER_HALF - 1)
    top = rows > waist(look)
    loose = np.where(top, 0.006 + 0.022 * look.ease, 0.003 + 0.004 * look.wide)
    loose *= np.clip((1.03 - rows) / 0.12, 0.15, 1)
    widths += (loose * build.height / 1.75)[:, None]
    side, front = superellipse(theta, 2.35)
    depth = np.where(front[None, :] > 0, widths[:, 1:2], widths[:, 2:3])
    wrinkle = 1 + folds(rng, rows, theta, (5, 14.0)) * (0.012 + 0.025 * look.ease) * np.clip(
        (0.95 - rows[:, None]) / 0.2, 0, 1
    )
    local = np.zeros((len(rows), len(theta), 3))
    local[..., 0] = side * widths[:, :1] * wrinkle
    local[..., 1] = front * depth * wrinkle
    if build.female:
        _bust(local, rows, theta, build)
    return Sheet(local, frame, "trunk", v=_trunk_v(rows))


def _trunk_v(rows: Floats) -> Floats:
    return np.asarray((rows + 0.2) / 1.26)


def _bust(local: Floats, rows: Floats, theta: Floats, build: Build) -> None:
    for middle in (np.pi - 0.42, np.pi + 0.42):
        bump = np.exp(-(((theta - middle) / 0.36) ** 2)) * np.exp(
            -(((rows[:, None] - 0.64) / 0.085) ** 2)
        )
        local[..., 1] += bump * 0.012 * build.height


def hem_rows(look: Look) -> Floats:
    """Where the hanging garment's rings lie; empty without one."""
    if look.hem <= 0:
        return np.zeros(0)
    low = 2 * look.hem
    start = -0.14 if look.skirt else -0.30
    count = 6 + round(6 * look.hem)
    return np.concatenate([np.linspace(start, 0, 4)[:-1], np.linspace(0.01, low, count)])


def hem_reach(build: Build, look: Look, rows: Floats) -> Floats:
    """Half-widths of the hanging garment at rest, float64 [rows, 2], side and front, metres."""
    bare = trunk_profile(build, np.maximum(-rows, 0.0))
    # The thighs' outer sides stand out a little from the hips.
    thighs = 0.106 * build.height * (1 + 0.5 * (build.girth - 1))
    bare[:, 0] = np.where(rows > -0.1, np.maximum(bare[:, 0], thighs), bare[:, 0])
    ease = (0.010 + 0.026 * look.ease) * build.height / 1.75
    reach = np.stack([bare[:, 0], (bare[:, 1] + bare[:, 2]) / 2], axis=1) + ease
    below = np.clip(rows / max(rows[-1], 1e-6), 0, 1) if len(rows) else rows
    grown = 1 + (look.flare - 1) * below * min(1.0, 2.2 * look.hem)
    return np.asarray(reach * grown[:, None])


def hem(build: Build, look: Look, rows: Floats, frame: Ints) -> Sheet:
    """Shirt tails, the lower part of a coat or dress, or a skirt; local lengths are shares."""
    rng = np.random.default_rng(look.grain + 1)
    theta = angles(HEM_COLUMNS)
    side, front = superellipse(theta, 2.35)
    below = np.clip(rows / 1.0, 0, 1)[:, None]
    pleats = np.zeros((1, len(theta)))
    for count in (5, 7, 9, 12):
        pleats += np.sin(count * theta + rng.uniform(0, 6.3)) / 4
    swing = 1 + (0.12 * (look.flare - 1) + 0.035) * below * pleats
    swing += 0.012 * folds(rng, rows, theta, (4, 6.0))
    # Belly and seat stand out differently.
    bare = trunk_profile(build, np.maximum(-rows, 0.0))
    mean = (bare[:, 1] + bare[:, 2]) / 2
    fade = np.clip(1 - rows / 0.5, 0, 1)
    # Never less than the mean: the legs need the room.
    ahead, behind = (1 + fade * np.maximum(bare[:, k] / mean - 1, 0) for k in (1, 2))
    local = np.zeros((len(rows), len(theta), 3))
    local[..., 0] = side * swing
    local[..., 1] = front * swing * np.where(front > 0, ahead[:, None], behind[:, None])
    return Sheet(local, frame, "skirt" if look.skirt else "hem")


NECK_ROWS = np.array([-0.35, -0.05, 0.15, 0.4, 0.7, 1.0])


def neck(build: Build, frame: Ints) -> Sheet:
    """From inside the trunk to inside the skull."""
    theta = angles(12)
    thick = 0.0305 if build.female or build.child else 0.0345
    thick *= 1 + 0.35 * (build.girth - 1)
    flare = np.array([1.5, 1.22, 1.06, 1.0, 0.98, 0.98])
    side, front = superellipse(theta, 2.0)
    local = np.zeros((len(NECK_ROWS), len(theta), 3))
    local[..., 0] = side * (thick * flare)[:, None]
    local[..., 1] = front * (thick * flare)[:, None]
    return Sheet(local * build.height, frame, "neck")


def hood(build: Build, frame: int) -> Sheet:
    """A hood that lies on the shoulders behind the neck, in the chest's frame (t = 0.62)."""
    arc = np.linspace(-0.62 * np.pi, 0.62 * np.pi, 13)
    theta = angles(8)
    scale = build.height / 1.75
    thick = 0.034 * (0.45 + 0.55 * np.cos(arc / 1.35) ** 1.0)
    ring, up = np.cos(theta), np.sin(theta)
    out = 0.088 + thick[:, None] * ring
    local = np.zeros((len(arc), len(theta), 3))
    local[..., 0] = np.sin(arc)[:, None] * out * 1.1
    local[..., 1] = -np.cos(arc)[:, None] * out - 0.005
    local[..., 2] = 0.165 + 0.02 * np.cos(arc)[:, None] + up * thick[:, None] * 1.1
    return Sheet(local * scale, np.full(len(arc), frame), "hood")


def collar(build: Build, look: Look, frame: Ints) -> Sheet:
    """A collar around the neck, open at the throat, in the neck's lowest frames."""
    throat = 0.30 if look.open_front else 0.12
    theta = np.linspace(-np.pi + throat, np.pi - throat, 17)
    scale = build.height / 1.75 * (0.9 if build.female or build.child else 1.0)
    rise = np.array([-0.022, 0.004, 0.026, 0.018])
    out = np.array([0.075, 0.069, 0.064, 0.072]) + 0.006 * look.ease
    local = np.zeros((4, len(theta), 3))
    local[..., 0] = np.sin(theta) * out[:, None]
    local[..., 1] = -np.cos(theta) * out[:, None] * 0.98
    local[..., 2] = rise[:, None] - 0.030 * np.clip(-np.cos(theta), 0, 1) ** 2
    return Sheet(local * scale, np.full(4, frame[1]), "hood", closed=False, two_sided=True)


def bag(build: Build, look: Look, back: int, hip: int) -> Sheet | None:
    """A backpack in the frame `back` or a shoulder bag in the frame `hip`."""
    if look.bag is Bag.NONE:
        return None
    scale = build.height / 1.75
    depth = float(trunk_profile(build, np.array([0.6]))[0, 2])
    wide = float(trunk_profile(build, np.array([0.02]))[0, 0])
    theta = angles(16)
    side, front = superellipse(theta, 4.0)
    rise = np.array([-1.0, -0.98, -0.8, -0.4, 0.0, 0.4, 0.75, 0.95, 1.0])
    taper = np.array([0.05, 0.8, 1.0, 1.03, 1.0, 0.97, 0.9, 0.6, 0.05])
    local = np.zeros((len(rise), len(theta), 3))
    if look.bag is Bag.BACKPACK:
        size = np.array([0.145, 0.075, 0.215]) * scale
        at = np.array([0.0, -depth - 0.8 * size[1] - 0.01, -0.03 * scale])
        frame = back
    else:
        size = np.array([0.05, 0.14, 0.12]) * scale
        sign = 1 if look.grain % 2 else -1
        at = np.array([sign * (wide + size[0] + 0.04 * scale), 0.0, -0.02 * scale])
        frame = hip
    local[..., 0] = side * taper[:, None] * size[0] + at[0]
    local[..., 1] = front * taper[:, None] * size[1] + at[1]
    local[..., 2] = rise[:, None] * size[2] + at[2]
    return Sheet(local, np.full(len(rise), frame), "bag", worn=True)
