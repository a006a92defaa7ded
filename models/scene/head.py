"""The shapes of head, hair and hats."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.scene.look import Hair, Hat, Look
from models.scene.sheet import Sheet
from models.scene.stance import Build
from models.scene.torso import angles

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Half-width, reach to the front and reach to the back of an adult's head from chin to crown, all
# as shares of the distance between those two; 0 = the eyes. After the cranial breadth and length
# of ANSUR II (2012) and a profile drawn by eye.
_HEAD = np.array(
    [
        (-0.50, 0.055, 0.340, -0.180),
        (-0.48, 0.110, 0.370, -0.120),
        (-0.43, 0.175, 0.395, -0.040),
        (-0.36, 0.225, 0.400, 0.040),
        (-0.28, 0.255, 0.398, 0.130),
        (-0.20, 0.275, 0.392, 0.230),
        (-0.10, 0.300, 0.385, 0.320),
        (0.00, 0.318, 0.378, 0.385),
        (0.10, 0.325, 0.405, 0.420),
        (0.20, 0.326, 0.402, 0.425),
        (0.30, 0.308, 0.365, 0.395),
        (0.38, 0.268, 0.300, 0.335),
        (0.44, 0.205, 0.220, 0.255),
        (0.48, 0.125, 0.130, 0.160),
        (0.50, 0.010, 0.010, 0.020),
    ]
)
COLUMNS = 28
# Rings of the skull: closer where nose, mouth and eyes are.
_SKULL_Z = np.concatenate(
    [
        [-0.5, -0.48, -0.44, -0.38, -0.33, -0.28, -0.23, -0.19, -0.16, -0.13, -0.09, -0.05],
        [0.0, 0.05, 0.10, 0.16, 0.23, 0.30, 0.37, 0.43, 0.475, 0.5],
    ]
)


def head_height(build: Build) -> float:
    """From chin to crown, metres: 7.5 heads tall as an adult, 5 to 6.3 as a child."""
    if not build.child:
        return build.height / 7.5
    return build.height / float(np.interp(build.height, [0.9, 1.5], [5.0, 6.4]))


def surface(theta: Floats, z: Floats) -> tuple[Floats, Floats]:
    """Side and front of the bald head at angles and heights of one shape, in heads."""
    wide = np.interp(z, _HEAD[:, 0], _HEAD[:, 1])
    front = np.interp(z, _HEAD[:, 0], _HEAD[:, 2])
    back = np.interp(z, _HEAD[:, 0], _HEAD[:, 3])
    middle, depth = (front - back) / 2, (front + back) / 2
    return wide * np.sin(theta), middle - depth * np.cos(theta)


def sheets(build: Build, look: Look, frame: int, hair: Ints) -> list[Sheet]:
    """Head, ears, hair and hat.

    Args:
        build: proportions.
        look: hair and hat.
        frame: the head's.
        hair: frames from the head's own to an upright one, for hair that hangs.
    """
    scale = head_height(build)
    parts = [_skull(build), *_ears(), *_hair(look), *_hat(look)]
    made = []
    for local, tile, two_sided, closed in parts:
        made.append(
            Sheet(
                local * scale,
                _hung(local, hair) if tile == "hair" else np.full(len(local), frame),
                tile,
                closed=closed,
                two_sided=two_sided,
                v=_skull_v(local) if tile == "head" else None,
            )
        )
    return made


def _hung(local: Floats, hair: Ints) -> Ints:
    """Frames [rows] of hair: the lower a row's lowest point, the more upright."""
    low = np.clip((0.05 - local[..., 2].min(1)) / 0.55, 0, 1)
    return np.asarray(hair[np.round(low * (len(hair) - 1)).astype(np.int64)])


_Part = tuple[Floats, str, bool, bool]


def _skull_v(local: Floats) -> Floats:
    return np.clip(0.5 - local[:, 0, 2], 0, 1)


def _skull(build: Build) -> _Part:
    z = _SKULL_Z
    theta = angles(COLUMNS)
    grid_theta, grid_z = np.meshgrid(theta, z)
    side, front = surface(grid_theta, grid_z)
    off = grid_theta - np.pi
    ridge = np.interp(
        grid_z,
        [-0.20, -0.165, -0.135, -0.05, 0.03, 0.08],
        [0.0, 0.05, 0.085, 0.05, 0.012, 0.0],
    )
    front = front + ridge * np.exp(-((off / 0.16) ** 2))
    socket = np.exp(-(((np.abs(off) - 0.45) / 0.22) ** 2)) * np.exp(-(((grid_z - 0.0) / 0.05) ** 2))
    front = front - 0.022 * socket
    lips = np.exp(-((off / 0.25) ** 2)) * np.exp(-(((grid_z + 0.27) / 0.025) ** 2))
    front = front + 0.014 * lips
    jaw = 0.92 if build.female or build.child else 1.0
    side = np.where(grid_z < -0.1, side * (jaw + (1 - jaw) * (grid_z + 0.5) / 0.4), side)
    return np.stack([side, front, grid_z], axis=-1), "head", False, True


def _ears() -> list[_Part]:
    parts = []
    for sign in (1, -1):
        theta = angles(8)
        rise = np.array([-1.0, -0.7, 0.0, 0.6, 1.0])
        width = np.array([0.1, 0.55, 0.9, 1.0, 0.15])
        local = np.zeros((5, 9, 3))
        local[..., 0] = sign * (0.325 + 0.03 * rise[:, None] + 0.026 * np.sin(theta))
        local[..., 1] = -0.03 + 0.05 * width[:, None] * np.cos(theta) - 0.03 * rise[:, None]
        local[..., 2] = -0.06 + 0.125 * rise[:, None]
        parts.append((local, "ear", False, True))
    return parts


def _shell(low: Floats, thick: Floats, rows: int, hang: float = 1.0) -> Floats:
    """A layer on the skull from the height `low` of each angle up to the crown.

    Args:
        low: [columns + 1], in heads; may lie below the skull for hair that falls.
        thick: [rows, columns + 1] of it, in heads.
        rows: of the grid.
        hang: width of what falls below the eyes against the skull's there.
    """
    theta = angles(COLUMNS)
    share = np.linspace(0, 1, rows)[:, None] ** 0.9
    z = low[None, :] + (0.5 - low[None, :]) * share
    grid = np.broadcast_to(theta, z.shape)
    side, front = surface(grid, np.maximum(z, 0.0))
    close_side, close_front = surface(grid, np.clip(z, -0.3, 0.5))
    side = np.where(z < 0, hang * side + (1 - hang) * close_side, side)
    front = np.where(z < 0, hang * front + (1 - hang) * close_front, front)
    length = np.sqrt(side**2 + front**2 + np.maximum(z, 0) ** 2) + 0.03
    grow = 1 + thick / length
    return np.stack([side * grow, front * grow, np.where(z > 0, z * grow, z)], axis=-1)


def _hairline(front: float, temple: float, side: float, back: float, wide: float) -> Floats:
    """Heights [columns + 1] of the hair's lower edge; wide = how far the face is free, radians."""
    off = np.abs(angles(COLUMNS) - np.pi)
    at = [0.0, 0.55 * wide, wide, wide + 0.12, 1.75, 2.2, np.pi]
    heights = [front, front - 0.02, temple, side, side, back, back]
    return np.interp(off, at, heights)


def _hair(look: Look) -> list[_Part]:
    if look.hair is Hair.BALD:
        return []
    rng = np.random.default_rng(look.grain + 3)
    line = {
        Hair.CROPPED: _hairline(0.30, 0.20, -0.03, -0.28, 1.15),
        Hair.SHORT: _hairline(0.27, 0.16, -0.06, -0.32, 1.15),
        Hair.BOB: _hairline(0.29, 0.12, -0.42, -0.52, 1.0),
        Hair.LONG: _hairline(0.30, 0.10, -0.70, -1.0, 1.0),
        Hair.BUN: _hairline(0.27, 0.16, -0.08, -0.30, 1.15),
        Hair.TAIL: _hairline(0.27, 0.16, -0.08, -0.30, 1.15),
    }[look.hair]
    volume = {
        Hair.CROPPED: 0.02,
        Hair.SHORT: rng.uniform(0.045, 0.075),
        Hair.BOB: rng.uniform(0.06, 0.09),
        Hair.LONG: rng.uniform(0.05, 0.08),
    }.get(look.hair, 0.035)
    if look.hat is not Hat.NONE:
        volume = 0.006
    falls = look.hair in (Hair.LONG, Hair.BOB)
    rows = 13 if falls else 9
    theta = angles(COLUMNS)
    if falls:
        # No two strands are as long as each other; the front ones are shorter.
        ragged = np.interp(theta, theta[::4], rng.normal(0, 0.03, len(theta[::4])))
        ragged[-1] = ragged[0]
        line = line + np.where(line < 0, ragged, 0)
    share = np.linspace(0, 1, rows)[:, None]
    lumps = sum(
        np.sin(k * theta[None, :] + rng.uniform(0, 6.3) + rng.normal(0, 2) * share)
        for k in (3, 5, 8)
    )
    thick = volume * (0.35 + 0.65 * np.minimum(share / 0.25, 1))
    thick = thick * (1 + 0.13 * lumps * np.clip(3 - 3 * share, 0, 1))
    thick = thick * (1 + 0.4 * np.sin(share * np.pi * 0.5) ** 3)
    thick[:, -1] = thick[:, 0]
    shell = _shell(line, thick, rows, 0.93)
    if look.hair is Hair.LONG:
        # What falls lies on the back and the shoulders.
        low = np.clip(-shell[..., 2] - 0.25, 0, 1)
        shell[..., 1] -= 0.16 * low
        shell[..., 0] *= 1 - 0.05 * low
    parts: list[_Part] = [(shell, "hair", True, True)]
    if look.hair is Hair.BUN:
        parts.append((_ball(np.array([0.0, -0.43, 0.32]), 0.15), "hair", False, True))
    if look.hair is Hair.TAIL:
        parts.append((_tail(), "hair", False, True))
    return parts


def _ball(at: Floats, radius: float) -> Floats:
    theta = angles(10)
    polar = np.linspace(-np.pi / 2 + 0.05, np.pi / 2 - 0.05, 7)[:, None]
    ball = np.stack(
        np.broadcast_arrays(
            np.cos(polar) * np.sin(theta), -np.cos(polar) * np.cos(theta), np.sin(polar)
        ),
        axis=-1,
    )
    return np.asarray(at + radius * ball)


def _tail() -> Floats:
    theta = angles(8)
    s = np.linspace(0, 1, 8)
    radius = np.array([0.05, 0.07, 0.085, 0.085, 0.08, 0.07, 0.05, 0.01])
    local = np.zeros((8, 9, 3))
    local[..., 0] = radius[:, None] * np.sin(theta)
    local[..., 1] = (-0.40 - 0.16 * np.sin(s * 2.2))[:, None] - radius[:, None] * np.cos(theta)
    local[..., 2] = (0.2 - 0.85 * s**1.4)[:, None] + 0.3 * radius[:, None] * np.cos(theta)
    return local


def _hat(look: Look) -> list[_Part]:
    theta = angles(COLUMNS)
    flat = np.ones(COLUMNS + 1)
    off = np.abs(theta - np.pi)
    if look.hat is Hat.NONE:
        return []
    share = np.linspace(0, 1, 8)[:, None]
    if look.hat is Hat.BEANIE:
        line = np.interp(off, [0, 1.2, 1.8, np.pi], [0.17, 0.10, -0.06, -0.16])
        thick = 0.045 + 0.055 * share**2 + 0 * flat
        return [(_shell(line, thick, 8), "hat", False, True)]
    line = np.interp(off, [0, 1.2, np.pi], [0.20, 0.16, 0.0])
    parts: list[_Part] = [(_shell(line, 0.05 + 0.025 * share + 0 * flat, 8), "hat", False, True)]
    wide = (0.85, 0.26) if look.hat is Hat.CAP else (np.pi, 0.2)
    arc = np.linspace(np.pi - wide[0], np.pi + wide[0], 17)
    z = np.interp(np.abs(arc - np.pi), [0, 1.2, np.pi], [0.20, 0.16, 0.0]) + 0.01
    side, front = surface(arc, z)
    reach = np.linspace(0, 1, 4)[:, None]
    brim = 1.1 + wide[1] / 0.38 * reach * (
        np.cos((arc - np.pi) / wide[0] * 1.4) ** 0.5 if look.hat is Hat.CAP else 1.0
    )
    droop = z - 0.10 * reach * (wide[1] / 0.26)
    local = np.stack([side * brim, front * brim, droop + 0 * brim], axis=-1)
    parts.append((local, "hat", True, look.hat is Hat.BRIM))
    return parts
