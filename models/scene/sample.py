"""Still pictures of random shops with labels: what a network is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.scene.backdrop import Backdrop, draw_backdrop
from models.scene.figure import build_random
from models.scene.lens import Lens, Sensor
from models.scene.light import Light
from models.scene.look import Look
from models.scene.moment import act_at, act_before
from models.scene.picture import Labels, Person, canvas_on, draw_people
from models.scene.posture import Act, stance_of
from models.scene.shop import Shop, random_shop
from models.scene.stance import Build, Stance
from models.scene.textures import Rng

SIZE = (640, 360)
# People who come and go in one shop: to dress one anew takes as long as to draw three.
_CAST = 12
# How many people are in a picture: 0 .. 8.
_CROWD = np.array([0.06, 0.2, 0.22, 0.18, 0.13, 0.08, 0.06, 0.04, 0.03])


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture and who is in it.

    Args:
        image: uint8 [360, 640, 3], BGR.
        boxes: float32 [N, 4], x0 y0 x1 y1, fractions, of whole bodies, cut at the frame.
        visible: float32 [N], 0..1 of the body's pixels that are seen.
        keypoints: float32 [N, 17, 3], x y as fractions and v 0/1/2, COCO order.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    visible: NDArray[np.float32]
    keypoints: NDArray[np.float32]


def frames(seed: int, count: int, moments: int = 8, strong: bool = True) -> Iterator[Sample]:
    """Pictures of one random shop after another.

    Args:
        seed: the same seed gives the same pictures; shop by shop, whatever count is.
        count: how many.
        moments: pictures of one shop before the next.
        strong: wider ranges of camera, light, noise and crowds than clips have.
    """
    for index in range(-(-count // moments)):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))
        shop = random_shop(rng, SIZE, strong)
        light = Light.random(rng)
        backdrop = draw_backdrop(shop, light, fine=1)
        cast = [_anyone(rng, number) for number in range(1, _CAST + 1)]
        for _ in range(min(moments, count - index * moments)):
            yield _moment(rng, shop, backdrop, light, cast, strong)


def _moment(
    rng: Rng, shop: Shop, backdrop: Backdrop, light: Light, cast: list[Person], strong: bool
) -> Sample:
    """Each picture has a camera of its own: only the place stays."""
    crowd = int(rng.choice(len(_CROWD), p=_CROWD / _CROWD.sum()))
    chosen = rng.permutation(len(cast))[:crowd]
    people = _people(rng, shop, [cast[index] for index in chosen.tolist()])
    canvas = canvas_on(backdrop.stocked([bool(rng.random() < 0.85) for _ in backdrop.patches]))
    labels = draw_people(canvas, shop.camera, light, people)
    sensor = Sensor(Lens.random(rng, strong), SIZE, rng, bank=1)
    return _labelled(sensor.expose(canvas.colour, rng), sensor, labels)


def _labelled(image: NDArray[np.uint8], sensor: Sensor, labels: Labels) -> Sample:
    scale = np.array(SIZE, np.float64)
    points = labels.keypoints.copy()
    points[:, :, :2] = sensor.places(points[:, :, :2].astype(np.float64)) / scale
    outside = ((points[:, :, :2] < 0) | (points[:, :, :2] > 1)).any(axis=2)
    points[outside] = 0
    boxes = sensor.boxes(labels.boxes.astype(np.float64)) / np.tile(scale, 2)
    return Sample(image, boxes.astype(np.float32), labels.visible, points)


def _anyone(rng: Rng, number: int) -> Person:
    build = build_random(rng)
    return Person(number, build, Look.random(rng, build))


def _people(rng: Rng, shop: Shop, chosen: list[Person]) -> list[tuple[Person, Stance]]:
    placed: list[tuple[Person, Stance]] = []
    taken: list[Act] = []
    for person in chosen:
        act = _somewhere(rng, shop, person.build, taken)
        if act is not None:
            taken.append(act)
            placed.append((person, stance_of(act, person.build)))
    return placed


def _somewhere(rng: Rng, shop: Shop, build: Build, taken: list[Act]) -> Act | None:
    """A free spot in view and what is done there."""
    for _ in range(60):
        if rng.random() < 0.45:
            fixture = shop.fixtures[0 if rng.random() < 0.7 else int(rng.integers(len(shop.fixtures)))]
            act = act_before(rng, fixture, build)
        else:
            act = act_at(rng, shop, build, _spot(rng, shop))
        if _possible(shop, build.height, act, taken):
            return act
    return None


def _spot(rng: Rng, shop: Shop) -> tuple[float, float]:
    """A point on the floor along a ray of the camera, near ones as likely as far ones."""
    camera = shop.camera
    bearing = np.arctan2(camera.rotation[2, 1], camera.rotation[2, 0])
    side = rng.uniform(-1.1, 1.1) * np.arctan(camera.width / 2 / camera.focal)
    away = float(np.exp(rng.uniform(np.log(1.0), np.log(9.0))))
    x = camera.position[0] + away * np.cos(bearing + side)
    y = camera.position[1] + away * np.sin(bearing + side)
    return float(x), float(y)


def _possible(shop: Shop, height: float, act: Act, taken: list[Act]) -> bool:
    if not shop.free(act.x, act.y, 0.2):
        return False
    if any(np.hypot(act.x - other.x, act.y - other.y) < 0.42 for other in taken):
        return False
    camera = shop.camera
    seen = camera.project(np.array([[act.x, act.y, up * height] for up in (0.05, 0.55, 1.0)]))
    if seen[:, 2].min() < 0.8:
        return False
    x, y = seen[:, 0] / camera.width, seen[:, 1] / camera.height
    inside = (x > -0.02) & (x < 1.02) & (y > 0) & (y < 1)
    return bool(inside.any())
