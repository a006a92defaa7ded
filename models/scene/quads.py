"""Flat textured pieces of the shop, and how they get into a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.camera import Camera, Floats

Picture = NDArray[np.uint8]
# Nothing nearer than this is drawn, nor is anything farther than the farthest wall.
NEAR_M, FAR_M = 0.15, 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Quad:
    """A parallelogram with a picture on it.

    Args:
        origin: float64 [3], metres: where the texture's first pixel lies.
        across: float64 [3], metres: along the texture's rows.
        down: float64 [3], metres: along its columns.
        texture: uint8 [h, w, 3] BGR, or [h, w, 4] with alpha (drawn where alpha >= 128).
        repeat: how often the texture is laid across and down.
        bright: gain on the texture, 1 = as it is.
        closed: part of a solid: its picture reads from outside, and from inside nobody sees it.
    """

    origin: Floats
    across: Floats
    down: Floats
    texture: Picture
    repeat: tuple[float, float] = (1.0, 1.0)
    bright: float = 1.0
    closed: bool = False

    @property
    def corners(self) -> Floats:
        """float64 [4, 3], metres."""
        o = self.origin
        return np.stack([o, o + self.across, o + self.across + self.down, o + self.down])


@dataclass(slots=True, eq=False)
class Layer:
    """Colours and depths that quads are painted into.

    Args:
        colour: uint8 [height, width, 3], BGR.
        depth: float32 [height, width], metres along the camera's axis.
    """

    colour: Picture
    depth: NDArray[np.float32]

    @classmethod
    def empty(cls, camera: Camera) -> Layer:
        """Nothing but darkness."""
        shape = camera.height, camera.width
        return cls(np.full((*shape, 3), 40, np.uint8), np.full(shape, FAR_M, np.float32))


Region = tuple[int, int, int, int]


def region_of(camera: Camera, corners: Floats) -> Region:
    """The pixels x0, y0, x1, y1 (past the end) that corners [N, 3] can cover; may be empty."""
    seen = camera.project(corners)
    if seen[:, 2].max() < NEAR_M:
        return 0, 0, 0, 0
    if seen[:, 2].min() < NEAR_M:
        return 0, 0, camera.width, camera.height
    x0, y0 = np.floor(seen[:, :2].min(axis=0)).astype(int)
    x1, y1 = np.ceil(seen[:, :2].max(axis=0)).astype(int) + 1
    return max(0, x0), max(0, y0), min(camera.width, x1), min(camera.height, y1)


def paint(layer: Layer, camera: Camera, quads: Sequence[Quad]) -> None:
    """Draw quads, each where nothing nearer is.

    A pixel's ray is cut with the quad's plane: the inverse of the 3 x 3 matrix that takes
    (across, down, 1) to the picture gives (across, down, 1) / depth for every pixel.
    """
    if not quads:
        return
    origins = np.array([quad.origin for quad in quads])
    across = np.array([quad.across for quad in quads])
    down = np.array([quad.down for quad in quads])
    outward = np.cross(down, across)
    towards = ((camera.position - origins) * outward).sum(axis=1)
    closed = np.array([quad.closed for quad in quads])
    corners = np.stack([origins, origins + across, origins + across + down, origins + down], 1)
    placed = camera.project(corners)
    regions = _regions(camera, placed)
    basis = np.stack([across, down, origins - camera.position], axis=2)
    seen = camera.rotation @ basis
    lens = np.array(
        [
            [camera.focal, 0, camera.width / 2],
            [0, camera.focal, camera.height / 2],
            [0, 0, 1],
        ]
    )
    matrices = lens @ seen
    # Seen edge-on a quad has no area.
    drawn = (np.abs(np.linalg.det(matrices)) > 1e-9) & (~closed | (towards > 0))
    drawn &= (regions[:, 2] > regions[:, 0]) & (regions[:, 3] > regions[:, 1])
    for index in drawn.nonzero()[0]:
        x0, y0, x1, y1 = regions[index].tolist()
        inverse = np.linalg.inv(matrices[index])
        _paint_one(layer, quads[index], placed[index], inverse, (x0, y0, x1, y1))


def _regions(camera: Camera, placed: Floats) -> NDArray[np.int64]:
    """The pixels x0, y0, x1, y1 (past the end) of each quad's corners [N, 4, 3]."""
    size = np.array([camera.width, camera.height])
    xy = np.clip(placed[:, :, :2], -1e6, 1e6)
    low = np.clip(np.floor(xy.min(axis=1)), 0, size).astype(np.int64)
    high = np.clip(np.ceil(xy.max(axis=1)) + 1, 0, size).astype(np.int64)
    depth = placed[:, :, 2]
    cut = depth.min(axis=1) < NEAR_M
    low[cut], high[cut] = 0, size
    high[depth.max(axis=1) < NEAR_M] = 0
    return np.concatenate([low, high], axis=1)


def _paint_one(layer: Layer, quad: Quad, placed: Floats, inverse: Floats, region: Region) -> None:
    x0, y0, x1, y1 = region
    xs = np.arange(x0, x1, dtype=np.float32) + 0.5
    ys = (np.arange(y0, y1, dtype=np.float32) + 0.5)[:, None]
    a, b, nearness = (
        np.float32(r[0]) * xs + (np.float32(r[1]) * ys + np.float32(r[2])) for r in inverse
    )
    # Behind the camera or past the last wall: nowhere on the quad.
    beyond = nearness < 1 / FAR_M
    nearness[beyond] = 1 / FAR_M
    depth = 1 / nearness
    a *= depth
    b *= depth
    before = layer.depth[y0:y1, x0:x1]
    # Parts of one fixture that touch are told apart by the order in which they are drawn.
    mask = (a >= 0) & (a <= 1) & (b >= 0) & (b <= 1) & (depth <= before + 1e-4) & ~beyond
    if not mask.any():
        return
    texture = _minified(quad, placed)
    height, width = texture.shape[:2]
    found = cv2.remap(
        texture,
        a * np.float32(width * quad.repeat[0]) - np.float32(0.5),
        b * np.float32(height * quad.repeat[1]) - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if quad.repeat == (1.0, 1.0) else cv2.BORDER_WRAP,
    )
    if found.shape[2] == 4:
        mask &= found[:, :, 3] >= 128
        found = found[:, :, :3]
    if quad.bright != 1:
        found = cv2.convertScaleAbs(found, alpha=quad.bright)
    marked = mask.view(np.uint8)
    cv2.copyTo(found, marked, layer.colour[y0:y1, x0:x1])
    cv2.copyTo(depth, marked, before)


def _minified(quad: Quad, seen: Floats) -> Picture:
    """The texture, smaller where one pixel of the picture would skip many of its own."""
    if seen[:, 2].min() < NEAR_M:
        return quad.texture
    sides = np.hypot(*(seen[[1, 2, 3, 0], :2] - seen[:, :2]).T)
    height, width = quad.texture.shape[:2]
    fit_w = max(2, round(max(sides[0], sides[2]) / quad.repeat[0]))
    fit_h = max(2, round(max(sides[1], sides[3]) / quad.repeat[1]))
    if fit_w * 1.3 >= width and fit_h * 1.3 >= height:
        return quad.texture
    size = (min(width, fit_w), min(height, fit_h))
    return np.asarray(cv2.resize(quad.texture, size, interpolation=cv2.INTER_AREA), np.uint8)
