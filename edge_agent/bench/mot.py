"""MOTChallenge text: one line a box, ``frame,id,x,y,width,height,score,...``, frames from 1.

Milan et al., "MOT16: a benchmark for multi-object tracking", 2016, section 3.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from edge_agent.errors import InputError
from edge_agent.observations import Floats

# In a truth file of MOT16 and later: the box counts, and its class is pedestrian.
_COUNTS, _PEDESTRIAN = 1, 1


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Args:
        frame: 1 or more.
        id: of the person; -1 in a detections file.
        box: x, y, width, height, pixels; the corner may lie outside the picture.
        score: of a detection, or 1 and 0 in a truth file for "counts" and "does not".
        kind: class of a truth row, if the file has that column.
    """

    frame: int
    id: int
    box: tuple[float, float, float, float]
    score: float
    kind: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """The boxes of one frame.

    Args:
        ids: int64 [N].
        boxes: float64 [N, 4], x0 y0 x1 y1, pixels.
        scores: float64 [N].
    """

    ids: np.ndarray[tuple[int], np.dtype[np.int64]]
    boxes: Floats
    scores: Floats


Sequence = dict[int, Boxes]


def read(path: Path) -> list[Row]:
    """Every row of a file, in the file's order.

    Raises:
        InputError: the file cannot be read or a line is no row; names file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as MOTChallenge text: {error}") from error
    return list(_rows(path, text.splitlines()))


def _rows(path: Path, lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _row(line)
        except ValueError as error:
            raise InputError(
                f"{path}, line {number}: {error}; expected frame,id,x,y,width,height,score"
            ) from error


def _row(line: str) -> Row:
    cells = [float(cell) for cell in line.split(",") if cell.strip()]
    if len(cells) < 7:
        raise ValueError(f"{len(cells)} columns where at least 7 are needed")
    if not all(map(isfinite, cells)):
        raise ValueError("a value is not finite")
    frame, who, x, y, width, height, score = cells[:7]
    if frame < 1 or frame != int(frame):
        raise ValueError(f"frame {frame:g} is no whole number from 1 up")
    if width <= 0 or height <= 0:
        raise ValueError(f"a box of {width:g} x {height:g} has no size")
    kind = int(cells[7]) if len(cells) > 7 else None
    return Row(int(frame), int(who), (x, y, width, height), score, kind)


def truth(rows: Iterable[Row]) -> list[Row]:
    """Those rows of a truth file that count: flag 1 and, where a class is given, pedestrian."""
    return [r for r in rows if r.score == _COUNTS and r.kind in (None, -1, _PEDESTRIAN)]


def by_frame(rows: Iterable[Row]) -> Sequence:
    """Rows sorted into frames; frames without rows are absent."""
    frames: dict[int, list[Row]] = {}
    for row in rows:
        frames.setdefault(row.frame, []).append(row)
    return {frame: _boxes(some) for frame, some in sorted(frames.items())}


def _boxes(rows: list[Row]) -> Boxes:
    boxes = np.array([row.box for row in rows])
    boxes[:, 2:] += boxes[:, :2]
    return Boxes(
        np.array([row.id for row in rows], dtype=np.int64),
        boxes,
        np.array([row.score for row in rows]),
    )


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write rows sorted by frame, then id, to a hundredth of a pixel.

    Raises:
        InputError: the file cannot be written.
    """
    lines = [
        "{},{},{:.2f},{:.2f},{:.2f},{:.2f},{:.4f},-1,-1,-1\n".format(
            row.frame, row.id, *row.box, row.score
        )
        for row in sorted(rows, key=lambda row: (row.frame, row.id))
    ]
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from error
