"""Light on a figure, and the shadow at its feet."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.body import Body
from models.scene.camera import Camera
from models.scene.canvas import Canvas
from models.scene.light import Light
from models.scene.raster import Fragments
from models.scene.stance import Build, Joint, Stance

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]

_RUN = 256


def shade(
    seen: Fragments,
    figure: Body,
    points: Floats,
    normals: Floats,
    camera: Camera,
    light: Light,
    size: tuple[int, int],
) -> Floats32:
    """The figure's colours, float32 [height, width, 3], BGR; 0 where it is not.

    Args:
        seen: what is where.
        figure: its atlas and mesh.
        points: float64 [V, 3], in the shop.
        normals: float64 [V, 3], unit.
        camera: looks on.
        light: of the shop.
        size: width and height.
    """
    lit = _lit(points, normals, camera, light)
    values = np.concatenate([figure.mesh.uv, lit[:, None]], axis=1).astype(np.float32)
    mixed = np.einsum("nck,nc->nk", values[seen.corner], seen.weight)
    level = _level(figure, seen, size)
    albedo = _sample(figure.pictures[level], mixed[:, 0], mixed[:, 1])
    tone = mixed[:, 2] * _crevices(seen, size)
    colour = albedo * tone[:, None] * light.tint.astype(np.float32)
    picture = np.zeros((size[0] * size[1], 3), np.float32)
    picture[seen.pixel] = np.clip(colour, 0, 255)
    return picture.reshape(size[1], size[0], 3)


def _lit(points: Floats, normals: Floats, camera: Camera, light: Light) -> Floats:
    """Brightness of each vertex, 1 = the colour as painted."""
    towards = camera.position - points
    towards /= np.sqrt(np.einsum("vi,vi->v", towards, towards))[:, None]
    facing = np.einsum("vi,vi->v", normals, towards)
    # Two-sided sheets are lit on the side that is seen.
    normals = np.where(facing[:, None] < -0.3, -normals, normals)
    lamp = np.maximum((normals @ np.array(light.direction) + 0.2) / 1.2, 0)
    sky = 0.72 + 0.28 * normals[:, 2]
    rim = np.maximum(1 - np.abs(facing), 0) ** 4
    return np.asarray(light.ambient * sky + light.strength * lamp + 0.06 * rim)


def _level(figure: Body, seen: Fragments, size: tuple[int, int]) -> int:
    """The blurred atlas that fits the figure's size on the screen."""
    # An atlas texel is about 5 mm of a body.
    nearest = float(np.median(seen.closeness)) if len(seen.closeness) else 0.0
    del nearest
    height = size[1]
    return int(np.clip(np.log2(520 / max(height, 1)), 0, len(figure.pictures) - 1))


def _sample(picture: NDArray[np.uint8], x: Floats32, y: Floats32) -> Floats32:
    """Colours at N places, float32 [N, 3]."""
    count = len(x)
    padded = -(-max(count, 1) // _RUN) * _RUN
    maps = np.zeros((2, padded), np.float32)
    maps[0, :count], maps[1, :count] = x, y
    grid = maps.reshape(2, -1, _RUN)
    found = cv2.remap(picture, grid[0], grid[1], cv2.INTER_LINEAR)
    return found.reshape(-1, 3)[:count].astype(np.float32)


def _crevices(seen: Fragments, size: tuple[int, int]) -> Floats32:
    """Darker where nearer parts stand beside: between arm and trunk, under the chin; [N]."""
    width, height = size
    close = np.zeros(width * height, np.float32)
    close[seen.pixel] = seen.closeness
    reach = max(3, (height // 28) | 1)
    image = close.reshape(height, width)
    around = cv2.blur(image, (reach, reach))
    share = cv2.blur((image > 0).astype(np.float32), (reach, reach))
    mean = (around / np.maximum(share, 1e-3)).reshape(-1)[seen.pixel]
    behind = (mean - seen.closeness) / seen.closeness
    return np.asarray(1 - np.clip(behind * 9, 0, 0.38), np.float32)


def contact_shadow(canvas: Canvas, camera: Camera, stance: Stance, build: Build) -> None:
    """Darken the floor under and between the feet."""
    joints = stance.joints
    feet = [Joint.LEFT_ANKLE, Joint.LEFT_TOE, Joint.RIGHT_ANKLE, Joint.RIGHT_TOE]
    spots = joints[feet].copy()
    lift = np.maximum(spots[:, 2], 0)
    spots[:, 2] = 0
    middle = spots.mean(0)
    placed = camera.project(np.concatenate([spots, middle[None]]))
    if (placed[:, 2] < 0.3).any():
        return
    per_metre = camera.focal / placed[4, 2]
    reach = 0.55 * build.height / 1.75 * per_metre
    low = np.floor(placed[:, :2].min(0) - reach).astype(int)
    high = np.ceil(placed[:, :2].max(0) + reach).astype(int)
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(high[0], camera.width), min(high[1], camera.height)
    if x1 <= x0 or y1 <= y0:
        return
    # Rays to the floor: where each pixel's floor point is, and how far from the feet.
    px, py = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    right, down, forward = camera.rotation
    across, along = (px - camera.width / 2) / camera.focal, (py - camera.height / 2) / camera.focal
    ray_z = across * right[2] + along * down[2] + forward[2]
    depth = np.where(ray_z < -1e-3, -camera.position[2] / np.minimum(ray_z, -1e-3), np.inf)
    here = np.s_[y0:y1, x0:x1]
    floor = np.abs(canvas.depth[here] - depth) < 0.04 * depth
    if not floor.any():
        return
    safe = np.where(np.isfinite(depth), depth, 0)
    x = camera.position[0] + safe * (across * right[0] + along * down[0] + forward[0])
    y = camera.position[1] + safe * (across * right[1] + along * down[1] + forward[1])
    scale = build.height / 1.75
    dark = 0.28 * np.exp(-((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / (0.30 * scale) ** 2)
    for spot, up in zip(spots, lift, strict=True):
        near = (x - spot[0]) ** 2 + (y - spot[1]) ** 2
        dark = np.maximum(dark, (0.55 - min(2.5 * up, 0.4)) * np.exp(-near / (0.09 * scale) ** 2))
    kept = np.where(floor, 1 - dark, 1.0)[..., None]
    canvas.colour[here] = (canvas.colour[here] * kept).astype(np.uint8)
