"""Pictures of the user's own shop, labelled by larger models: what rendering cannot know.

The teachers are models that ship, run by the code that ships. The pictures stay on the machine
that trains; in the weights that come of it no one is to be recognized.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.detector import build_detector
from edge_agent.errors import InputError
from edge_agent.manifest import load, model_path, verify
from edge_agent.observations import Frame, Tracks
from edge_agent.pose import build_pose
from edge_agent.runtimes import open_runtime

# A teacher's word is taken from this score up; between the two, nobody can say who that is.
SURE, UNSURE, JOINT = 0.5, 0.2, 0.3
_PICTURES = {".jpg", ".jpeg", ".png"}
_CLIPS = {".mp4", ".mkv", ".avi", ".mov"}


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """A labelled picture, as `models.train.examples.Labelled`."""

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    visible: NDArray[np.float32]
    keypoints: NDArray[np.float32]


class Teacher:
    """Labels pictures.

    Args:
        name: a detector and a pose model of the manifest, joined by "+".

    Raises:
        InputError: not two names.
        ModelError: a model is unknown, missing or does not fit.
    """

    def __init__(self, name: str) -> None:
        parts = name.split("+")
        if len(parts) != 2:
            raise InputError(
                f"--teacher is {name!r}; name a detector and a pose model joined by '+', such as "
                "yolox-nano+movenet-lightning-int8"
            )
        manifest = load()
        opened = []
        for part in parts:
            entry = manifest.get(part)
            path = model_path(entry)
            verify(entry, path)
            opened.append((entry, open_runtime(entry, path, 1)))
        self._detector = build_detector(*opened[0])
        self._pose = build_pose(*opened[1])

    def __call__(self, image: NDArray[np.uint8]) -> Taught:
        """The people in a BGR picture; those who are unsure have 0 visible."""
        frame = Frame(image, 0.0, image.shape[1], image.shape[0])
        found = self._detector(frame)
        ids = np.flatnonzero(found.scores >= UNSURE)
        boxes, scores = found.boxes[ids], found.scores[ids]
        tracks = Tracks(0.0, ids, boxes, scores, np.ones(len(ids), bool))
        joints = self._pose(frame, tracks, ids.tolist(), {}).keypoints
        keypoints = joints.astype(np.float32)
        # A joint that the teacher does not see is no evidence that there is none.
        keypoints[..., 2] = np.where(joints[..., 2] >= JOINT, 2, 0)
        sure = (scores >= SURE).astype(np.float32)
        return Taught(image, boxes.astype(np.float32), sure, keypoints)


def footage(folder: Path, every_s: float = 1.0) -> Iterator[NDArray[np.uint8]]:
    """BGR pictures of a folder: its images, and its recordings' frames some seconds apart.

    Raises:
        InputError: there is neither, or one cannot be read.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in _PICTURES | _CLIPS)
    if not paths:
        raise InputError(f"--footage {folder}: no .jpg, .png, .mp4, .mkv, .avi or .mov in it")
    for path in paths:
        if path.suffix.lower() in _PICTURES:
            image = cv2.imread(str(path))
            if image is None:
                raise InputError(f"--footage: {path} is no picture that can be read; remove it")
            yield image.astype(np.uint8)
        else:
            yield from _frames(path, every_s)


def _frames(path: Path, every_s: float) -> Iterator[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(path))
    try:
        step = max(1, round((capture.get(cv2.CAP_PROP_FPS) or 10.0) * every_s))
        number = 0
        while capture.grab():
            if number % step == 0:
                told, image = capture.retrieve()
                if told:
                    yield image.astype(np.uint8)
            number += 1
        if number == 0:
            raise InputError(f"--footage: {path} is no recording that can be read; remove it")
    finally:
        capture.release()
