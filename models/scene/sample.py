"""Still pictures of random shops with labels: what a network is trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene import textures
from models.scene.backdrop import Backdrop, draw_backdrop
from models.scene.canvas import Canvas
from models.scene.figure import build_random
from models.scene.lens import Lens, Sensor
from models.scene.light import Light
from models.scene.look import Look
from models.scene.moment import act_at, act_before
from models.scene.picture import Person, as_fractions, canvas_on, draw_people
from models.scene.posture import Act, stance_of
from models.scene.products import Kind, random_product
from models.scene.quads import Quad
from models.scene.shop import ANYHOW, WILD, Shop, random_shop
from models.scene.stance import Build, Joint, Stance
from models.scene.textures import Rng
from models.scene.things import Things, basket, draw_things, held, trolley

SIZE = (640, 360)
# People who come and go in one shop: to dress one anew takes as long as to draw three.
_CAST = 12
# How many people are in a picture: 0 .. 8.
_CROWD = np.array([0.06, 0.2, 0.22, 0.18, 0.13, 0.08, 0.06, 0.04, 0.03])
# Share of the pictures with something right before the camera.
_OCCLUDED = 0.15


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
        shop = random_shop(rng, SIZE, WILD if strong else ANYHOW)
        light = Light.random(rng)
        backdrop = draw_backdrop(shop, light, fine=1)
        # Dressing a shopper anew takes as long as drawing three: these stay in the shop.
        cast = [_anyone(rng, number) for number in range(1, _CAST + 1)]
        for _ in range(min(moments, count - index * moments)):
            yield _moment(rng, (shop, backdrop, light), cast, strong)


def _anyone(rng: Rng, number: int) -> Person:
    build = build_random(rng)
    return Person(number, build, Look.random(rng, build))


def _moment(
    rng: Rng, scene: tuple[Shop, Backdrop, Light], cast: list[Person], strong: bool
) -> Sample:
    """Each picture has a lens of its own: only the place and the people stay."""
    shop, backdrop, light = scene
    crowd = int(rng.choice(len(_CROWD), p=_CROWD / _CROWD.sum()))
    chosen = rng.permutation(len(cast))[:crowd]
    canvas = canvas_on(backdrop.bare)
    if strong and rng.random() < _OCCLUDED:
        _occlude(rng, canvas)
    people = _people(rng, shop, [cast[index] for index in chosen.tolist()])
    draw_things(canvas, shop.camera, _clutter(rng, shop, people))
    labels = draw_people(canvas, shop.camera, light, people)
    sensor = Sensor(Lens.random(rng, strong), SIZE, rng, bank=1)
    seen = as_fractions(labels, sensor, SIZE)
    image = sensor.expose(canvas.colour, rng)
    return Sample(image, seen.boxes, seen.visible, seen.keypoints)


def _clutter(rng: Rng, shop: Shop, people: list[tuple[Person, Stance]]) -> list[Quad]:
    """Trolleys, baskets and things in hands."""
    things, quads = Things(rng), []
    for _, stance in people:
        kind, load = rng.random(), int(rng.integers(0, 5))
        x, y, _ = stance.joints[Joint.PELVIS].tolist()
        if kind < 0.08:
            turn = float(np.arctan2(stance.forward[1], stance.forward[0]))
            quads += trolley(things, x, y, turn + float(rng.normal(0, 0.4)), load)
        elif kind < 0.18:
            quads += basket(things, stance, load)
        elif kind < 0.4:
            product = random_product(rng, 0.36, tuple(Kind))
            quads += held(product, stance, int(rng.integers(2)), shop.camera)
    return quads


def _occlude(rng: Rng, canvas: Canvas) -> None:
    """Something hangs or stands right before the camera: a sign, a post, a leaf."""
    height, width = canvas.depth.shape
    for _ in range(int(rng.integers(1, 3))):
        middle = rng.uniform((0, 0), (width, height))
        size = np.exp(rng.uniform(np.log(15), np.log(140), 2))
        turn = float(rng.uniform(0, 180))
        corners = cv2.boxPoints((middle.tolist(), size.tolist(), turn)).astype(np.int32)
        mask = np.zeros((height, width), np.uint8)
        if rng.random() < 0.5:
            cv2.fillConvexPoly(mask, corners, (255,))
        else:
            axes = (size / 2).astype(int).tolist()
            cv2.ellipse(mask, middle.astype(int).tolist(), axes, turn, 0, 360, (255,), -1)
        picture = cv2.resize(textures.poster(rng), (width, height))
        cv2.copyTo(picture, mask, canvas.colour)
        canvas.depth[mask > 0] = 0.4


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
            fixture = shop.fixtures[
                0 if rng.random() < 0.7 else int(rng.integers(len(shop.fixtures)))
            ]
            act = act_before(rng, fixture, build)
        else:
            act = act_at(rng, build, _spot(rng, shop))
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
