"""Draws people: smooth dressed bodies with light, shadow and true depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.body import body, build_random
from models.scene.camera import Camera
from models.scene.canvas import NOBODY, Canvas
from models.scene.keypoints import keypoints
from models.scene.light import Light
from models.scene.look import Look
from models.scene.raster import Fragments, rasterise
from models.scene.shade import contact_shadow, shade
from models.scene.sheet import Mesh
from models.scene.stance import Build, Joint, Stance

__all__ = ["Drawn", "Light", "Look", "build_random", "draw", "keypoints"]

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

# What comes nearer to the camera than this is not drawn, metres.
_NEAR_M = 0.15
# Figures smaller than this are drawn at twice their size and shrunk, pixels.
_SMALL_PX = 150


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was drawn of a person.

    Args:
        box: x0, y0, x1, y1 in pixels of the whole silhouette, what hides it notwithstanding,
            clipped to the frame; all 0 when none of it is inside.
        pixels: of the silhouette inside the frame, before anything hides it.
        cut: estimated share of the body outside the frame, 0..1.
    """

    box: tuple[float, float, float, float]
    pixels: int
    cut: float


def draw(
    canvas: Canvas,
    camera: Camera,
    light: Light,
    build: Build,
    look: Look,
    stance: Stance,
    person: int,
) -> Drawn:
    """Draw a person into the picture, behind what is nearer than they are.

    Args:
        canvas: is changed: colour, depth and owner. A bag beside the body is nobody's.
        camera: looks on.
        light: of the shop.
        build: proportions.
        look: clothes, skin, hair.
        stance: joints at this moment.
        person: 1..255, written to the owners.
    """
    figure = body(build, look, _shoulder(build, stance))
    mesh = figure.mesh
    points, normals = figure.pose(stance)
    placed = camera.project(points)
    x, y, depth = placed.T
    ahead = depth > _NEAR_M
    inside = ahead & (x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height)
    cut = float(min(max(1 - figure.area[inside].sum(), 0.0), 1.0))
    nothing = Drawn((0.0, 0.0, 0.0, 0.0), 0, cut)
    if not ahead.any():
        return nothing
    contact_shadow(canvas, camera, stance, build)
    own = ahead & (figure.area > 0)
    window = _window(placed[ahead, :2], camera)
    if window is None or not own.any():
        return nothing
    scale = 2 if camera.focal * build.height / float(depth.mean()) < _SMALL_PX else 1
    flat = ((placed[:, :2] - window[:2]) * scale).astype(np.float32)
    size = ((window[2] - window[0]) * scale, (window[3] - window[1]) * scale)
    closeness = (1 / np.maximum(depth, 1e-3)).astype(np.float32)
    quads, counts = _facing(flat, mesh, ahead)
    seen = rasterise(flat, closeness, quads, counts, size)
    picture = shade(seen, figure, points, normals, camera, light, size)
    pixels = _merge(canvas, window, scale, seen, picture, person)
    return Drawn(_box(placed[own, :2], camera), pixels, cut) if pixels else nothing


def _shoulder(build: Build, stance: Stance) -> float:
    """Half the shoulders' distance as a share of the height, rounded: bodies are kept by it."""
    apart = stance.joints[Joint.LEFT_SHOULDER] - stance.joints[Joint.RIGHT_SHOULDER]
    half = float(np.linalg.norm(apart)) / 2 / build.height
    return min(max(round(half * 100) / 100, 0.07), 0.16)


def _box(xy: Floats, camera: Camera) -> tuple[float, float, float, float]:
    low = np.clip(xy.min(0), 0, (camera.width, camera.height))
    high = np.clip(xy.max(0), 0, (camera.width, camera.height))
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def _window(xy: Floats, camera: Camera) -> tuple[int, int, int, int] | None:
    """Whole pixels around the figure, with one to spare, inside the frame."""
    low = np.maximum(np.floor(xy.min(0)) - 1, 0).astype(int)
    high = np.minimum(np.ceil(xy.max(0)) + 1, (camera.width, camera.height)).astype(int)
    if (high <= low).any():
        return None
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _facing(
    flat: Floats32, mesh: Mesh, ahead: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The quads that face the camera, wound one way, and which of them are of the body."""
    quads = mesh.quads
    turns = quads.T
    x, y = flat[:, 0][turns], flat[:, 1][turns]
    area = (x[2] - x[0]) * (y[3] - y[1]) - (y[2] - y[0]) * (x[3] - x[1])
    # On the screen y points down, which turns the winding round.
    seen = (area * mesh.outward[turns[0]] < 0) | mesh.two_sided
    if not ahead.all():
        seen &= ahead[quads].all(1)
    kept = np.flatnonzero(seen)
    wound = quads[kept]
    wound = np.where((area[kept] < 0)[:, None], wound[:, ::-1], wound)
    return wound, ~mesh.worn[kept]


def _shrunk(image: Floats32, size: tuple[int, int]) -> Floats32:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _merge(
    canvas: Canvas,
    window: tuple[int, int, int, int],
    scale: int,
    seen: Fragments,
    picture: Floats32,
    person: int,
) -> int:
    """Put the figure behind what is nearer; returns the silhouette's pixels."""
    x0, y0, x1, y1 = window
    rows, columns = (y1 - y0) * scale, (x1 - x0) * scale
    close = np.zeros(rows * columns, np.float32)
    close[seen.pixel] = seen.closeness
    close = close.reshape(rows, columns)
    bare = seen.bare.reshape(rows, columns).astype(np.float32)
    share = (close > 0).astype(np.float32)
    if scale == 2:
        close = close.reshape(y1 - y0, 2, x1 - x0, 2).max((1, 3))
        inside = (x1 - x0, y1 - y0)
        share, bare, picture = (_shrunk(one, inside) for one in (share, bare, picture))
    here = np.s_[y0:y1, x0:x1]
    colour, depth = canvas.colour[here], canvas.depth[here]
    nearer = close * depth > 1
    share *= nearer
    picture *= nearer[..., None]
    # A lens spreads an edge over its neighbours; inside, what is sharp stays so.
    soft = cv2.GaussianBlur(share, (3, 3), 0.55)
    blurred = cv2.GaussianBlur(picture, (3, 3), 0.55)
    inner = (soft > 0.996)[..., None]
    mixed = np.where(inner, picture, blurred + (1 - soft)[..., None] * colour)
    colour[...] = cv2.convertScaleAbs(mixed)
    solid = nearer & (share >= 0.5)
    depth[solid] = 1 / close[solid]
    canvas.owner[here][solid] = np.where(bare[solid] >= 0.5, person, NOBODY)
    return int((bare >= 0.5).sum())
