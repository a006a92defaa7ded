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
from models.scene.lens import Sensor
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
    return Canvas(layer.colour.copy(), layer.depth.copy(), np.zeros(layer.depth.shape, np.uint8))


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
        if not in_sight(camera, stance):
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


def in_sight(camera: Camera, stance: Stance) -> bool:
    """Whether some of the body may be in the picture, and none of it is at the lens."""
    seen = camera.project(stance.joints)
    depth = seen[:, 2]
    if depth.min() < 0.5:
        return False
    # Flesh and clothes reach this far from the joints, metres.
    room = 0.35 * camera.focal / float(depth.min())
    low, high = seen[:, :2].min(axis=0) - room, seen[:, :2].max(axis=0) + room
    return bool((high > 0).all() and low[0] < camera.width and low[1] < camera.height)


def as_fractions(labels: Labels, sensor: Sensor, size: tuple[int, int]) -> Labels:
    """The labels as fractions of the picture that the sensor exposes.

    Args:
        labels: pixels of the drawn picture.
        sensor: bends the picture.
        size: width, height, pixels.
    """
    scale = np.array(size, np.float64)
    points = labels.keypoints.copy()
    points[:, :, :2] = sensor.places(points[:, :, :2].astype(np.float64)) / scale
    points[((points[:, :, :2] < 0) | (points[:, :, :2] > 1)).any(axis=2)] = 0
    points[points[:, :, 2] == 0] = 0
    boxes = sensor.boxes(labels.boxes.astype(np.float64)) / np.tile(scale, 2)
    return Labels(labels.people, boxes.astype(np.float32), labels.visible, points)


def smear(canvas: Canvas, mark: int, box: Floats, shift: Floats) -> None:
    """Blur one person along their motion while the shutter is open.

    Args:
        canvas: is changed.
        mark: the person's number on it.
        box: float [4], pixels.
        shift: float64 [2], pixels moved in that time.
    """
    length = float(np.hypot(*shift))
    if length < 1.2:
        return
    size = min(15, 2 * round(length / 2) + 1)
    kernel = np.zeros((size, size), np.uint8)
    half = size // 2
    end = np.round(shift / length * half).astype(int)
    x, y = int(end[0]), int(end[1])
    cv2.line(kernel, (half - x, half - y), (half + x, half + y), (1,))
    pad = half + 1
    height, width = canvas.owner.shape
    x0, y0 = max(0, int(box[0]) - pad), max(0, int(box[1]) - pad)
    x1, y1 = min(width, int(box[2]) + pad), min(height, int(box[3]) + pad)
    view = canvas.colour[y0:y1, x0:x1]
    mask = cv2.dilate((canvas.owner[y0:y1, x0:x1] == mark).astype(np.uint8), kernel)
    weights = kernel.astype(np.float32) / max(1, int(kernel.sum()))
    cv2.copyTo(cv2.filter2D(view, -1, weights), mask, view)
