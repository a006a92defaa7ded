"""Pictures to learn from: rendered once, kept on disk, cut anew at each use.

Randomness hangs on (seed, epoch, place in the epoch) alone: a training that was interrupted goes on
with the very pictures it would have seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.detector.fitting import fitted
from edge_agent.observations import Keypoint
from models.train.targets import People

# Kept at three quarters of the renderer's 640x360: enough to enlarge people by half when cutting.
KEPT = (480, 270)
# The network's input. Most rounds are spent on the smaller one: half the work a picture, and the
# larger one is soon learnt after it (progressive resizing; Touvron et al. 2019, FixRes).
INPUT, SMALL = (448, 256), (320, 192)


class Labelled(Protocol):
    """A picture with its people; `models.scene.sample.Sample` is one."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """[height, width, 3], BGR."""

    @property
    def boxes(self) -> NDArray[np.float32]:
        """[N, 4], x0 y0 x1 y1, fractions."""

    @property
    def visible(self) -> NDArray[np.float32]:
        """[N], 0..1."""

    @property
    def keypoints(self) -> NDArray[np.float32]:
        """[N, 17, 3], x y fractions and 0 = absent, 1 = hidden, 2 = visible."""


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """Pictures on disk.

    Args:
        images: uint8 [N, 270, 480, 3], BGR, mapped into memory.
        people: labels of each, fractions of the picture.
    """

    images: NDArray[np.uint8]
    people: list[People]

    def __len__(self) -> int:
        return len(self.people)


def write_store(folder: Path, samples: Iterable[Labelled], count: int) -> None:
    """Keep count samples; a folder without `done.json` is not whole."""
    folder.mkdir(parents=True, exist_ok=True)
    shape = (count, KEPT[1], KEPT[0], 3)
    images = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
        folder / "images.npy", "w+", np.uint8, shape
    )
    rows: list[NDArray[np.float32]] = []
    for index, sample in enumerate(samples):
        cv2.resize(sample.image, KEPT, dst=images[index], interpolation=cv2.INTER_AREA)
        for box, visible, keypoints in zip(
            sample.boxes, sample.visible, sample.keypoints, strict=True
        ):
            rows.append(
                np.concatenate(([index], box, [visible], keypoints.ravel())).astype(np.float32)
            )
    images.flush()
    np.save(folder / "people.npy", np.array(rows, np.float32).reshape(-1, 6 + 51))
    aside = folder / "done.json.part"
    aside.write_text(json.dumps({"count": count}))
    os.replace(aside, folder / "done.json")


def open_store(folders: list[Path]) -> Store:
    """All pictures of some folders, in order."""
    images, people = [], []
    for folder in folders:
        found = np.load(folder / "images.npy", mmap_mode="r")
        rows = np.load(folder / "people.npy")
        images.append(found)
        ends = np.searchsorted(rows[:, 0], np.arange(len(found) + 1))
        for start, end in pairwise(ends):
            mine = rows[start:end]
            people.append(People(mine[:, 1:5], mine[:, 5], mine[:, 6:].reshape(-1, 17, 3)))
    return Store(_Chained(images), people)  # type: ignore[arg-type]


class _Chained:
    """Arrays behind one another without copying them."""

    def __init__(self, parts: list[NDArray[np.uint8]]) -> None:
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        part = int(np.searchsorted(self._ends, index, side="right"))
        start = 0 if part == 0 else int(self._ends[part - 1])
        found: NDArray[np.uint8] = self._parts[part][index - start]
        return found


def batch(
    store: Store, seed: int, epoch: int, number: int, size: int, shape: tuple[int, int] = INPUT
) -> tuple[NDArray[np.uint8], list[People]]:
    """One batch of an epoch: uint8 [size, height, width, 3] RGB and the people of each picture.

    Args:
        store: all pictures.
        seed: of the recipe.
        epoch: which round.
        number: which batch of it.
        size: pictures in it.
        shape: width and height of the input, pixels.
    """
    order = np.random.default_rng([seed, epoch]).permutation(len(store))
    images = np.empty((size, shape[1], shape[0], 3), np.uint8)
    people = []
    for row, index in enumerate(order[number * size : (number + 1) * size].tolist()):
        rng = np.random.default_rng([seed, epoch, index])
        images[row], found = cut(store.images[index], store.people[index], rng, shape)
        people.append(found)
    return images, people


def whole(image: NDArray[np.uint8], people: People) -> tuple[NDArray[np.uint8], People]:
    """The picture as a unit would see it: fitted into the top left, padding below."""
    used = fitted(_USUAL, INPUT)
    return _cut(image, people, _Frame(INPUT, used, used[0] / image.shape[1], 0.0, 0.0, False))


def cut(
    image: NDArray[np.uint8],
    people: People,
    rng: np.random.Generator,
    shape: tuple[int, int] = INPUT,
) -> tuple[NDArray[np.uint8], People]:
    """A part of the picture: moved, resized, mirrored and recoloured at random."""
    sides = _USUAL if rng.random() < 0.8 else _OTHERS[int(rng.integers(len(_OTHERS)))]
    used = fitted(sides, shape)
    high, wide = image.shape[:2]
    zoom = max(used[0] / wide, used[1] / high)
    if rng.random() < 0.6:
        zoom *= float(np.exp(rng.uniform(np.log(0.75), np.log(1.5))))
    left = (used[0] - zoom * wide) * rng.random()
    top = (used[1] - zoom * high) * rng.random()
    frame = _Frame(shape, used, zoom, left, top, bool(rng.random() < 0.5))
    made, found = _cut(image, people, frame)
    return recoloured(made, rng), found


# Sides of pictures, width to height.
_USUAL = (16, 9)
_OTHERS = ((4, 3), (1, 1), (3, 4))


@dataclass(frozen=True, slots=True)
class _Frame:
    """Which part of a picture goes where.

    Args:
        shape: width and height of the input, pixels.
        used: width and height of the part of the input that is picture, pixels.
        zoom: pixels of the input a pixel of the picture.
        left, top: where the picture's corner comes to lie, pixels of the input.
        flip: mirrored.
    """

    shape: tuple[int, int]
    used: tuple[int, int]
    zoom: float
    left: float
    top: float
    flip: bool


def _cut(
    image: NDArray[np.uint8], people: People, frame: _Frame
) -> tuple[NDArray[np.uint8], People]:
    high, wide = image.shape[:2]
    (across, down), zoom = frame.used, frame.zoom
    half = (zoom - 1) / 2
    matrix = np.array([[zoom, 0, frame.left + half], [0, zoom, frame.top + half]])
    if frame.flip:
        matrix[0] = [-zoom, 0, across - frame.left - 1 - half]
    made = np.zeros((frame.shape[1], frame.shape[0], 3), np.uint8)
    grey = int(image[::32, ::32].mean())
    part = cv2.warpAffine(
        image, matrix, (across, down), flags=cv2.INTER_LINEAR, borderValue=(grey, grey, grey)
    )
    made[:down, :across] = part[..., ::-1]
    scale = np.array([wide * zoom, high * zoom], np.float32)
    corner = np.array([frame.left, frame.top], np.float32)
    boxes = people.boxes.reshape(-1, 2, 2) * scale + corner
    keypoints = people.keypoints.copy()
    keypoints[..., :2] = keypoints[..., :2] * scale + corner
    if frame.flip:
        boxes = np.stack([across - boxes[:, ::-1, 0], boxes[:, :, 1]], axis=-1)
        keypoints[..., 0] = across - keypoints[..., 0]
        keypoints = keypoints[:, Keypoint.OTHER_SIDE]
    whole_area = np.prod(boxes[:, 1] - boxes[:, 0], axis=-1)
    boxes = boxes.clip(0, [across, down])
    area = np.prod(boxes[:, 1] - boxes[:, 0], axis=-1)
    share = area / np.maximum(whole_area, 1e-6)
    x, y = keypoints[..., 0], keypoints[..., 1]
    out = (x < 0) | (x >= across) | (y < 0) | (y >= down)
    keypoints[out, 2] = 0
    kept = (area > 1) & (share > 0.02)
    found = People(
        boxes.reshape(-1, 4)[kept].astype(np.float32),
        (people.visible * share)[kept].astype(np.float32),
        keypoints[kept].astype(np.float32),
    )
    return made, found


def recoloured(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Another exposure, white balance and contrast; at times grey, noisy, blurred or packed."""
    table = np.arange(256, dtype=np.float32) / 255
    gain = np.exp(rng.normal(0, 0.2))
    gamma = np.exp(rng.normal(0, 0.2))
    tables = []
    for _ in range(3):
        tint = np.exp(rng.normal(0, 0.06))
        tables.append((255 * (table**gamma) * gain * tint).clip(0, 255))
    made = cv2.LUT(image, np.stack(tables, axis=-1).astype(np.uint8)[None])
    if rng.random() < 0.08:
        made = cv2.cvtColor(cv2.cvtColor(made, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if rng.random() < 0.2:
        made = cv2.GaussianBlur(made, (3, 3), float(rng.uniform(0.4, 1.0)))
    if rng.random() < 0.3:
        noise = rng.normal(0, rng.uniform(2, 10), made.shape[:2])[..., None]
        made = (made + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        # What a camera's encoder leaves of it.
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
        made = cv2.imdecode(cv2.imencode(".jpg", made, quality)[1], cv2.IMREAD_COLOR)
    return np.ascontiguousarray(made)
