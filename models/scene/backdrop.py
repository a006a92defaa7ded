"""The shop's picture without people, drawn once, and the products that come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.camera import Camera, Floats
from models.scene.fixtures import Fixture, Slot, slot_quads
from models.scene.light import Light
from models.scene.quads import Layer, Picture, Quad, Region, paint, region_of
from models.scene.shop import Shop

# The floor is darker this near to what stands on it, metres.
_CORNER_M = 0.45
_CORNER_GAIN = 0.62


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A product in its place, to be laid over the picture without it."""

    region: Region
    colour: Picture
    depth: NDArray[np.float32]
    mask: Picture


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """The shop as the camera sees it.

    Args:
        bare: without the products of the facings.
        patches: one for each facing, in the shop's order.
        floor: uint8 [height, width], 255 where the floor is seen.
        order: of laying, farthest first.
    """

    bare: Layer
    patches: tuple[Patch, ...]
    floor: Picture
    order: tuple[int, ...]

    def stocked(self, present: Sequence[bool]) -> Layer:
        """A new picture with the products that are there."""
        layer = Layer(self.bare.colour.copy(), self.bare.depth.copy())
        for index in self.order:
            if present[index]:
                _lay(layer, self.patches[index])
        return layer


def _lay(layer: Layer, patch: Patch) -> None:
    x0, y0, x1, y1 = patch.region
    if x1 > x0 and y1 > y0:
        cv2.copyTo(patch.colour, patch.mask, layer.colour[y0:y1, x0:x1])
        cv2.copyTo(patch.depth, patch.mask, layer.depth[y0:y1, x0:x1])


def draw_backdrop(shop: Shop, light: Light, fine: int = 2) -> Backdrop:
    """Draw the shop.

    Args:
        shop: what is drawn.
        light: its colour.
        fine: pixels drawn for one of the picture's, each way; more = smoother edges.
    """
    camera = _finer(shop.camera, fine)
    layer = Layer.empty(camera)
    moving = {id(shop.slot(facing)) for facing in shop.facings}
    paint(layer, camera, _static(shop, camera, moving))
    gain = _gain(light)
    bare = Layer(_coarser(layer.colour, fine), layer.depth[::fine, ::fine].copy())
    floor, shade = _ground(shop, bare)
    bare.colour = _lit(bare.colour, gain, shade)
    patches = []
    distances = []
    for facing in shop.facings:
        fixture, slot = shop.fixtures[facing.fixture], shop.slot(facing)
        patches.append(_patch(layer, camera, fixture, slot, fine, gain))
        middle = fixture.place.point(slot.along, slot.into, slot.up)
        distances.append(float(np.linalg.norm(middle - camera.position)))
    order = tuple(int(i) for i in np.argsort([-d for d in distances]))
    return Backdrop(bare, tuple(patches), floor, order)


def _static(shop: Shop, camera: Camera, moving: set[int]) -> list[Quad]:
    quads = list(shop.quads)
    for fixture in shop.fixtures:
        quads += fixture.quads
        for slot in fixture.slots:
            if id(slot) not in moving:
                quads += slot_quads(fixture.place, slot, camera, rows=2)
    return quads


def _patch(
    layer: Layer, camera: Camera, fixture: Fixture, slot: Slot, fine: int, gain: Floats
) -> Patch:
    quads = slot_quads(fixture.place, slot, camera)
    x0, y0, x1, y1 = region_of(camera, np.concatenate([quad.corners for quad in quads]))
    x0, y0 = x0 // fine * fine, y0 // fine * fine
    x1, y1 = -(-x1 // fine) * fine, -(-y1 // fine) * fine
    small = (x0 // fine, y0 // fine, x1 // fine, y1 // fine)
    if x1 <= x0 or y1 <= y0:
        nothing = np.zeros((0, 0), np.float32)
        unseen = np.zeros((0, 0), np.uint8)
        return Patch((0, 0, 0, 0), np.zeros((0, 0, 3), np.uint8), nothing, unseen)
    view = slice(y0, y1), slice(x0, x1)
    saved = layer.colour[view].copy(), layer.depth[view].copy()
    paint(layer, camera, quads)
    colour, depth = layer.colour[view].copy(), layer.depth[view].copy()
    layer.colour[view], layer.depth[view] = saved
    covered = (depth != saved[1]).astype(np.float32) * 255
    mask = np.asarray((_coarser(covered, fine) >= 128) * 255, np.uint8)
    lit = _lit(_coarser(colour, fine), gain, None)
    nearest = np.minimum.reduce([depth[i::fine, j::fine] for i in range(fine) for j in range(fine)])
    return Patch(small, lit, nearest, mask)


def _gain(light: Light) -> Floats:
    """Of blue, green and red: the lamps' colour, and what they give to all that is upright."""
    bright = 0.45 + 0.55 * min(1.15, light.ambient + 0.6 * light.strength)
    gain: Floats = light.tint * bright
    return gain


def _lit(colour: Picture, gain: Floats, shade: NDArray[np.float32] | None) -> Picture:
    values: NDArray[Any] = colour * gain.astype(np.float32)
    if shade is not None:
        values *= shade[:, :, None]
    lit: Picture = np.clip(values, 0, 255).astype(np.uint8)
    return lit


def _ground(shop: Shop, layer: Layer) -> tuple[Picture, NDArray[np.float32]]:
    """Where the floor is, and how much light gets to it beside what stands there."""
    camera = shop.camera
    ys, xs = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32) + 0.5
    rays = np.stack(
        [(xs - camera.width / 2) / camera.focal, (ys - camera.height / 2) / camera.focal], axis=-1
    )
    rotation = camera.rotation.astype(np.float32)
    ways = rays @ rotation[:2] + rotation[2]
    points = ways * layer.depth[:, :, None] + camera.position.astype(np.float32)
    floor = np.abs(points[:, :, 2]) < 0.02
    shade = np.ones(floor.shape, np.float32)
    spots = points[floor]
    near = np.ones(len(spots), np.float32)
    for fixture in shop.fixtures:
        place = fixture.place
        along = (spots - place.origin.astype(np.float32)) @ place.along.astype(np.float32)
        into = (spots - place.origin.astype(np.float32)) @ place.into.astype(np.float32)
        aside = np.maximum(np.maximum(-along, along - fixture.width), 0)
        before = np.maximum(np.maximum(-into, into - fixture.depth), 0)
        away = np.clip(np.hypot(aside, before) / _CORNER_M, 0, 1)
        near *= _CORNER_GAIN + (1 - _CORNER_GAIN) * away * (2 - away)
    shade[floor] = near
    return (floor * 255).astype(np.uint8), shade


def _finer(camera: Camera, fine: int) -> Camera:
    size = camera.width * fine, camera.height * fine
    return Camera(*size, camera.focal * fine, camera.position, camera.rotation)


def _coarser(picture: NDArray[Any], fine: int) -> NDArray[Any]:
    if fine == 1:
        return picture.copy()
    height, width = picture.shape[:2]
    size = width // fine, height // fine
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
