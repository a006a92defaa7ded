"""A z-buffer for small quads, whole figures at a time in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# An edge counts this much of a pixel's square beyond itself, so that neighbours leave no cracks.
_SLACK = 0.02
# Quads are tried on squares of these sides, pixels, by the least that holds them; larger ones are
# cut in tiles of the last.
_SIDES = (2, 4, 6, 9, 14, 24, 48)


@dataclass(frozen=True, slots=True, eq=False)
class Fragments:
    """The nearest surface at each covered pixel.

    Args:
        pixel: int64 [N], row * width + column; no two are the same.
        corner: int64 [N, 3], the three vertices around it.
        weight: float32 [N, 3], theirs; they sum to 1.
        closeness: float32 [N], 1 / depth.
        bare: bool [height * width], covered by a quad that counts (see `rasterise`).
    """

    pixel: Ints
    corner: Ints
    weight: Floats32
    closeness: Floats32
    bare: Flags


def rasterise(
    xy: Floats32, closeness: Floats32, quads: Ints, counts: Flags, size: tuple[int, int]
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
    turns = quads.T
    x, y = xy[:, 0][turns], xy[:, 1][turns]
    left, right = _span(x, width)
    top, bottom = _span(y, height)
    side = np.maximum(right - left, bottom - top) + 1
    some = (right >= left) & (bottom >= top)
    order = np.where(some, np.searchsorted(_SIDES, side), -1)
    found = []
    for rank, most in enumerate(_SIDES):
        kept = np.flatnonzero(order == rank)
        if len(kept):
            corners = (x[:, kept], y[:, kept])
            found.append(_cover(corners, kept, (left[kept], top[kept]), most, size))
    for one in np.flatnonzero(order == len(_SIDES)):
        reach = (int(left[one]), int(top[one]), int(right[one]), int(bottom[one]))
        found.append(_cover_large((x[:, [one]], y[:, [one]]), one, reach, size))
    if not found:
        return _nothing(width * height)
    quad = np.concatenate([part[0] for part in found])
    pixel = np.concatenate([part[1] for part in found])
    edges = np.concatenate([part[2] for part in found], axis=1)
    return _nearest(quads, closeness, counts, (quad, pixel, edges), width * height)


_Found = tuple[Ints, Ints, Floats32]
_Corners = tuple[Floats32, Floats32]


def _span(places: Floats32, most: int) -> tuple[Ints, Ints]:
    """First and last pixel, inside the picture, whose middle [4, Q] corners enclose."""
    a, b, c, d = places
    low = np.minimum(np.minimum(a, b), np.minimum(c, d))
    high = np.maximum(np.maximum(a, b), np.maximum(c, d))
    first = np.ceil(low - (0.5 + _SLACK)).astype(np.int64)
    last = np.floor(high - (0.5 - _SLACK)).astype(np.int64)
    return np.maximum(first, 0), np.minimum(last, most - 1)


def _cover(
    corners: _Corners, names: Ints, low: tuple[Ints, Ints], side: int, size: tuple[int, int]
) -> _Found:
    """Pixels inside quads that fit squares of one size.

    Args:
        corners: x and y, [4, K].
        names: [K], their quads.
        low: x and y, [K], of the squares' first pixels.
        side: pixels.
        size: of the picture.

    Returns:
        Quad [N], pixel [N] and the values [3, N] of two edges of the triangle that the pixel is in
        and of the diagonal.
    """
    x = corners[0] - (low[0] + 0.5).astype(np.float32)
    y = corners[1] - (low[1] + 0.5).astype(np.float32)
    start, end = [0, 1, 2, 3, 0], [1, 2, 3, 0, 2]
    a, b = y[start] - y[end], x[end] - x[start]
    c = -(a * x[start] + b * y[start])
    step = np.arange(side, dtype=np.float32)
    lines = (b[..., None] * step + c[..., None])[..., None]
    values = lines + (a[..., None] * step)[..., None, :]
    first = values[4] <= 0
    one = np.where(first, values[0], values[2])
    two = np.where(first, values[1], values[3])
    inside = np.flatnonzero((one >= -_SLACK) & (two >= -_SLACK))
    quad, at = np.divmod(inside, side * side)
    row, column = np.divmod(at, side)
    column += low[0][quad]
    row += low[1][quad]
    # Squares may overhang the picture.
    fits = (column < size[0]) & (row < size[1])
    if not fits.all():
        inside, quad, column, row = inside[fits], quad[fits], column[fits], row[fits]
    edges = np.stack([one.ravel()[inside], two.ravel()[inside], values[4].ravel()[inside]])
    return names[quad], row * size[0] + column, edges


def _cover_large(
    corners: _Corners, name: np.int64, reach: tuple[int, int, int, int], size: tuple[int, int]
) -> _Found:
    """The same for one large quad, in tiles."""
    step = _SIDES[-1]
    columns, rows = np.arange(reach[0], reach[2] + 1, step), np.arange(reach[1], reach[3] + 1, step)
    x, y = np.meshgrid(columns, rows)
    copies = (np.repeat(corners[0], x.size, 1), np.repeat(corners[1], x.size, 1))
    return _cover(copies, np.full(x.size, name), (x.ravel(), y.ravel()), step, size)


def _nearest(
    quads: Ints, closeness: Floats32, counts: Flags, found: _Found, area: int
) -> Fragments:
    """Of all that covers a pixel the nearest."""
    quad, pixel, (one, two, diagonal) = found
    first = diagonal <= 0
    # Triangle 0 1 2 or 0 2 3; each edge's value is the far corner's share of the area.
    shares = np.stack([np.where(first, two, one), np.where(first, one, two), np.abs(diagonal)])
    np.maximum(shares, 0, out=shares)
    shares /= np.maximum(shares[0] + shares[1] + shares[2], 1e-9)
    corner = np.empty((3, len(quad)), np.int64)
    mine = quads[quad]
    corner[0], corner[1] = mine[:, 0], mine[:, 2]
    corner[2] = np.where(first, mine[:, 1], mine[:, 3])
    near = closeness[corner[0]] * shares[0]
    near += closeness[corner[1]] * shares[1]
    near += closeness[corner[2]] * shares[2]
    buffer = np.zeros(area, np.float32)
    np.maximum.at(buffer, pixel, near)
    bare = np.zeros(area, np.bool_)
    bare[pixel[counts[quad]]] = True
    front = np.flatnonzero(near >= buffer[pixel])
    # Of two that are equally near, the last is kept: one fragment a pixel.
    last = np.zeros(area, np.int64)
    last[pixel[front]] = front
    front = last[np.flatnonzero(buffer > 0)]
    return Fragments(pixel[front], corner[:, front].T, shares[:, front].T, near[front], bare)


def _nothing(area: int) -> Fragments:
    return Fragments(
        np.zeros(0, np.int64),
        np.zeros((0, 3), np.int64),
        np.zeros((0, 3), np.float32),
        np.zeros(0, np.float32),
        np.zeros(area, np.bool_),
    )
