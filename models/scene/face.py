"""A face, painted flat: around the head goes across the tile, chin to crown goes up."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike

from models.scene.look import Hair, Look
from models.scene.tiles import TILES, Floats32, skin, tile_rows

_Bgr = tuple[float, float, float]
_WIDTH, _HEIGHT = TILES["head"][2:]
_MARGIN = 4
# Angle from the nose, radians, and height, heads, of the eyes and the mouth.
_EYE, _MOUTH = (0.42, 0.0), (0.0, -0.275)


def face(look: Look, rng: np.random.Generator) -> Floats32:
    """The tile of a head, float32 [height, width, 3], BGR."""
    tile = skin(look.skin, "head", rng)
    tone = np.array(look.skin, np.float32)
    _shade(tile)
    for sign in (-1, 1):
        _eye(tile, sign, look)
    _mouth(tile, tone)
    if look.beard > 0.05:
        _beard(tile, look)
    if look.hair is not Hair.BALD:
        _scalp(tile, look)
    if look.glasses:
        for sign in (-1, 1):
            at = _at(_EYE[0] * sign, _EYE[1])
            cv2.ellipse(tile, (at, (21, 15), 0), (30.0, 28.0, 28.0), 2, cv2.LINE_AA)
    if look.mask is not None:
        _mask(tile, np.array(look.mask, np.float32))
    return tile


def _at(off: float, z: float) -> tuple[float, float]:
    """Tile pixel of an angle from the nose, radians, and a height over the eyes, heads."""
    return (
        _MARGIN + (0.5 + off / (2 * np.pi)) * (_WIDTH - 2 * _MARGIN - 1),
        _MARGIN + (0.5 - z) * (_HEIGHT - 2 * _MARGIN - 1),
    )


def _px(off: float, z: float) -> tuple[int, int]:
    x, y = _at(off, z)
    return round(x), round(y)


def _grid() -> tuple[Floats32, Floats32]:
    """Angle from the nose [1, width] and height in heads [height, 1] of the tile's pixels."""
    across = np.arange(_WIDTH, dtype=np.float32)[None, :]
    down = np.arange(_HEIGHT, dtype=np.float32)[:, None]
    off = np.abs(across - _WIDTH / 2) / (_WIDTH - 2 * _MARGIN - 1) * 2 * np.pi
    return off, 0.5 - (down - _MARGIN) / (_HEIGHT - 2 * _MARGIN - 1)


def _bgr(colour: ArrayLike) -> _Bgr:
    blue, green, red = np.asarray(colour, np.float64).tolist()
    return blue, green, red


def _mix(tile: Floats32, share: Floats32, colour: ArrayLike) -> None:
    """Lay a colour over the tile, share [height, width] of it 0..1."""
    tile *= 1 - share[..., None]
    tile += share[..., None] * np.asarray(colour, np.float32)


def _shade(tile: Floats32) -> None:
    """Redder cheeks and nose; darker sockets, underside of nose, lip and jaw."""
    red, dark = np.zeros((_HEIGHT, _WIDTH), np.uint8), np.zeros((_HEIGHT, _WIDTH), np.uint8)
    for off, z, size in ((0.6, -0.13, 16), (-0.6, -0.13, 16), (0.0, -0.14, 8)):
        cv2.circle(red, _px(off, z), size, (255.0,), -1)
    for off, z, size in ((0.42, 0.01, 11), (-0.42, 0.01, 11), (0.0, -0.20, 7), (0.0, -0.335, 8)):
        cv2.ellipse(dark, _px(off, z), (size, size // 2), 0, 0, 360, (255.0,), -1)
    layer = cv2.blur(cv2.blur(cv2.merge([red, dark]), (9, 9)), (7, 7))
    soft = layer.astype(np.float32) / 255
    tile *= 1 + soft[..., :1] * np.array([-0.10, -0.07, 0.02], np.float32)
    tile *= 1 - 0.20 * soft[..., 1:]
    tile[tile_rows("head", 0.93, 1.0)] *= 0.8


def _mouth(tile: Floats32, tone: Floats32) -> None:
    dark = tone[1] < 110
    lip = tone * np.array([0.7, 0.62, 0.82] if dark else [0.66, 0.58, 0.78], np.float32)
    cv2.ellipse(tile, (_at(*_MOUTH), (15, 7), 0), _bgr(lip), -1, cv2.LINE_AA)
    x, y = _px(*_MOUTH)
    cv2.line(tile, (x - 7, y), (x + 7, y), _bgr(lip * 0.6), 1, cv2.LINE_AA)
    x, y = _px(0, -0.175)
    for step in (-3, 3):
        cv2.circle(tile, (x + step, y), 1, _bgr(tone * 0.55), -1, cv2.LINE_AA)


def _eye(tile: Floats32, sign: int, look: Look) -> None:
    tone = np.array(look.skin, np.float32)
    white = np.minimum(tone * 0.4 + 140, 225)
    off, z = _EYE[0] * sign, _EYE[1]
    cv2.ellipse(tile, (_at(off, z), (14, 6.5), 0), _bgr(white), -1, cv2.LINE_AA)
    cv2.circle(tile, _px(off, z), 3, (30.0, 36.0, 44.0), -1, cv2.LINE_AA)
    cv2.ellipse(tile, _px(off, z), (8, 4), 0, 180, 360, (24.0, 26.0, 32.0), 2, cv2.LINE_AA)
    brow = np.minimum(np.array(look.hair_colour, np.float32) * 0.7 + tone * 0.12, 130)
    ends = (225, 330) if sign > 0 else (210, 315)
    x, y = _px(0.45 * sign, 0.07)
    cv2.ellipse(tile, (x, y + 5), (10, 7), 0, *ends, _bgr(brow), 2, cv2.LINE_AA)


def _beard(tile: Floats32, look: Look) -> None:
    off, z = _grid()
    edge = np.interp(off, [0, 0.3, 0.8, 1.4, 1.6], [-0.20, -0.20, -0.24, -0.02, 0.6])
    lips = (off / 0.28) ** 2 + ((z - _MOUTH[1]) / 0.035) ** 2 <= 1
    share = np.clip((edge - z) / 0.03, 0, 1) * ~lips * look.beard * 0.85
    _mix(tile, share.astype(np.float32), np.array(look.hair_colour) * 0.85)


def _scalp(tile: Floats32, look: Look) -> None:
    """Under the hair the scalp is dark, so that no skin gleams through at its edge."""
    off, z = _grid()
    edge = np.interp(off, [0, 0.8, 1.15, 1.3, 1.7, 2.2, 3.2], [0.31, 0.28, 0.2, 0, 0, -0.25, -0.3])
    share = np.clip((z - edge) / 0.04, 0, 1) * 0.8
    _mix(tile, share.astype(np.float32), look.hair_colour)


def _mask(tile: Floats32, colour: Floats32) -> None:
    left, top = _px(-0.95, -0.10)
    right, low = _px(0.95, -0.47)
    corners = [(left, top + 10), (_WIDTH // 2, top), (right, top + 10), (right - 8, low)]
    shape = np.array([*corners, (left + 8, low)], np.int32)
    cv2.fillPoly(tile, [shape], _bgr(colour))
    for y in np.linspace(top + 16, low - 12, 3).round().astype(int).tolist():
        cv2.line(tile, (left + 6, y), (right - 6, y), _bgr(colour * 0.9), 1)
