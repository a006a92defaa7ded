"""What glass and sensor do to a picture: distortion, vignette, exposure, blur, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.scene.camera import Floats
from models.scene.quads import Picture
from models.scene.textures import Rng

# Frames of noise kept ready; each frame lays a shifted one over the picture.
_BANK = 4


@dataclass(frozen=True, slots=True)
class Lens:
    """One camera's faults, the same through a clip.

    Args:
        bulge: radial distortion: a point at the half-width comes from 1 + bulge times as far out,
            scaled so that the corners stay covered.
        vignette: light lost in the corners, 0..1.
        noise: standard deviation in grey levels.
        blotch: size of the noise's grains, pixels.
        blur: standard deviation in pixels.
        gain: exposure.
        flicker: standard deviation of the exposure from frame to frame.
        contrast: 1 = as it is.
        saturation: 1 = as it is.
        tint: gains of blue, green and red.
        jpeg: quality, 1..100, or None.
        shutter_s: how long one picture is exposed: what moves is blurred.
    """

    bulge: float = 0.0
    vignette: float = 0.0
    noise: float = 0.0
    blotch: float = 0.6
    blur: float = 0.0
    gain: float = 1.0
    flicker: float = 0.0
    contrast: float = 1.0
    saturation: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    jpeg: int | None = None
    shutter_s: float = 0.0

    @classmethod
    def random(cls, rng: Rng, strong: bool = False) -> Lens:
        """Some shop camera; strong = also bad ones, and ones out of tune."""
        wide = 1.0 if strong else 0.45
        tint = 1 + wide * rng.normal(0, 0.08, 3)
        return cls(
            bulge=float(rng.uniform(-0.01, 0.05)),
            vignette=float(rng.uniform(0, 0.25 + 0.15 * strong)),
            noise=float(rng.gamma(2.0, 3.0 if strong else 1.3)),
            blotch=float(rng.uniform(0.3, 1.3)),
            blur=float(rng.uniform(0, 1.2 if strong else 0.6)),
            gain=float(np.exp(wide * rng.normal(0.0, 0.22))),
            flicker=float(rng.uniform(0, 0.012)),
            contrast=float(np.exp(wide * rng.normal(0, 0.18))),
            saturation=float(np.clip(rng.normal(0.8, 0.3 * wide), 0, 1.5)),
            tint=(float(tint[0]), float(tint[1]), float(tint[2])),
            shutter_s=float(rng.uniform(0.004, 0.04)),
            jpeg=int(rng.integers(25, 96)) if strong and rng.random() < 0.5 else None,
        )


class Sensor:
    """Applies a lens to pictures of one size.

    Args:
        lens: the faults.
        size: width, height, pixels.
        rng: for the noise; each picture's shift comes with the picture.
        bank: pictures of noise kept ready.
    """

    def __init__(self, lens: Lens, size: tuple[int, int], rng: Rng, bank: int = _BANK) -> None:
        self.lens = lens
        self._size = size
        self._scale = self._corner_scale()
        self._maps = self._remap()
        self._bank = [_noise(rng, lens, size) for _ in range(bank)] if lens.noise > 0.3 else []
        self._shading = self._shade()
        self._curve = np.arange(256, dtype=np.float64)

    def expose(self, picture: Picture, rng: Rng) -> Picture:
        """The picture as the camera gives it; the same rng state, the same picture."""
        lens = self.lens
        bent: NDArray[Any] = picture
        if lens.bulge:
            bent = cv2.remap(
                picture, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        if lens.blur > 0.25:
            bent = cv2.GaussianBlur(bent, (0, 0), lens.blur)
        if self._shading is not None:
            bent = cv2.multiply(bent, self._shading, scale=1 / 255)
        exposure = lens.gain * (1 + lens.flicker * float(rng.normal()))
        bent = cv2.LUT(bent, self._table(exposure))
        if abs(lens.saturation - 1) > 0.02:
            bent = _saturated(np.asarray(bent, np.uint8), lens.saturation)
        if self._bank:
            bent = self._noisy(np.asarray(bent, np.uint8), rng)
        if lens.jpeg is not None:
            good, packed = cv2.imencode(".jpg", bent, [cv2.IMWRITE_JPEG_QUALITY, lens.jpeg])
            bent = cv2.imdecode(packed, cv2.IMREAD_COLOR) if good else bent
        return np.asarray(bent, np.uint8)

    def places(self, points: Floats) -> Floats:
        """Where points [..., 2] (pixels) of the undistorted picture lie in the exposed one."""
        half = np.array(self._size) / 2
        source = (np.asarray(points, np.float64) - half) / half[0]
        radius = np.sqrt((source**2).sum(axis=-1, keepdims=True))
        seen = radius.copy()
        # Newton's method on scale * r (1 + bulge r^2) = radius.
        for _ in range(6):
            off = self._scale * seen * (1 + self.lens.bulge * seen**2) - radius
            seen = seen - off / (self._scale * (1 + 3 * self.lens.bulge * seen**2))
        share = np.where(radius > 1e-9, seen / np.maximum(radius, 1e-9), 1 / self._scale)
        placed: Floats = source * share * half[0] + half
        return placed

    def boxes(self, boxes: Floats) -> Floats:
        """Boxes [N, 4] (pixels) likewise; cut at the frame. Each side goes with its middle."""
        x0, y0, x1, y1 = np.asarray(boxes, np.float64).reshape(-1, 4).T
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        sides = np.stack([np.stack(s, -1) for s in ((x0, y), (x, y0), (x1, y), (x, y1))], axis=1)
        placed = self.places(sides)
        # A side on the frame's border is cut off there and stays.
        width, height = self._size
        out = np.stack([placed[:, 0, 0], placed[:, 1, 1], placed[:, 2, 0], placed[:, 3, 1]], 1)
        out[:, 0] = np.where(x0 <= 0.5, 0, out[:, 0])
        out[:, 1] = np.where(y0 <= 0.5, 0, out[:, 1])
        out[:, 2] = np.where(x1 >= width - 0.5, width, out[:, 2])
        out[:, 3] = np.where(y1 >= height - 0.5, height, out[:, 3])
        out[:, [0, 2]] = out[:, [0, 2]].clip(0, width)
        out[:, [1, 3]] = out[:, [1, 3]].clip(0, height)
        return np.asarray(out, np.float64)

    def _corner_scale(self) -> float:
        """So that the picture's corner comes from the drawn picture's corner at most."""
        corner = float(np.hypot(1, self._size[1] / self._size[0]))
        farthest = max(corner**2, 0.0)
        bulge = self.lens.bulge
        return 1 / (1 + bulge * farthest) if bulge > 0 else 1.0

    def _remap(self) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
        width, height = self._size
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float64) + 0.5
        x, y = (xs - width / 2) / (width / 2), (ys - height / 2) / (width / 2)
        far = self._scale * (1 + self.lens.bulge * (x * x + y * y))
        from_x = (x * far * width / 2 + width / 2 - 0.5).astype(np.float32)
        from_y = (y * far * width / 2 + height / 2 - 0.5).astype(np.float32)
        fixed, rest = cv2.convertMaps(from_x, from_y, cv2.CV_16SC2)
        return np.asarray(fixed, np.int16), np.asarray(rest, np.uint16)

    def _shade(self) -> Picture | None:
        if self.lens.vignette < 0.02:
            return None
        width, height = self._size
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        light = 255 * (1 - self.lens.vignette * (x * x + y * y) / 2)
        return np.asarray(cv2.merge([light.astype(np.uint8)] * 3), np.uint8)

    def _table(self, exposure: float) -> Picture:
        grey = (self._curve * exposure - 118) * self.lens.contrast + 118
        levels = grey[:, None] * np.array(self.lens.tint)
        table: Picture = np.clip(levels, 0, 255).astype(np.uint8).reshape(256, 1, 3)
        return table

    def _noisy(self, picture: Picture, rng: Rng) -> Picture:
        width, height = self._size
        which, dx, dy = (
            int(rng.integers(len(self._bank))),
            int(rng.integers(16)),
            int(rng.integers(16)),
        )
        noise = self._bank[which][dy : dy + height, dx : dx + width]
        return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def _noise(rng: Rng, lens: Lens, size: tuple[int, int]) -> NDArray[np.int8]:
    width, height = size
    # A quarter of the picture, laid side by side: nobody sees noise repeat.
    shape = height // 2 + 8, width // 2 + 8
    noise: NDArray[Any] = rng.standard_normal((*shape, 3), dtype=np.float32)
    if lens.blotch > 0.35:
        noise = cv2.GaussianBlur(noise, (0, 0), lens.blotch, borderType=cv2.BORDER_REFLECT)
        noise = noise / max(1e-6, float(noise.std()))
    # Most of a sensor's noise is brightness, some is colour.
    grey = rng.standard_normal((*shape, 1), dtype=np.float32)
    mixed = np.clip(lens.noise * (0.6 * noise + 0.8 * grey), -127, 127).astype(np.int8)
    return np.tile(mixed, (2, 2, 1))


def _saturated(picture: Picture, saturation: float) -> Picture:
    # ITU-R BT.601 luma, in the order blue, green, red.
    luma = np.array([0.114, 0.587, 0.299])
    matrix = saturation * np.eye(3) + (1 - saturation) * luma[None, :]
    return np.asarray(cv2.transform(picture, matrix))
