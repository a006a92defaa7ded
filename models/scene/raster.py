"""A z-buffer for small quads, whole figures at a time in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]

# An edge counts this much of a pixel beyond itself, so that neighbours leave no cracks.
_SLACK = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Fragments:
    """The nearest surface at each covered pixel.

    Args:
        pixel: int64 [N], row * width + column.
        corner: int64 [N, 3], the three vertices around it.
        weight: float32 [N, 3], theirs; they sum to 1.
        closeness: float32 [N], 1 / depth.
        quad: int64 [N].
        bare: bool [height * width], covered by a quad that counts (see `rasterise`).
    """

    pixel: Ints
    corner: Ints
    weight: Floats32
    closeness: Floats32
    quad: Ints
    bare: NDArray[np.bool_]


def rasterise(
    xy: Floats32,
    closeness: Floats32,
    quads: Ints,
    counts: NDArray[np.bool_],
    size: tuple[int, int],
) -> Fragments:
    """Which quad is in front at which pixel.

    Args:
        xy: float32 [V, 2], pixels; the middle of the first pixel is (0.5, 0.5).
        closeness: float32 [V], 1 / depth.
        quads: int64 [Q, 4], wound so that their area is positive on the screen.
        counts: bool [Q], whether a quad marks `Fragments.bare`.
        size: width and height.
    """
    width, height = size
    corners = xy[quads]
    low = np.ceil(corners.min(1) - (0.5 + _SLACK)).astype(np.int64)
    high = np.floor(corners.max(1) - (0.5 - _SLACK)).astype(np.int64)
    np.maximum(low, 0, out=low)
    np.minimum(high, (width - 1, height - 1), out=high)
    span = high - low + 1
    kept = np.flatnonzero((span > 0).all(1))
    quads, corners, low, span = quads[kept], corners[kept], low[kept], span[kept]
    number = span[:, 0] * span[:, 1]
    owner = np.repeat(np.arange(len(kept)), number)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(number) - number, number)
    row = offset // span[owner, 0]
    x = low[owner, 0] + offset - row * span[owner, 0]
    y = low[owner, 1] + row
    pixel = y * width + x

    edges = _edges(corners)[owner]
    px, py = (x + 0.5).astype(np.float32), (y + 0.5).astype(np.float32)
    values = edges[:, 0] * px[:, None] + edges[:, 1] * py[:, None] + edges[:, 2]
    e01, e12, e23, e30, e02 = values.T
    first = e02 <= 0
    one, two = np.where(first, e01, e23), np.where(first, e12, e30)
    inside = np.flatnonzero((np.minimum(one, two) >= -_SLACK))
    first, owner, pixel = first[inside], owner[inside], pixel[inside]
    one, two, diagonal = one[inside], two[inside], np.abs(e02[inside])

    # Triangle 0 1 2 or 0 2 3; each edge's value is the far corner's share of the area.
    whole = np.maximum(one + two + diagonal, 1e-9)
    weight = np.empty((len(inside), 3), np.float32)
    weight[:, 0] = np.where(first, two, one)
    weight[:, 1] = np.where(first, one, two)
    weight[:, 2] = diagonal
    weight = np.clip(weight / whole[:, None], 0, 1)
    mine = quads[owner]
    corner = np.stack([mine[:, 0], mine[:, 2], np.where(first, mine[:, 1], mine[:, 3])], axis=1)
    near = np.einsum("nc,nc->n", closeness[corner], weight)

    buffer = np.zeros(width * height, np.float32)
    np.maximum.at(buffer, pixel, near)
    bare = np.zeros(width * height, np.bool_)
    bare[pixel[counts[kept][owner]]] = True
    front = np.flatnonzero(near >= buffer[pixel])
    # Of two that are equally near, the last is kept: one fragment a pixel.
    last = np.empty(width * height, np.int64)
    last[pixel[front]] = front
    front = front[last[pixel[front]] == front]
    return Fragments(
        pixel[front], corner[front], weight[front], near[front], kept[owner[front]], bare
    )


def _edges(corners: Floats32) -> Floats32:
    """Coefficients [Q, 3, 5] of x, y and 1 for edges 01 12 23 30 and the diagonal 02.

    Scaled so that the four edges' values are in pixels squared, positive inside.
    """
    start = corners[:, [0, 1, 2, 3, 0]]
    end = corners[:, [1, 2, 3, 0, 2]]
    step = end - start
    a, b = -step[..., 1], step[..., 0]
    c = -(a * start[..., 0] + b * start[..., 1])
    return np.stack([a, b, c], axis=1)
