"""What is truly to be seen in each frame: labels.npz of a rendered scene, MOT ground truth."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.bench import mot
from edge_agent.errors import InputError
from models.evaluate.matching import Floats, Found, People

_ARRAYS = ("frame", "person", "boxes", "visible", "keypoints", "size", "fps")
# MOT16 and later: people who are no walking pedestrians, and what looks like people; a tracker
# may find them or not (Milan et al. 2016, table 3 and section 4.1: vehicle riders, static people,
# distractors, reflections).
_MOT_IGNORED = frozenset((2, 7, 8, 12))
_MOT_VISIBILITY = 8
_TUD_SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class Filter:
    """Who counts; all others are ignore regions.

    Args:
        min_height: of the whole box within the picture, pixels.
        min_visible: of the person, 0..1.
    """

    min_height: float = 0.0
    min_visible: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Every person of every frame of a clip.

    Args:
        frame: int64 [M], from 0.
        boxes: float64 [M, 4], x0 y0 x1 y1, fractions: the whole person, cut at the border.
        visible: float64 [M], 0..1.
        keypoints: float64 [M, 17, 3], x y fractions, 0 = not labelled, 1 = hidden, 2 = visible.
        size: width and height, pixels.
        fps: of the clip.
    """

    frame: NDArray[np.int64]
    boxes: Floats
    visible: Floats
    keypoints: Floats
    size: tuple[int, int]
    fps: float

    def people(self, frame: int, which: Filter) -> People:
        """The people of one frame."""
        rows = np.flatnonzero(self.frame == frame)
        boxes = self.boxes[rows]
        tall = (boxes[:, 3] - boxes[:, 1]) * self.size[1] >= which.min_height
        counts = tall & (self.visible[rows] >= which.min_visible)
        return People(boxes, ~counts, self.keypoints[rows])


def load_labels(path: Path) -> Labels:
    """Read labels.npz.

    Raises:
        InputError: missing, broken, or not what `models scene` writes; names the array.
    """
    try:
        # Opened here: numpy leaves a file open that turns out to be broken.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
    except KeyError as error:
        raise InputError(f"{path}: {error.args[0]}; is it one that `models scene` wrote?") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: cannot be read as labels: {error}") from error
    rows = len(arrays["frame"]) if arrays["frame"].ndim == 1 else -1
    shapes = {
        "frame": (rows,), "person": (rows,), "boxes": (rows, 4), "visible": (rows,),
        "keypoints": (rows, 17, 3), "size": (2,),
    }  # fmt: skip
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise InputError(
                f"{path}: {name} is {list(arrays[name].shape)}, {list(shape)} is wanted; "
                "make it anew with `models scene`"
            )
    width, height = (int(value) for value in arrays["size"])
    return Labels(
        arrays["frame"].astype(np.int64),
        arrays["boxes"].astype(np.float64),
        arrays["visible"].astype(np.float64),
        arrays["keypoints"].astype(np.float64),
        (width, height),
        float(arrays["fps"]),
    )


def mot_pairs(folder: Path, which: Filter) -> Iterator[tuple[Found, People]]:
    """The detections that come with a MOT sequence (det.txt) beside its truth, frame by frame.

    Raises:
        InputError: a file is missing or no MOTChallenge text.
    """
    width, height = mot_size(folder)
    scale = np.array([width, height, width, height], np.float64)
    truth = _mot_truth(folder / "gt.txt", scale, which)
    detections = mot.by_frame(mot.read(folder / "det.txt"))
    nobody = People(np.empty((0, 4)), np.empty(0, bool))
    for frame in sorted({*truth, *detections}):
        boxes = detections.get(frame)
        if boxes is None:
            found = Found(np.empty((0, 4)), np.empty(0))
        else:
            order = np.argsort(-boxes.scores, kind="stable")
            found = Found(boxes.boxes[order] / scale, boxes.scores[order])
        yield found, truth.get(frame, nobody)


def mot_size(folder: Path) -> tuple[int, int]:
    """Width and height of a sequence's pictures: of seqinfo.ini, else TUD's 640 x 480.

    Raises:
        InputError: seqinfo.ini says nothing of it.
    """
    path = folder / "seqinfo.ini"
    if not path.is_file():
        return _TUD_SIZE
    ini = ConfigParser()
    try:
        ini.read(path, encoding="utf-8")
        return int(ini["Sequence"]["imWidth"]), int(ini["Sequence"]["imHeight"])
    except (IniError, KeyError, ValueError) as error:
        raise InputError(f"{path}: has no imWidth and imHeight to read: {error}") from error


def _mot_truth(path: Path, scale: Floats, which: Filter) -> dict[int, People]:
    rows: dict[int, list[tuple[mot.Row, float]]] = {}
    for row, visible in zip(mot.read(path), _visibilities(path), strict=True):
        if row in mot.truth([row]) or row.kind in _MOT_IGNORED:
            rows.setdefault(row.frame, []).append((row, visible))
    return {frame: _mot_people(some, scale, which) for frame, some in rows.items()}


def _mot_people(some: list[tuple[mot.Row, float]], scale: Floats, which: Filter) -> People:
    boxes = np.array([row.box for row, _ in some])
    boxes[:, 2:] += boxes[:, :2]
    ignored = [
        not mot.truth([row]) or row.box[3] < which.min_height or visible < which.min_visible
        for row, visible in some
    ]
    return People(boxes / scale, np.array(ignored))


def _visibilities(path: Path) -> list[float]:
    """The ninth column of each row; 1 where a file has none or says -1."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells: list[Any] = [cell for cell in line.split(",") if cell.strip()]
        if cells:
            value = float(cells[_MOT_VISIBILITY]) if len(cells) > _MOT_VISIBILITY else 1.0
            found.append(1.0 if value < 0 else value)
    return found
