"""What the close-up's network learns from: squares around people in rendered shops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.closeup import INPUT, LEAST_PX, Square, corners_of, near
from edge_agent.observations import Floats, Keypoint
from models.scene.reaching import Moment, Shelves, moments
from models.train.examples import recoloured

Rng = np.random.Generator

_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 92]
_LEAST_VISIBLE = 0.25
# A detector's box: its edges are off by this share of its sides (standard deviation), and it cuts
# arms that are held out off, more or less, so often.
_EDGES, _CUTS = 0.04, 0.35
# Room that such a cut leaves around head, shoulders and hips, shares of the sides.
_LEFT_OVER = np.array([0.3, 0.12])
_CORE = [Keypoint.NOSE, *Keypoint.TRUNK]
# The square itself is off by so much of its side, and its size by such a factor (logarithm).
_OFF, _RESIZED = 0.02, 0.06
_LEAST_BOX = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """One look.

    Args:
        planes: uint8 [6, 96, 96], as the unit makes them.
        palms: float32 [2, 2], x y of the left and the right, 0..1 of the square.
        past: bool [2], whether it is past the plane.
        depth: float32 [2], metres past it.
    """

    planes: NDArray[np.uint8]
    palms: NDArray[np.float32]
    past: NDArray[np.bool_]
    depth: NDArray[np.float32]


def write_shop(seed: int, folder: Path) -> Path:
    """Render the moments of a seed's shop; what is there already is kept."""
    path = folder / f"{seed}.npz"
    if not path.exists():
        known, found = moments(seed)
        all_moments = list(found)
        pictures = [cv2.imencode(".jpg", one.image, _QUALITY)[1].ravel() for one in all_moments]
        places = {f"shelf{i}": one for i, one in enumerate(known.shelves)}
        places |= {f"floor{i}": one for i, one in enumerate(known.floors)}
        aside = path.with_suffix(".part")
        with aside.open("wb") as file:
            np.savez(file, **places, **_columns(all_moments), **_joined(pictures))
        os.replace(aside, path)
    return path


_COLUMNS = ("boxes", "visible", "keypoints", "palms", "past", "depth")


def _columns(some: list[Moment]) -> dict[str, NDArray[np.generic]]:
    if not some:
        return {}
    found = {name: np.concatenate([getattr(one, name) for one in some]) for name in _COLUMNS}
    return found | {"people": np.array([len(one.boxes) for one in some])}


def _joined(pictures: list[NDArray[np.uint8]]) -> dict[str, NDArray[np.generic]]:
    ends = np.cumsum([0, *(len(one) for one in pictures)])
    return {"ends": ends, "pictures": np.concatenate([np.empty(0, np.uint8), *pictures])}


def read_shop(path: Path) -> tuple[Shelves, Iterator[Moment]]:
    """What `write_shop` wrote; pictures are unpacked one by one."""
    with np.load(path) as file:
        kept = dict(file)
    zones = range(sum(name.startswith("shelf") for name in kept))
    known = Shelves(
        tuple(kept[f"shelf{i}"] for i in zones), tuple(kept[f"floor{i}"] for i in zones)
    )
    return known, _unpacked(kept)


def _unpacked(kept: dict[str, NDArray[Any]]) -> Iterator[Moment]:
    ends, rows = kept["ends"].tolist(), np.cumsum([0, *kept.get("people", np.empty(0))])
    for (start, end), (first, last) in zip(
        pairwise(ends), pairwise(rows.astype(int).tolist()), strict=True
    ):
        image = cv2.imdecode(np.asarray(kept["pictures"][start:end], np.uint8), cv2.IMREAD_COLOR)
        assert image is not None, "it was packed here"
        columns = {name: kept[name][first:last] for name in _COLUMNS}
        yield Moment(np.asarray(image, np.uint8), **columns)


def examples(known: Shelves, some: Iterator[Moment], rng: Rng) -> Iterator[Example]:
    """Everybody near a shelf, as a detector may box them, recoloured, half of them mirrored."""
    for moment in some:
        size = moment.image.shape[1], moment.image.shape[0]
        for row in (moment.visible >= _LEAST_VISIBLE).nonzero()[0].tolist():
            for zone, (shelf, floor) in enumerate(zip(known.shelves, known.floors, strict=True)):
                box = _boxed(moment, row, rng)
                square = _moved(Square.around(box, size), rng)
                if (box[2:] - box[:2]).min() < _LEAST_BOX or square.side < LEAST_PX:
                    continue
                drawn = [square.drawn(one * size) for one in (shelf, floor, corners_of(box))]
                if not near(drawn[0]):
                    continue
                # The planes are blue, green, red as frames come; examples are recoloured as such.
                picture = recoloured(square.cut(moment.image), rng)
                planes = np.concatenate([picture.transpose(2, 0, 1), np.stack(drawn)])
                palms = (moment.palms[row] * size - (square.left, square.top)) / square.side
                if rng.random() < 0.5:
                    planes, palms[:, 0] = planes[:, :, ::-1], 1 - palms[:, 0]
                yield Example(
                    np.ascontiguousarray(planes), palms.astype(np.float32),
                    moment.past[row, zone], moment.depth[row, zone],
                )  # fmt: skip


def _boxed(moment: Moment, row: int, rng: Rng) -> Floats:
    box = moment.boxes[row].astype(np.float64)
    sides = box[2:] - box[:2]
    box += rng.normal(0, _EDGES, 4) * np.tile(sides, 2)
    core = moment.keypoints[row][_CORE]
    core = core[core[:, 2] > 0, :2]
    if rng.random() < _CUTS and len(core) > 2:
        share, room = rng.random(), _LEFT_OVER * sides
        low = (core.min(0) - room - box[:2]).clip(0)
        high = (box[2:] - core.max(0) - room).clip(0)
        box[:2] += share * low
        box[2] -= share * high[0]
    return box


def _moved(square: Square, rng: Rng) -> Square:
    off = rng.normal(0, _OFF, 2) * square.side
    side = square.side * float(np.exp(rng.normal(0, _RESIZED)))
    return Square(round(square.left + off[0]), round(square.top + off[1]), max(1, round(side)))


def blank() -> NDArray[np.uint8]:
    """Planes of nothing, uint8 [1, 6, 96, 96]: for the exporter."""
    return np.zeros((1, 6, INPUT, INPUT), np.uint8)
