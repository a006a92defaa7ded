"""Frames of a story, drawn by several processes: the same pictures whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.picture import Labels
from models.scene.stage import Painter, Stage, set_stage
from models.scene.story import Story
from models.scene.workers import lean

# Frames handed to a worker at a time: long enough that a new shirt is woven rarely.
_CHUNK = 40


@dataclass(frozen=True, slots=True)
class Clip:
    """What is rendered.

    Args:
        seed: of the shop and its people.
        size: width, height, pixels.
        fps: frames a second.
        frames: how many.
    """

    seed: int
    size: tuple[int, int]
    fps: float
    frames: int


Rendered = tuple[NDArray[np.uint8], Labels]
_painter: Painter | None = None
_fps = 10.0


def render(clip: Clip, stage: Stage, story: Story, workers: int) -> Iterator[Rendered]:
    """Each frame in order.

    Args:
        clip: what is rendered.
        stage: its shop.
        story: what happens.
        workers: processes; 1 = draw here.
    """
    if workers <= 1:
        painter = Painter(stage, story)
        for index in range(clip.frames):
            yield painter.frame(index, index / clip.fps)
        return
    chunks = [range(i, min(clip.frames, i + _CHUNK)) for i in range(0, clip.frames, _CHUNK)]
    with lean() as context, context.Pool(workers, _begin, (clip, story)) as pool:
        for chunk in pool.imap(_draw, chunks):
            yield from chunk


def _begin(clip: Clip, story: Story) -> None:
    global _painter, _fps
    cv2.setNumThreads(1)
    _painter, _fps = Painter(set_stage(clip.seed, clip.size), story), clip.fps


def _draw(frames: range) -> list[Rendered]:
    assert _painter is not None, "the pool begins each worker"
    return [_painter.frame(index, index / _fps) for index in frames]
