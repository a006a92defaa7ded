"""Teach a quantized graph to say what the float one says; see `models.quantize.tune`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.quantize.graph import Graph
from models.quantize.make import finish
from models.quantize.recipe import Recipe
from models.quantize.run import session
from models.quantize.student import Student

Picture = NDArray[np.uint8]

_PAD = 114.0
# Columns of a YOLOX row, see edge_agent's detector.
_OBJECTNESS, _PERSON = 4, 5
# A person's box is worth as much as its score when it is a quarter of a cell off.
_BOX_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Lesson:
    """How long and how fast to learn.

    Args:
        steps: batches.
        batch: pictures in one.
        rate: of Adam at the start; it falls to zero as a cosine does.
        threads: of PyTorch.
    """

    steps: int = 400
    batch: int = 4
    rate: float = 6e-4
    threads: int = 2


def distil(
    rewritten: Graph,
    recipe: Recipe,
    inputs: Sequence[NDArray[Any]],
    lesson: Lesson,
    draw: np.random.Generator,
    report: Callable[[float], None],
) -> Recipe:
    """The recipe with gains and shifts.

    Args:
        rewritten: the float graph, the teacher.
        recipe: with ranges, without gains and shifts.
        inputs: float32 [1, 3, height, width], one per picture.
        lesson: how long.
        draw: draws pictures and how they are changed.
        report: is told each step's loss.
    """
    torch.set_num_threads(lesson.threads)
    student = Student(finish(rewritten, recipe))
    optimiser = torch.optim.Adam(student.parameters(), lr=lesson.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, lesson.rate, total_steps=lesson.steps, pct_start=0.15
    )
    teacher = session(rewritten.model().SerializeToString(), lesson.threads)
    for _ in range(lesson.steps):
        chosen = draw.integers(0, len(inputs), lesson.batch)
        batch = np.concatenate([changed(inputs[i], draw) for i in chosen])
        wanted = [teacher.run(None, {rewritten.inputs[0]: one[None]})[0] for one in batch]
        lost = _distance(student(torch.from_numpy(batch)), torch.from_numpy(np.concatenate(wanted)))
        optimiser.zero_grad()
        lost.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        report(float(lost.detach()))
    shifts = {
        name: tuple(a + b for a, b in zip(recipe.shifts.get(name, (0,) * len(more)), more, strict=True))
        for name, more in student.shifts().items()
    }
    return replace(recipe, gains=student.gains(), shifts=shifts)


def changed(picture: NDArray[Any], draw: np.random.Generator) -> NDArray[np.float32]:
    """A picture as it might also have been taken: mirrored, nearer or farther, in other light.

    Args:
        picture: float32 [1, 3, height, width], values 0..255.
        draw: draws the changes.
    """
    image = np.ascontiguousarray(picture[0].transpose(1, 2, 0))
    height, width = image.shape[:2]
    if draw.random() < 0.5:
        image = image[:, ::-1]
    scale = float(np.exp(draw.uniform(-0.5, 0.5)))
    x, y = (draw.uniform(-0.2, 0.2, 2) + (1 - scale) / 2) * (width, height)
    move = np.array([[scale, 0, x], [0, scale, y]])
    image = cv2.warpAffine(
        np.ascontiguousarray(image), move, (width, height), borderValue=(_PAD, _PAD, _PAD)
    )
    lit = image * draw.uniform(0.7, 1.3) + draw.uniform(-20, 20)
    made: NDArray[np.float32] = np.clip(lit, 0, 255).astype(np.float32).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(made)


def _distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Of scores in all cells, and of boxes where there is someone; per person in sight."""
    scores = []
    for rows in (found, wanted):
        scores.append(rows[..., _OBJECTNESS] * rows[..., _PERSON])
    parts = [(scores[0] - scores[1]) ** 2]
    for column in (_OBJECTNESS, _PERSON):
        # Both parts of the score, where either could matter.
        weight = torch.maximum(wanted[..., _OBJECTNESS], wanted[..., _PERSON])
        parts.append(0.5 * weight * (found[..., column] - wanted[..., column]) ** 2)
    boxes = torch.nn.functional.smooth_l1_loss(
        found[..., :4], wanted[..., :4], reduction="none", beta=0.25
    ).sum(dim=-1)
    parts.append(_BOX_WEIGHT * scores[1] * boxes)
    total: Tensor = torch.stack([part.sum() for part in parts]).sum()
    return total / (scores[1].sum() + 1)
