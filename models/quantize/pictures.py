"""Calibration pictures, as the model sees them."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.detector import build_detector
from edge_agent.errors import InputError
from edge_agent.manifest import ModelEntry
from edge_agent.observations import Frame

# A smaller view, as a share of the picture, and what is around it (the padding of YOLOX).
_SHRUNK, _GREY = 0.7, 114
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of a folder.

    Args:
        path: the file.
        frame: what is in it.
    """

    path: Path
    frame: Frame


def read_pictures(folder: Path) -> list[Picture]:
    """Every picture of a folder, by name; those that do not open are named on stderr and skipped.

    Raises:
        InputError: the folder cannot be read, or not one picture is left.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error
    found = []
    for path in paths:
        image: NDArray[Any] | None = cv2.imread(str(path))
        if image is None:
            print(f"{path.name}: does not open as a picture; skipped", file=sys.stderr)
            continue
        height, width = image.shape[:2]
        found.append(Picture(path, Frame(np.asarray(image, np.uint8), 0.0, width, height)))
    if not found:
        broken = f", {len(paths)} that do not open" if paths else ""
        raise InputError(
            f"{folder} holds no picture that can be used{broken}; put some dozens of "
            f"photographs there ({', '.join(_SUFFIXES)})"
        )
    return found


def fingerprint(pictures: list[Picture]) -> str:
    """SHA-256 over the files' contents, in order of name."""
    total = hashlib.sha256()
    for picture in pictures:
        total.update(hashlib.sha256(picture.path.read_bytes()).digest())
    return total.hexdigest()


def views(pictures: list[Picture]) -> list[Picture]:
    """Each picture as it is, mirrored, and smaller in a grey frame: more people to learn from.

    Some dozens of photographs hold a hundred people, and each person is a handful of cells.
    """
    found = []
    for picture in pictures:
        image = picture.frame.image
        smaller = np.full_like(image, _GREY)
        part = cv2.resize(image, None, fx=_SHRUNK, fy=_SHRUNK, interpolation=cv2.INTER_AREA)
        smaller[: part.shape[0], : part.shape[1]] = part
        shown = (image, np.ascontiguousarray(image[:, ::-1]), smaller)
        found += [replace(picture, frame=replace(picture.frame, image=one)) for one in shown]
    return found


def tensors(entry: ModelEntry, pictures: list[Picture]) -> list[NDArray[Any]]:
    """The model's input for each picture, prepared as the unit prepares it.

    Raises:
        ModelError: the model is no detector.
    """
    detector = build_detector(entry, lambda _tensor: [])
    return [detector.prepare(picture.frame).copy() for picture in pictures]
