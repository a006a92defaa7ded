"""Curved surfaces as grids of points that hang in frames, and the mesh that they make up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One surface.

    Args:
        local: float64 [rows, columns, 3], coordinates in each row's frame.
        frame: int64 [rows].
        tile: the piece of the atlas that colours it.
        v: float64 [rows], 0..1 down the tile; None = evenly.
        u: float64 [columns], 0..1 across the tile; None = evenly.
        closed: the last column is the first again.
        two_sided: seen from behind too.
        worn: on the body, not of it: a bag.
    """

    local: Floats
    frame: Ints
    tile: str
    v: Floats | None = None
    u: Floats | None = None
    closed: bool = True
    two_sided: bool = False
    worn: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """All surfaces of a body.

    Args:
        local: float64 [V, 3].
        frame: int64 [V].
        uv: float32 [V, 2], pixels of the atlas at full size.
        quads: int64 [Q, 4], vertices in turn.
        two_sided: bool [Q].
        worn: bool [Q].
        around: int64 [4, V], each vertex's neighbours: next and last column, next and last row.
        outward: float64 [V], 1 or -1: the sign of (columns x rows) that points out.
    """

    local: Floats
    frame: Ints
    uv: Floats32
    quads: Ints
    two_sided: NDArray[np.bool_]
    worn: NDArray[np.bool_]
    around: Ints
    outward: Floats

    def pose(self, frames: Floats) -> tuple[Floats, Floats]:
        """Points and unit normals, float64 [V, 3] both, in the shop."""
        placed = frames[self.frame]
        points = placed[:, 0] + np.einsum("vi,vij->vj", self.local, placed[:, 1:])
        return points, self.normals(points)

    def normals(self, points: Floats) -> Floats:
        """Outward unit normals of the vertices."""
        right, left, after, before = points[self.around]
        a, b = right - left, after - before
        normal: Floats = np.empty_like(a)
        normal[:, 0] = a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1]
        normal[:, 1] = a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]
        normal[:, 2] = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        length = np.sqrt(np.einsum("vi,vi->v", normal, normal))
        normal *= (self.outward / np.maximum(length, 1e-12))[:, None]
        return normal


def join(sheets: list[Sheet], tiles: dict[str, tuple[int, int, int, int]]) -> Mesh:
    """One mesh of many sheets.

    Args:
        sheets: the surfaces.
        tiles: of the atlas: x, y, width, height in pixels.
    """
    parts: list[dict[str, NDArray[Any]]] = []
    first = 0
    for sheet in sheets:
        parts.append(_part(sheet, tiles[sheet.tile], first))
        first += sheet.local.shape[0] * sheet.local.shape[1]
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    whole["around"] = whole["around"].T.copy()
    return Mesh(**whole)


def _part(sheet: Sheet, tile: tuple[int, int, int, int], first: int) -> dict[str, NDArray[Any]]:
    rows, columns = sheet.local.shape[:2]
    index = first + np.arange(rows * columns).reshape(rows, columns)
    v = np.linspace(0, 1, rows) if sheet.v is None else sheet.v
    u = np.linspace(0, 1, columns) if sheet.u is None else sheet.u
    x, y, width, height = tile
    # A margin keeps the neighbouring tile from bleeding in when the atlas is shrunk.
    margin = 4
    uv = np.empty((rows, columns, 2), np.float32)
    uv[..., 0] = x + margin + u[None, :] * (width - 2 * margin - 1)
    uv[..., 1] = y + margin + v[:, None] * (height - 2 * margin - 1)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], axis=-1)
    around = _neighbours(index, sheet.closed)
    return {
        "local": sheet.local.reshape(-1, 3),
        "frame": np.repeat(sheet.frame, columns),
        "uv": uv.reshape(-1, 2),
        "quads": quads.reshape(-1, 4),
        "two_sided": np.full(quads.shape[0] * quads.shape[1], sheet.two_sided),
        "worn": np.full(quads.shape[0] * quads.shape[1], sheet.worn),
        "around": around,
        "outward": np.ones(rows * columns),
    }


def _neighbours(index: Ints, closed: bool) -> Ints:
    after, before = np.roll(index, -1, 1), np.roll(index, 1, 1)
    if closed:
        after[:, -1], before[:, 0] = index[:, 1], index[:, -2]
    else:
        after[:, -1], before[:, 0] = index[:, -1], index[:, 0]
    below = np.concatenate([index[1:], index[-1:]])
    above = np.concatenate([index[:1], index[:-1]])
    around: Ints = np.stack([after, before, below, above], axis=-1)
    return around.reshape(-1, 4)


def oriented(mesh: Mesh, sheets: list[Sheet], frames: Floats) -> Mesh:
    """The mesh with its normals pointing out, learned from one pose of it."""
    points, normals = mesh.pose(frames)
    outward = mesh.outward.copy()
    first = 0
    for sheet in sheets:
        size = sheet.local.shape[0] * sheet.local.shape[1]
        grid = points[first : first + size].reshape(*sheet.local.shape)
        middle = grid[:, :-1].mean(1, keepdims=True) if sheet.closed else grid.mean((0, 1))
        spread = ((grid - middle) * normals[first : first + size].reshape(grid.shape)).sum()
        if spread < 0:
            outward[first : first + size] = -1
        first += size
    return replace(mesh, outward=outward)
