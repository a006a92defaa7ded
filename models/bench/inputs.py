"""Pictures that every way of running a model is shown, and the boxes to look for joints in."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.camera.file import FileCamera
from edge_agent.clock import SystemClock
from edge_agent.config import MAX_FPS, MIN_FPS, CameraConfig, Source
from edge_agent.errors import InputError
from edge_agent.observations import Frame
from models.evaluate.matching import Floats
from models.evaluate.samples import CLIP, clip_frames, image_frames

NO_BOXES: Floats = np.empty((0, 4))
# A scene that nobody chose: few seconds are enough for a score of each way.
_SEED, _SECONDS = 3, 12


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One picture.

    Args:
        image: uint8 [height, width, 3], BGR.
        boxes: float64 [N, 4], people by the reference detector, fractions.
    """

    image: NDArray[np.uint8]
    boxes: Floats

    @property
    def frame(self) -> Frame:
        """The picture as a camera gives it."""
        height, width = self.image.shape[:2]
        return Frame(self.image, 0.0, width, height)


def pictures(images: Path | None, clip: Path | None, count: int) -> Iterator[NDArray[np.uint8]]:
    """At most so many pictures, spread evenly over what is named; else over the built-in scene.

    Raises:
        InputError: nothing can be read, or the scene cannot be made.
    """
    if images is not None:
        found = [frame.image for frame in image_frames(images)]
        yield from (found[i] for i in _spread(len(found), count))
    elif clip is not None:
        yield from _of_clip(clip, count)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _make_scene(Path(folder))
            yield from _of_clip(Path(folder) / CLIP, count)


def save(path: Path, inputs: list[Input]) -> None:
    """Write inputs for the workers."""
    arrays = {f"image{i}": one.image for i, one in enumerate(inputs)}
    boxes = {f"boxes{i}": one.boxes for i, one in enumerate(inputs)}
    np.savez(path, **arrays, **boxes)


def load(path: Path) -> Iterator[Input]:
    """Read them, one at a time: a small board has no room for all."""
    with np.load(path) as file:
        for i in range(len(file.files) // 2):
            yield Input(file[f"image{i}"], file[f"boxes{i}"])


def _of_clip(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    camera = FileCamera(CameraConfig(Source.FILE, path, pace=0), SystemClock())
    seconds = camera.duration_s or 0.0
    camera.close()
    fps = min(MAX_FPS, max(MIN_FPS, count / seconds)) if seconds else MIN_FPS
    for _, frame in zip(range(count), clip_frames(path, fps), strict=False):
        yield frame.image.copy()


def _make_scene(folder: Path) -> None:
    words = ("scene", "--seed", str(_SEED), "--seconds", str(_SECONDS), "--out", str(folder))
    done = subprocess.run(
        (sys.executable, "-m", "models", *words), capture_output=True, text=True, check=False
    )
    if done.returncode != 0 or not (folder / CLIP).is_file():
        last = (done.stderr.strip().splitlines() or ["no reason told"])[-1]
        raise InputError(
            f"the built-in scene cannot be made ({last}); name pictures with --images or --clip"
        )


def _spread(total: int, count: int) -> list[int]:
    if total <= count:
        return list(range(total))
    return [int(i * total / count) for i in range(count)]
