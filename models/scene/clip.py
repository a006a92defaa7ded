"""A rendered clip: video, site, truth and labels, made from a seed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_agent.errors import StorageError
from models.progress import counting
from models.scene.files import CLIP, LABELS, SITE, TRUTH, site_text, truth_values
from models.scene.picture import Labels
from models.scene.render import Clip, render
from models.scene.stage import set_stage, tell
from models.scene.story import Traffic
from models.scene.truth import ClipLabels

SIZE, FPS, SECONDS, WORKERS = (640, 360), 10.0, 60.0, 2


@dataclass(frozen=True, slots=True)
class Order:
    """A clip to be made.

    Args:
        seed: 0 or more.
        seconds: how long it lasts.
        fps: frames a second.
        size: width, height, pixels.
        workers: processes that draw.
        traffic: how many people come.
    """

    seed: int
    seconds: float = SECONDS
    fps: float = FPS
    size: tuple[int, int] = SIZE
    workers: int = WORKERS
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return max(1, round(self.seconds * self.fps))


def make(order: Order, folder: Path) -> dict[str, Any]:
    """Render a clip; its four files appear together or not at all.

    Args:
        order: what is made.
        folder: gets the files; is made where it is missing.

    Returns:
        Counts for a summary.

    Raises:
        StorageError: the folder or the video cannot be written.
    """
    stage = set_stage(order.seed, order.size)
    story = tell(stage, order.traffic, order.seconds)
    clip = Clip(order.seed, order.size, order.fps, order.frames)
    with _aside(folder) as aside:
        rows: list[Labels] = []
        with _video(aside / CLIP, order) as video, _bar(order.frames) as advance:
            for image, seen in render(clip, stage, story, order.workers):
                video.write(image)
                rows.append(seen)
                advance()
        labels = joined(rows)
        values = truth_values(stage, story, labels, order.fps, order.frames)
        (aside / SITE).write_text(site_text(stage), encoding="utf-8")
        (aside / TRUTH).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        np.savez_compressed(aside / LABELS, **_arrays(labels, order))
    return {
        "out": str(folder),
        "seed": order.seed,
        "frames": order.frames,
        "visits": len(values["visits"]),
        "reaches": len(values["reaches"]),
        "events": len(values["events"]),
        "people": len(np.unique(labels.person)),
        "zones": [zone.name for zone in stage.zones],
    }


def joined(rows: list[Labels]) -> ClipLabels:
    """The labels of all frames, one row per person and frame."""
    counts = [len(labels.people) for labels in rows]
    return ClipLabels(
        np.repeat(np.arange(len(rows), dtype=np.int32), counts),
        np.concatenate([labels.people for labels in rows]).astype(np.int32),
        np.concatenate([labels.boxes for labels in rows]),
        np.concatenate([labels.visible for labels in rows]).astype(np.float32),
        np.concatenate([labels.keypoints for labels in rows]).astype(np.float32),
    )


def _arrays(labels: ClipLabels, order: Order) -> dict[str, Any]:
    return {
        "frame": labels.frame,
        "person": labels.person,
        "boxes": labels.boxes,
        "visible": labels.visible,
        "keypoints": labels.keypoints,
        "size": np.array(order.size, np.int32),
        "fps": np.float64(order.fps),
    }


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder beside the wanted one whose files are moved there when all is well."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".scene-", dir=folder))
    except OSError as error:
        raise StorageError(
            f"cannot write to {folder}: {error.strerror}; name another --out"
        ) from None
    try:
        yield aside
        for name in (CLIP, SITE, TRUTH, LABELS):
            os.replace(aside / name, folder / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _video(path: Path, order: Order) -> Iterator[cv2.VideoWriter]:
    # MPEG-4 part 2: what OpenCV's wheels encode without a licence to mind.
    code = cv2.VideoWriter.fourcc(*"mp4v")
    video = cv2.VideoWriter(str(path), code, order.fps, order.size)
    if not video.isOpened():
        raise StorageError(f"OpenCV cannot write {path.name}; is the disk full?")
    try:
        yield video
    finally:
        video.release()


@contextmanager
def _bar(frames: int) -> Iterator[Any]:
    """Show how many frames are drawn."""
    with counting() as progress:
        task = progress.add_task("frames", total=frames)
        yield lambda: progress.advance(task)
