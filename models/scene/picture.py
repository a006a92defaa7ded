"""People into the shop's picture, and what is true of them there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene import figure
from models.scene.camera import Camera, Floats
from models.scene.canvas import Canvas
from models.scene.light import Light
from models.scene.look import Look
from models.scene.quads import Layer, Picture
from models.scene.stance import Build, Joint, Stance

# A shadow's half-width on the floor, metres, and how much light it takes away.
_SHADOW_M, _SHADOW = 0.30, 0.42
_ROUND = np.linspace(0, 2 * np.pi, 16, endpoint=False)


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


def shade_floor(
    canvas: Canvas, floor: Picture, camera: Camera, stances: Sequence[Stance]
) -> None:
    """Darken the floor around feet, so that people stand on it."""
    for stance in stances:
        for foot in (Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE, Joint.PELVIS):
            x, y, _ = stance.joints[foot]
            size = _SHADOW_M * (1.4 if foot is Joint.PELVIS else 0.55)
            ring = np.stack(
                [x + size * np.cos(_ROUND), y + size * np.sin(_ROUND), np.zeros(16)], axis=1
            )
            _darken(canvas.colour, floor, camera.project(ring))


def _darken(colour: Picture, floor: Picture, ring: Floats) -> None:
    if ring[:, 2].min() < 0.4:
        return
    height, width = floor.shape
    soft = max(1.0, float(np.ptp(ring[:, 1])) * 0.25)
    pad = int(2 * soft) + 1
    x0, y0 = np.maximum(0, ring[:, :2].min(axis=0).astype(int) - pad)
    x1, y1 = np.minimum((width, height), ring[:, :2].max(axis=0).astype(int) + pad + 1)
    if x1 <= x0 or y1 <= y0:
        return
    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    corners = np.round(ring[:, :2] - (x0, y0)).astype(np.int32)
    cv2.fillConvexPoly(mask, corners, round(255 * _SHADOW))
    mask = cv2.blur(mask, (2 * pad // 2 + 1, 2 * pad // 2 + 1))
    cv2.bitwise_and(mask, floor[y0:y1, x0:x1], dst=mask)
    keep = cv2.merge([255 - mask] * 3)
    view = colour[y0:y1, x0:x1]
    cv2.multiply(view, keep, dst=view, scale=1 / 255)
