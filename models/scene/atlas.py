"""The picture that colours a person: skin, cloth, hair, a face, each on its own tile."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.limbs import leg_end, sleeve_end
from models.scene.look import Bag, Cloth, Colour, Hair, Look, Pattern
from models.scene.torso import waist

Floats32 = NDArray[np.float32]
Picture = NDArray[np.uint8]

# x, y, width, height.
TILES: dict[str, tuple[int, int, int, int]] = {
    "trunk": (0, 0, 192, 144),
    "head": (192, 0, 192, 160),
    "hem": (0, 144, 192, 112),
    "skirt": (192, 160, 192, 96),
    "hair": (0, 256, 128, 96),
    "arm": (128, 256, 64, 128),
    "leg": (192, 256, 64, 128),
    "hand": (256, 256, 48, 48),
    "shoe": (304, 256, 64, 64),
    "bag": (256, 320, 96, 64),
    "neck": (0, 352, 64, 32),
    "hood": (64, 352, 64, 32),
    "ear": (352, 320, 32, 32),
    "black": (352, 352, 32, 32),
    "hat": (0, 384, 96, 48),
}
SIZE = (384, 432)
# Metres of cloth that a whole tile shows, across and down: patterns keep their size on all.
_SPANS = {
    "trunk": (1.0, 0.66),
    "hem": (1.1, 0.4),
    "skirt": (1.1, 0.5),
    "arm": (0.3, 0.6),
    "leg": (0.45, 0.9),
    "hood": (0.4, 0.2),
    "hat": (0.6, 0.2),
    "bag": (0.8, 0.5),
}


def paint(look: Look) -> Picture:
    """The atlas of a look, uint8 [432, 384, 3], BGR."""
    rng = np.random.default_rng(look.grain + 2)
    sheet = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    tiles = {
        "trunk": _trunk(look, rng),
        "head": _head(look, rng),
        "hem": _hem(look, rng),
        "skirt": _cloth(look.bottom, "skirt", rng),
        "hair": _hair(look.hair_colour, "hair", rng),
        "arm": _sleeve(look, rng),
        "leg": _leg(look, rng),
        "hand": _hand(look, rng),
        "shoe": _shoe(look, rng),
        "bag": _bag(look, rng),
        "neck": _skin(look.skin, "neck", rng) * 0.9,
        "hood": _cloth(look.top, "hood", rng),
        "ear": _skin(look.skin, "ear", rng) * np.array([0.9, 0.92, 1.02], np.float32),
        "black": np.full((32, 32, 3), 28, np.float32),
        "hat": _cloth(Cloth(look.hat_colour), "hat", rng),
    }
    for name, tile in tiles.items():
        x, y, width, height = TILES[name]
        sheet[y : y + height, x : x + width] = tile
    return np.clip(sheet, 0, 255).astype(np.uint8)


def levels(atlas: Picture, count: int = 4) -> list[Picture]:
    """The atlas, and the same blurred for smaller and smaller figures, all of one size."""
    made = [atlas]
    for level in range(1, count):
        made.append(cv2.GaussianBlur(atlas, (0, 0), 0.55 * 2**level))  # type: ignore[arg-type]
    return made


def _noise(rng: np.random.Generator, size: tuple[int, int], cells: tuple[int, int]) -> Floats32:
    """Smooth noise of deviation 1, [height, width], about `cells` bumps across and down."""
    width, height = size
    coarse = rng.normal(0, 1, (cells[1] + 3, cells[0] + 3)).astype(np.float32)
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine / max(float(fine.std()), 1e-6), np.float32)


def _size(name: str) -> tuple[int, int]:
    return TILES[name][2], TILES[name][3]


def _flat(colour: Colour, name: str) -> Floats32:
    width, height = _size(name)
    return np.broadcast_to(np.array(colour, np.float32), (height, width, 3)).copy()


def _skin(colour: Colour, name: str, rng: np.random.Generator) -> Floats32:
    tone = 1 + 0.03 * _noise(rng, _size(name), (6, 6))
    return _flat(colour, name) * tone[..., None]


def _cloth(cloth: Cloth, name: str, rng: np.random.Generator) -> Floats32:
    width, height = _size(name)
    across, down = _SPANS[name]
    x = np.linspace(0, across, width, dtype=np.float32)[None, :]
    y = np.linspace(0, down, height, dtype=np.float32)[:, None]
    share = _pattern(cloth.pattern, x, y)
    colour = np.array(cloth.colour, np.float32) * (1 - share) + share * np.array(
        cloth.second, np.float32
    )
    crease = 1 + 0.045 * _noise(rng, (width, height), (7, 5)) + 0.03 * _noise(
        rng, (width, height), (16, 6)
    )
    weave = 1 + 0.02 * rng.normal(0, 1, (height, width)).astype(np.float32)
    return np.asarray(colour * (crease * weave)[..., None], np.float32)


def _pattern(pattern: Pattern, x: Floats32, y: Floats32) -> Floats32:
    """Share of the second colour at metres x [1, w] and y [h, 1]: [h, w, 1]."""
    none = np.zeros((y.shape[0], x.shape[1], 1), np.float32)
    if pattern is Pattern.HOOPS:
        return none + (np.mod(y, 0.07) < 0.03)[..., None]
    if pattern is Pattern.PINSTRIPES:
        return none + 0.8 * (np.mod(x, 0.042) < 0.014)[..., None]
    if pattern is Pattern.CHECKS:
        return none + 0.45 * ((np.mod(x, 0.08) < 0.04) * 1.0 + (np.mod(y, 0.08) < 0.04))[..., None]
    if pattern is Pattern.DOTS:
        dots = (np.mod(x, 0.05) - 0.025) ** 2 + (np.mod(y, 0.05) - 0.025) ** 2
        return none + (dots < 0.011**2)[..., None]
    return none


def _rows(name: str, low: float, high: float) -> slice:
    """Tile rows for a share of its height, margins taken off."""
    height = TILES[name][3]
    inner = height - 9
    return slice(max(0, round(4 + low * inner)), min(height, round(4 + high * inner)))


def _trunk(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _cloth(look.top, "trunk", rng)
    height, width = tile.shape[:2]
    belt = (waist(look) + 0.2) / 1.26
    tile[: _rows("trunk", 0, belt).stop] = _cloth(look.bottom, "trunk", rng)[
        : _rows("trunk", 0, belt).stop
    ]
    if look.hem < 0:
        tile[_rows("trunk", belt - 0.035, belt)] = (36, 40, 46)
    if look.top.pattern is Pattern.LOGO:
        _logo(tile, look, rng)
    if look.open_front:
        _placket(tile, look, rng)
    collar = _rows("trunk", 0.925, 1.0).start
    if look.sleeve < 0.6 or not look.open_front:
        # The neckline: skin in an oval, lower at the front.
        u = np.abs(np.linspace(-1, 1, width))
        dip = 0.035 * np.exp(-((u / 0.22) ** 2)) * height
        rows = np.arange(height)[:, None] > (collar + 4 - dip)[None, :]
        tile[rows] = _skin(look.skin, "trunk", rng)[rows] * 0.93
    else:
        tile[collar - 2 :] *= 0.88
        middle = slice(round(0.47 * width), round(0.53 * width))
        tile[collar - 5 :, middle] = np.array(look.skin, np.float32) * 0.9
    if look.bag is not Bag.NONE:
        _straps(tile, look)
    return tile


def _logo(tile: Floats32, look: Look, rng: np.random.Generator) -> None:
    height, width = tile.shape[:2]
    at = (round(0.5 * width), round(0.66 * height))
    colour = tuple(float(c) for c in look.top.second)
    if rng.random() < 0.5:
        cv2.circle(tile, at, round(0.05 * width), colour, -1, cv2.LINE_AA)
        return
    for k in range(int(rng.integers(1, 4))):
        half = round(rng.uniform(0.03, 0.08) * width)
        top = at[1] - 8 + 7 * k
        cv2.rectangle(tile, (at[0] - half, top), (at[0] + half, top + 4), colour, -1)


def _placket(tile: Floats32, look: Look, rng: np.random.Generator) -> None:
    """Buttons, a zip, or an open front with another colour beneath."""
    height, width = tile.shape[:2]
    low = _rows("trunk", (waist(look) + 0.2) / 1.26, 1).start
    middle = width // 2
    if look.ease > 0.45 and rng.random() < 0.6:
        under = np.array(look.top.second, np.float32)
        half = round(width * rng.uniform(0.02, 0.055))
        tile[low:, middle - half : middle + half] = under
        for edge in (middle - half - 2, middle + half):
            tile[low:, edge : edge + 2] *= 0.65
        return
    tile[low:, middle : middle + 2] *= 0.7
    for y in range(low + 6, height - 12, 12):
        cv2.circle(tile, (middle + 2, y), 1, (210.0, 210.0, 210.0), -1)


def _straps(tile: Floats32, look: Look) -> None:
    height, width = tile.shape[:2]
    colour = tuple(float(c) * 0.8 for c in look.bag_colour)
    if look.bag is Bag.BACKPACK:
        for u in (0.41, 0.59):
            x = round(u * width)
            cv2.line(tile, (x, round(0.5 * height)), (x, round(0.93 * height)), colour, 6)
        return
    left = look.grain % 2 == 1
    start = (round((0.7 if left else 0.3) * width), round(0.93 * height))
    end = (round((0.3 if left else 0.7) * width), round(0.2 * height))
    cv2.line(tile, start, end, colour, 4)


def _hem(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _cloth(look.top, "hem", rng)
    tile[-7:-4] *= 0.85
    if look.open_front and look.hem > 0.04:
        middle = tile.shape[1] // 2
        tile[:, middle : middle + 2] *= 0.7
    return tile


def _sleeve(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _cloth(look.top, "arm", rng)
    end = _rows("arm", 0, sleeve_end(look) / 2.05).stop
    tile[end:] = _skin(look.skin, "arm", rng)[end:]
    tile[max(0, end - 2) : end] *= 0.82
    return tile


def _leg(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _skin(look.skin, "leg", rng)
    if look.cover > 0:
        end = _rows("leg", 0, leg_end(look) / 2.05).stop
        tile[:end] = _cloth(look.bottom, "leg", rng)[:end]
        # Worn cloth is paler on the thigh, darker in the seam.
        tile[:end] *= (1 + 0.08 * np.linspace(1, -1, end, dtype=np.float32))[:, None, None]
        tile[max(0, end - 2) : end] *= 0.8
    return tile


def _hand(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _skin(look.skin, "hand", rng) * np.array([0.94, 0.96, 1.0], np.float32)
    fingers = _rows("hand", 0.62, 1.0)
    for u in (0.12, 0.25, 0.38, 0.62, 0.75, 0.88):
        x = round(u * 48)
        tile[fingers, x : x + 1] *= 0.72
    return tile


def _shoe(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _flat(look.shoe, "shoe") * (1 + 0.05 * _noise(rng, (64, 64), (5, 5)))[..., None]
    # Across the tile runs the ring: 0 and 1 are the sole, the middle is the top.
    sole = np.abs(np.linspace(-1, 1, 64)) > 0.62
    tile[:, sole] = np.array(look.sole, np.float32)
    laces = _rows("shoe", 0.42, 0.62)
    tile[laces, 28:36] *= 0.75
    return np.asarray(tile, np.float32)


def _bag(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _cloth(Cloth(look.bag_colour), "bag", rng)
    tile[30:32] *= 0.7
    tile[:, [10, 11, 84, 85]] *= 0.8
    return tile


def _hair(colour: Colour, name: str, rng: np.random.Generator) -> Floats32:
    width, height = _size(name)
    strands = _noise(rng, (width, height), (48, 2)) * 0.10 + _noise(rng, (width, height), (14, 2)) * 0.08
    tile = _flat(colour, name) * (1 + strands)[..., None] + 6 * strands[..., None]
    return np.asarray(tile, np.float32)


def _head(look: Look, rng: np.random.Generator) -> Floats32:
    """The face, around u = 0.5, eyes half way down."""
    tile = _skin(look.skin, "head", rng)
    height, width = tile.shape[:2]
    dark = look.skin[1] < 110

    def at(off: float, z: float) -> tuple[float, float]:
        """Tile pixel of an angle from the nose, radians, and a height, heads."""
        return (
            4 + (0.5 + off / (2 * np.pi)) * (width - 9),
            4 + (0.5 - z) * (height - 9),
        )

    skin = np.array(look.skin, np.float32)
    _blush(tile, at, skin)
    for sign in (-1, 1):
        _eye(tile, at, sign, look, rng)
    lip = skin * np.array([0.66, 0.58, 0.78] if not dark else [0.7, 0.62, 0.82], np.float32)
    x, y = at(0, -0.275)
    cv2.ellipse(tile, ((x, y), (15, 7), 0), _bgr(lip), -1, cv2.LINE_AA)
    cv2.line(tile, _px(x - 7, y), _px(x + 7, y), _bgr(lip * 0.6), 1, cv2.LINE_AA)
    x, y = at(0, -0.175)
    for step in (-3, 3):
        cv2.circle(tile, _px(x + step, y), 1, _bgr(skin * 0.55), -1, cv2.LINE_AA)
    if look.beard > 0.05:
        _beard(tile, at, look, rng)
    if look.hair is not Hair.BALD:
        _stubble(tile, at, look)
    if look.glasses:
        for sign in (-1, 1):
            x, y = at(0.42 * sign, 0.0)
            cv2.ellipse(tile, ((x, y), (21, 15), 0), (30.0, 28.0, 28.0), 2, cv2.LINE_AA)
    if look.mask is not None:
        top, low = at(0, -0.10)[1], at(0, -0.47)[1]
        left, right = at(-0.95, 0)[0], at(0.95, 0)[0]
        corners = np.array(
            [(left, top + 10), (width / 2, top), (right, top + 10), (right - 8, low), (left + 8, low)]
        )
        cv2.fillPoly(tile, [np.round(corners).astype(np.int32)], _bgr(np.array(look.mask)))
        for y in np.linspace(top + 16, low - 12, 3):
            cv2.line(tile, _px(left + 6, y), _px(right - 6, y), _bgr(np.array(look.mask) * 0.9), 1)
    return tile


def _px(x: float, y: float) -> tuple[int, int]:
    return round(x), round(y)


def _bgr(colour: NDArray[np.floating] | NDArray[np.integer]) -> tuple[float, float, float]:  # type: ignore[type-arg]
    return float(colour[0]), float(colour[1]), float(colour[2])


def _blush(tile: Floats32, at, skin: Floats32) -> None:  # type: ignore[no-untyped-def]
    """Redder cheeks and nose, a shaded neck side of the jaw, darker eye sockets."""
    layer = np.zeros(tile.shape[:2], np.float32)
    for off, z, size in ((0.6, -0.13, 16), (-0.6, -0.13, 16), (0, -0.14, 8)):
        x, y = at(off, z)
        cv2.circle(layer, _px(x, y), size, 1.0, -1)
    layer = cv2.GaussianBlur(layer, (0, 0), 6)[..., None]
    tile *= 1 + layer * np.array([-0.10, -0.07, 0.02], np.float32)
    shade = np.zeros(tile.shape[:2], np.float32)
    for off, z, size in ((0.42, 0.01, 11), (-0.42, 0.01, 11), (0, -0.20, 7), (0, -0.335, 8)):
        x, y = at(off, z)
        cv2.ellipse(shade, (_px(x, y)), (size, size // 2), 0, 0, 360, 1.0, -1)
    tile *= 1 - 0.20 * cv2.GaussianBlur(shade, (0, 0), 3)[..., None]
    below = _rows("head", 0.93, 1.0)
    tile[below] *= 0.8


def _eye(tile: Floats32, at, sign: int, look: Look, rng: np.random.Generator) -> None:  # type: ignore[no-untyped-def]
    x, y = at(0.42 * sign, 0.0)
    white = np.minimum(np.array(look.skin, np.float32) * 0.4 + 140, 225)
    cv2.ellipse(tile, ((x, y), (14, 6.5), 0), _bgr(white), -1, cv2.LINE_AA)
    cv2.circle(tile, _px(x, y), 3, (30.0, 36.0, 44.0), -1, cv2.LINE_AA)
    cv2.ellipse(tile, _px(x, y), (8, 4), 0, 180, 360, (24.0, 26.0, 32.0), 2, cv2.LINE_AA)
    brow = np.array(look.hair_colour, np.float32) * 0.7 + np.array(look.skin, np.float32) * 0.12
    x, y = at(0.43 * sign, 0.085)
    cv2.ellipse(tile, _px(x, y + 3), (11, 6), 0, 205, 335, _bgr(np.minimum(brow, 120)), 3, cv2.LINE_AA)


def _beard(tile: Floats32, at, look: Look, rng: np.random.Generator) -> None:  # type: ignore[no-untyped-def]
    height, width = tile.shape[:2]
    off = np.abs((np.arange(width) - width / 2) / (width - 9) * 2 * np.pi)[None, :]
    z = (0.5 - (np.arange(height) - 4) / (height - 9))[:, None]
    edge = np.interp(off, [0, 0.3, 0.8, 1.4, 1.6], [-0.20, -0.20, -0.24, -0.02, 0.6])
    grown = np.clip((edge - z) / 0.03, 0, 1)
    lips = ((off / 0.28) ** 2 + ((z + 0.275) / 0.035) ** 2 > 1) * 1.0
    share = np.asarray(grown * lips * look.beard * 0.85, np.float32)[..., None]
    tile *= 1 - share
    tile += share * np.array(look.hair_colour, np.float32) * 0.85


def _stubble(tile: Floats32, at, look: Look) -> None:  # type: ignore[no-untyped-def]
    """Under the hair the scalp is dark, so that no skin gleams through at its edge."""
    height, width = tile.shape[:2]
    off = np.abs((np.arange(width) - width / 2) / (width - 9) * 2 * np.pi)[None, :]
    z = (0.5 - (np.arange(height) - 4) / (height - 9))[:, None]
    edge = np.interp(off, [0, 0.8, 1.15, 1.3, 1.7, 2.2, 3.2], [0.31, 0.28, 0.2, 0.0, 0.0, -0.25, -0.3])
    share = np.asarray(np.clip((z - edge) / 0.04, 0, 1) * 0.8, np.float32)[..., None]
    tile *= 1 - share
    tile += share * np.array(look.hair_colour, np.float32)
