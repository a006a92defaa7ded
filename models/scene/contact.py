"""A contact sheet: one busy frame of each of some shops."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import StorageError
from models.scene.stage import Painter, set_stage, tell
from models.scene.story import Traffic

_COLUMNS = 4
_CELL = (400, 225)
# A docs folder takes this much of a picture, bytes.
_MOST_BYTES = 400_000
# Of each shop so many seconds are looked at, one frame every so many.
_SECONDS, _EVERY_S = 40, 2


def contact_sheet(path: Path, seeds: Sequence[int]) -> None:
    """Draw the sheet.

    Args:
        path: .jpg or .png; written aside, then renamed.
        seeds: of the shops, row by row.

    Raises:
        StorageError: the file cannot be written.
    """
    cells = [cv2.resize(_busiest(seed), _CELL, interpolation=cv2.INTER_AREA) for seed in seeds]
    blank = np.full((_CELL[1], _CELL[0], 3), 255, np.uint8)
    cells += [blank] * (-len(cells) % _COLUMNS)
    rows = [np.hstack(cells[i : i + _COLUMNS]) for i in range(0, len(cells), _COLUMNS)]
    packed = _packed(np.vstack(rows), path.suffix.lower() or ".jpg")
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_bytes(packed)
        os.replace(aside, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}; name another file") from None


def _packed(sheet: NDArray[np.uint8], suffix: str) -> bytes:
    """The picture's file, at the best quality that is small enough."""
    if suffix != ".jpg":
        return bytes(cv2.imencode(suffix, sheet)[1])
    for quality in range(92, 40, -4):
        packed = bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
        if len(packed) <= _MOST_BYTES:
            break
    return packed


def _busiest(seed: int) -> NDArray[np.uint8]:
    """The frame in which most people are well seen."""
    stage = set_stage(seed)
    painter = Painter(stage, tell(stage, Traffic(), _SECONDS))
    best: tuple[int, NDArray[np.uint8]] | None = None
    for index in range(_SECONDS // _EVERY_S):
        image, labels = painter.frame(index, float(index * _EVERY_S))
        seen = int((labels.visible > 0.6).sum())
        if best is None or seen > best[0]:
            best = (seen, image)
    assert best is not None
    return best[1]
