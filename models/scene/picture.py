"""People into the shop's picture, and what is true of them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scene import figure
from models.scene.camera import Camera, Floats
from models.scene.canvas import Canvas
from models.scene.light import Light
from models.scene.look import Look
from models.scene.quads import Layer
from models.scene.stance import Build, Stance


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody with a body and clothes.

    Args:
        number: 1..; in labels and, in each frame, on the canvas.
        build: proportions.
        look: clothes, hair, skin.
        staff: works here.
    """

    number: int
    build: Build
    look: Look
    staff: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The people of one picture.

    Args:
        people: int64 [N], their numbers.
        boxes: float32 [N, 4], x0 y0 x1 y1, pixels, of the whole body, cut at the frame.
        visible: float32 [N], 0..1 of the body's pixels that are seen; what the frame cuts off
            is not seen.
        keypoints: float32 [N, 17, 3], x y in pixels, v as COCO: 0 out of the picture, 1 hidden,
            2 seen.
    """

    people: NDArray[np.int64]
    boxes: NDArray[np.float32]
    visible: NDArray[np.float32]
    keypoints: NDArray[np.float32]


def canvas_on(layer: Layer) -> Canvas:
    """A canvas that starts as a copy of the shop's picture."""
    return Canvas(
        layer.colour.copy(), layer.depth.copy(), np.zeros(layer.depth.shape, np.uint8)
    )


def draw_people(
    canvas: Canvas,
    camera: Camera,
    light: Light,
    people: Sequence[tuple[Person, Stance]],
) -> Labels:
    """Draw people into the canvas and label who is in the picture at all.

    Args:
        canvas: the shop, with what people push or hold already drawn.
        camera: who looks.
        light: the shop's.
        people: at most 255, each with how they stand.
    """
    drawn = []
    for index, (person, stance) in enumerate(people):
        if _behind(camera, stance):
            continue
        mark = index + 1
        result = figure.draw(canvas, camera, light, person.build, person.look, stance, mark)
        if result.pixels > 0:
            drawn.append((mark, person, stance, result))
    counts = np.bincount(canvas.owner.ravel(), minlength=len(people) + 1)
    rows = []
    for mark, person, stance, result in drawn:
        seen = counts[mark] / result.pixels * (1 - result.cut)
        points = figure.keypoints(canvas, camera, stance, person.build, mark)
        rows.append((person.number, result.box, min(1.0, float(seen)), points))
    return Labels(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.float32).reshape(-1, 4),
        np.array([row[2] for row in rows], np.float32),
        np.array([row[3] for row in rows], np.float32).reshape(-1, 17, 3),
    )


def _behind(camera: Camera, stance: Stance) -> bool:
    """Whether some of the body is at the lens or behind it."""
    depth: Floats = (stance.joints - camera.position) @ camera.rotation[2]
    return bool(depth.min() < 0.5)
