"""The picture that colours a person: skin, cloth, hair, a face, each on its own tile."""

from __future__ import annotations

import cv2
import numpy as np

from models.scene.face import face
from models.scene.limbs import leg_end, sleeve_end
from models.scene.look import Bag, Cloth, Colour, Look, Pattern
from models.scene.tiles import (
    SIZE,
    TILES,
    Floats32,
    Picture,
    flat,
    noise,
    skin,
    tile_rows,
    tile_size,
)
from models.scene.torso import waist

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
    relief = _relief(rng)
    tiles = {
        "trunk": _trunk(look, rng),
        "head": face(look, rng),
        "hem": _hem(look),
        "skirt": _cloth(look.bottom, "skirt"),
        "hair": _hair(look.hair_colour, "hair", rng),
        "arm": _sleeve(look, rng),
        "leg": _leg(look, rng),
        "hand": _hand(look, rng),
        "shoe": _shoe(look),
        "bag": _bag(look),
        "neck": skin(look.skin, "neck", rng) * 0.9,
        "hood": _cloth(look.top, "hood"),
        "ear": skin(look.skin, "ear", rng) * np.array([0.9, 0.92, 1.02], np.float32),
        "black": np.full((32, 32, 3), 28, np.float32),
        "hat": _cloth(Cloth(look.hat_colour), "hat"),
    }
    for name, tile in tiles.items():
        x, y, width, height = TILES[name]
        if name not in ("head", "hair", "ear", "black"):
            tile = tile * relief[y : y + height, x : x + width]
        sheet[y : y + height, x : x + width] = tile
    return np.clip(sheet, 0, 255).astype(np.uint8)


def levels(atlas: Picture, count: int = 3) -> list[Picture]:
    """The atlas, then at half its size, a quarter, ..: for smaller and smaller figures."""
    made = [atlas]
    for level in range(1, count):
        size = (SIZE[0] >> level, SIZE[1] >> level)
        made.append(cv2.resize(atlas, size, interpolation=cv2.INTER_AREA))  # type: ignore[arg-type]
    return made


def _relief(rng: np.random.Generator) -> Floats32:
    """Creases and weave over the whole sheet, about 1, [height, width, 1]."""
    relief = 1 + 0.034 * noise(rng, SIZE, (14, 18)) + 0.012 * noise(rng, SIZE, (48, 26))
    relief += 0.022 * noise(rng, SIZE, (128, 144))
    return relief[..., None]


def _cloth(cloth: Cloth, name: str) -> Floats32:
    if cloth.pattern in (Pattern.PLAIN, Pattern.LOGO):
        return flat(cloth.colour, name)
    width, height = tile_size(name)
    across, down = _SPANS[name]
    x = np.linspace(0, across, width, dtype=np.float32)[None, :]
    y = np.linspace(0, down, height, dtype=np.float32)[:, None]
    share = _pattern(cloth.pattern, x, y)
    colour = np.array(cloth.colour, np.float32) * (1 - share) + share * np.array(
        cloth.second, np.float32
    )
    return np.asarray(colour, np.float32)


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


def _trunk(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _cloth(look.top, "trunk")
    height, width = tile.shape[:2]
    belt = (waist(look) + 0.2) / 1.26
    tile[: tile_rows("trunk", 0, belt).stop] = _cloth(look.bottom, "trunk")[
        : tile_rows("trunk", 0, belt).stop
    ]
    if look.hem < 0:
        tile[tile_rows("trunk", belt - 0.035, belt)] = (36, 40, 46)
    if look.top.pattern is Pattern.LOGO:
        _logo(tile, look, rng)
    if look.open_front:
        _placket(tile, look, rng)
    collar = tile_rows("trunk", 0.925, 1.0).start
    if look.sleeve < 0.6 or not look.open_front:
        # The neckline: skin in an oval, lower at the front.
        u = np.abs(np.linspace(-1, 1, width))
        dip = 0.035 * np.exp(-((u / 0.22) ** 2)) * height
        bare = np.arange(height)[:, None] - (collar + 4 - dip)[None, :]
        share = np.clip(bare, 0, 1).astype(np.float32)[..., None]
        tile += share * (0.93 * skin(look.skin, "trunk", rng) - tile)
        seam = (np.abs(bare + 1) < 1)[..., None]
        tile *= np.where(seam, np.float32(0.85), np.float32(1))
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
    low = tile_rows("trunk", (waist(look) + 0.2) / 1.26, 1).start
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


def _hem(look: Look) -> Floats32:
    tile = _cloth(look.top, "hem")
    tile[-7:-4] *= 0.85
    if look.open_front and look.hem > 0.04:
        middle = tile.shape[1] // 2
        tile[:, middle : middle + 2] *= 0.7
    return tile


def _sleeve(look: Look, rng: np.random.Generator) -> Floats32:
    tile = _cloth(look.top, "arm")
    end = tile_rows("arm", 0, sleeve_end(look) / 2.05).stop
    tile[end:] = skin(look.skin, "arm", rng)[end:]
    tile[max(0, end - 2) : end] *= 0.82
    return tile


def _leg(look: Look, rng: np.random.Generator) -> Floats32:
    tile = skin(look.skin, "leg", rng)
    if look.cover > 0:
        end = tile_rows("leg", 0, leg_end(look) / 2.05).stop
        tile[:end] = _cloth(look.bottom, "leg")[:end]
        # Worn cloth is paler on the thigh, darker in the seam.
        tile[:end] *= (1 + 0.08 * np.linspace(1, -1, end, dtype=np.float32))[:, None, None]
        tile[max(0, end - 2) : end] *= 0.8
    return tile


def _hand(look: Look, rng: np.random.Generator) -> Floats32:
    tile = skin(look.skin, "hand", rng) * np.array([0.94, 0.96, 1.0], np.float32)
    fingers = tile_rows("hand", 0.62, 1.0)
    for u in (0.12, 0.25, 0.38, 0.62, 0.75, 0.88):
        x = round(u * 48)
        tile[fingers, x : x + 1] *= 0.72
    return tile


def _shoe(look: Look) -> Floats32:
    tile = flat(look.shoe, "shoe")
    # Across the tile runs the ring: 0 and 1 are the sole, the middle is the top.
    sole = np.abs(np.linspace(-1, 1, 64)) > 0.62
    tile[:, sole] = np.array(look.sole, np.float32)
    laces = tile_rows("shoe", 0.42, 0.62)
    tile[laces, 28:36] *= 0.75
    return np.asarray(tile, np.float32)


def _bag(look: Look) -> Floats32:
    tile = _cloth(Cloth(look.bag_colour), "bag")
    tile[30:32] *= 0.7
    tile[:, [10, 11, 84, 85]] *= 0.8
    return tile


def _hair(colour: Colour, name: str, rng: np.random.Generator) -> Floats32:
    width, height = tile_size(name)
    strands = (
        noise(rng, (width, height), (48, 2)) * 0.10 + noise(rng, (width, height), (14, 2)) * 0.08
    )
    # Towards the crown, where all strands meet, none stands out.
    strands *= np.clip(2.2 - 2.2 * np.linspace(0, 1, height, dtype=np.float32), 0, 1)[:, None]
    tile = flat(colour, name) * (1 + strands)[..., None] + 6 * strands[..., None]
    return np.asarray(tile, np.float32)
