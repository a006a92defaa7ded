"""Draws people: smooth dressed bodies with light, shadow and true depth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.body import Body, body, build_random
from models.scene.camera import Camera
from models.scene.canvas import NOBODY, Canvas
from models.scene.keypoints import keypoints
from models.scene.light import Light
from models.scene.look import Look
from models.scene.raster import Fragments, rasterise
from models.scene.shade import contact_shadow, shade
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
    points, normals = figure.pose(stance)
    placed = camera.project(points)
    mesh = figure.mesh
    ahead = (placed[:, 2] > _NEAR_M)[mesh.quads].all(1)
    of_body = ahead & ~mesh.worn
    inside = _inside(placed, camera)
    cut = _cut(points, mesh.quads[~mesh.worn], inside & (placed[:, 2] > _NEAR_M))
    if not of_body.any():
        return Drawn((0.0, 0.0, 0.0, 0.0), 0, cut)
    contact_shadow(canvas, camera, stance, build)
    box = _box(placed[np.unique(mesh.quads[of_body]), :2], camera)
    window = _window(placed[np.unique(mesh.quads[ahead]), :2], camera)
    if window is None or box[2] <= box[0] or box[3] <= box[1]:
        return Drawn((0.0, 0.0, 0.0, 0.0), 0, cut)
    scale = 2 if camera.focal * build.height / float(placed[:, 2].min()) < _SMALL_PX else 1
    flat = (placed[:, :2] - window[:2]) * scale
    size = ((window[2] - window[0]) * scale, (window[3] - window[1]) * scale)
    seen = _fragments(flat, placed[:, 2], figure, ahead, size)
    picture = shade(seen, figure, points, normals, camera, light, size)
    pixels = _merge(canvas, window, scale, seen, picture, person, mesh.worn)
    return Drawn(box, pixels, cut)


def _shoulder(build: Build, stance: Stance) -> float:
    """Half the shoulders' distance as a share of the height, rounded: bodies are kept by it."""
    apart = stance.joints[Joint.LEFT_SHOULDER] - stance.joints[Joint.RIGHT_SHOULDER]
    half = float(np.linalg.norm(apart)) / 2 / build.height
    return min(max(round(half * 100) / 100, 0.07), 0.16)


def _inside(placed: Floats, camera: Camera) -> NDArray[np.bool_]:
    x, y = placed[:, 0], placed[:, 1]
    return np.asarray((x >= 0) & (x < camera.width) & (y >= 0) & (y < camera.height))


def _cut(points: Floats, quads: NDArray[np.int64], inside: NDArray[np.bool_]) -> float:
    """Share of the skin outside the frame."""
    a, b, c, d = points[quads].transpose(1, 0, 2)
    area = np.linalg.norm(np.cross(c - a, d - b), axis=1)
    return float(1 - (area * inside[quads].mean(1)).sum() / area.sum())


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


def _fragments(
    flat: Floats, depth: Floats, figure: Body, ahead: NDArray[np.bool_], size: tuple[int, int]
) -> Fragments:
    """The quads that face the camera, rasterised."""
    mesh = figure.mesh
    quads = mesh.quads
    a, b, c, d = flat[quads].transpose(1, 0, 2)
    diagonal, other = c - a, d - b
    area = diagonal[:, 0] * other[:, 1] - diagonal[:, 1] * other[:, 0]
    # On the screen y points down, which turns the winding round.
    facing = -area * mesh.outward[quads[:, 0]]
    kept = np.flatnonzero(ahead & ((facing > 0) | mesh.two_sided))
    wound = quads[kept]
    wound = np.where((area[kept] < 0)[:, None], wound[:, ::-1], wound)
    seen = rasterise(
        flat.astype(np.float32),
        (1 / np.maximum(depth, 1e-3)).astype(np.float32),
        wound,
        ~mesh.worn[kept],
        size,
    )
    return Fragments(
        seen.pixel, seen.corner, seen.weight, seen.closeness, kept[seen.quad], seen.bare
    )


def _merge(
    canvas: Canvas,
    window: tuple[int, int, int, int],
    scale: int,
    seen: Fragments,
    picture: Floats32,
    person: int,
    worn: NDArray[np.bool_],
) -> int:
    """Put the figure behind what is nearer; returns the silhouette's pixels."""
    x0, y0, x1, y1 = window
    width, height = (x1 - x0) * scale, (y1 - y0) * scale
    depth = np.full(width * height, np.inf, np.float32)
    depth[seen.pixel] = 1 / seen.closeness
    depth = depth.reshape(height, width)
    bare = seen.bare.reshape(height, width)
    mask = np.isfinite(depth)
    if scale == 2:
        depth = depth.reshape(y1 - y0, 2, x1 - x0, 2).min((1, 3))
        share = mask.reshape(y1 - y0, 2, x1 - x0, 2).mean((1, 3), dtype=np.float32)
        bare = bare.reshape(y1 - y0, 2, x1 - x0, 2).mean((1, 3)) >= 0.5
        picture = cv2.resize(picture, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    else:
        share = mask.astype(np.float32)
    here = np.s_[y0:y1, x0:x1]
    nearer = depth < canvas.depth[here]
    share = share * nearer
    picture = picture * nearer[..., None]
    # A lens spreads an edge over its neighbours.
    soft = cv2.GaussianBlur(share, (3, 3), 0.55)
    edge = (soft > 0.004) & (soft < 0.996)
    blurred = cv2.GaussianBlur(picture, (3, 3), 0.55)
    colour = canvas.colour[here]
    mixed = np.where(edge[..., None], blurred, picture)
    keep = np.where(edge, 1 - soft, 1 - share)[..., None]
    touched = soft > 0.004
    canvas.colour[here] = np.where(
        touched[..., None], np.clip(mixed + keep * colour, 0, 255), colour
    ).astype(np.uint8)
    solid = nearer & (share >= 0.5)
    canvas.depth[here][solid] = depth[solid]
    canvas.owner[here][solid] = np.where(bare[solid], person, NOBODY)
    return int(bare.sum())
