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

# OpenCV samples pictures, not lists: so many places to a row.
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
    mixed = np.einsum("nck,nc->kn", values[seen.corner], seen.weight)
    albedo = _sample(figure.pictures, size[1], mixed[0], mixed[1])
    tone = mixed[2] * _crevices(seen, size)
    albedo *= tone[:, None] * light.tint.astype(np.float32)
    picture = np.zeros((size[0] * size[1], 3), np.float32)
    picture[seen.pixel] = albedo
    return picture.reshape(size[1], size[0], 3)


def _lit(points: Floats, normals: Floats, camera: Camera, light: Light) -> Floats:
    """Brightness of each vertex, 1 = the colour as painted."""
    towards = camera.position - points
    towards /= np.sqrt(np.einsum("vi,vi->v", towards, towards))[:, None]
    facing = np.einsum("vi,vi->v", normals, towards)
    # Two-sided sheets are lit on the side that is seen.
    normals = np.where(facing[:, None] < -0.3, -normals, normals)
    lamp = np.maximum((normals @ np.array(light.direction) + 0.2) / 1.2, 0)
    sky = 0.80 + 0.20 * normals[:, 2]
    rim = np.maximum(1 - np.abs(facing), 0) ** 4
    return np.asarray(light.ambient * sky + light.strength * lamp + 0.06 * rim)


def _sample(pictures: list[NDArray[np.uint8]], height: int, x: Floats32, y: Floats32) -> Floats32:
    """Colours at N places of the full atlas, float32 [N, 3].

    Args:
        pictures: the atlas at falling sizes.
        height: of the figure on the screen, pixels; chooses the size.
        x: float32 [N].
        y: float32 [N].
    """
    level = int(np.clip(np.log2(440 / max(height, 1)), 0, len(pictures) - 1))
    count = len(x)
    maps = np.zeros((2, -(-max(count, 1) // _RUN) * _RUN), np.float32)
    maps[0, :count], maps[1, :count] = x, y
    maps = ((maps + 0.5) / 2**level - 0.5).reshape(2, -1, _RUN)
    found = cv2.remap(pictures[level], maps[0], maps[1], cv2.INTER_LINEAR)
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
    spots = joints[feet]
    middle = spots.mean(0)
    placed = camera.project(np.concatenate([spots, middle[None]]) * (1, 1, 0))
    if (placed[:, 2] < 0.3).any():
        return
    per_metre = camera.focal / placed[4, 2]
    reach = 0.45 * build.height / 1.75 * per_metre
    low = np.floor(placed[:, :2].min(0) - reach).astype(int)
    high = np.ceil(placed[:, :2].max(0) + reach).astype(int)
    x0, y0 = max(low[0], 0), max(low[1], 0)
    x1, y1 = min(high[0], camera.width), min(high[1], camera.height)
    if x1 <= x0 or y1 <= y0:
        return
    here = np.s_[y0:y1, x0:x1]
    dark = _darkness(
        camera, spots, middle, build.height / 1.75, (x0, y0, x1, y1), canvas.depth[here]
    )
    if dark is not None:
        kept = cv2.resize(1 - dark, (x1 - x0, y1 - y0), interpolation=cv2.INTER_LINEAR)
        colour = canvas.colour[here]
        cv2.multiply(colour, cv2.merge([kept] * 3), dst=colour, dtype=cv2.CV_8U)


def _darkness(
    camera: Camera,
    spots: Floats,
    middle: Floats,
    scale: float,
    window: tuple[int, int, int, int],
    depth: Floats32,
) -> Floats32 | None:
    """The light that feet take from the floor, 0..1 on every other pixel; None = no floor here.

    Args:
        camera: looks on.
        spots: float64 [4, 3], ankles and toes; z is how high they are.
        middle: float64 [3], between them.
        scale: of the body.
        window: x0, y0, x1, y1.
        depth: of the window's pixels.
    """
    x0, y0, x1, y1 = window
    across = ((np.arange(x0, x1, 2, np.float32) + 1 - camera.width / 2) / camera.focal)[None, :]
    along = ((np.arange(y0, y1, 2, np.float32) + 1 - camera.height / 2) / camera.focal)[:, None]
    right, down, forward = camera.rotation.astype(np.float32)
    fall = np.minimum(across * right[2] + along * down[2] + forward[2], -1e-3)
    far = np.float32(-camera.position[2]) / fall
    floor = np.abs(depth[::2, ::2] - far) < 0.04 * far
    if not floor.any():
        return None
    x = far * (across * right[0] + along * down[0] + forward[0]) + np.float32(camera.position[0])
    y = far * (across * right[1] + along * down[1] + forward[1]) + np.float32(camera.position[1])
    dark = 0.28 * np.exp(((x - middle[0]) ** 2 + (y - middle[1]) ** 2) / -((0.30 * scale) ** 2))
    for spot in spots:
        near = np.exp(((x - spot[0]) ** 2 + (y - spot[1]) ** 2) / -((0.09 * scale) ** 2))
        np.maximum(dark, (0.55 - min(max(2.5 * (spot[2] - 0.05), 0.0), 0.4)) * near, out=dark)
    return np.asarray(dark * floor, np.float32)
