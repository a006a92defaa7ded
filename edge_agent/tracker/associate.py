"""Which detection is which track: the assignment of the most similarity in two score bands."""

from __future__ import annotations

import numpy as np

from edge_agent.observations import Floats

FREE = -1
# (row, column, similarity)
Edge = tuple[int, int, float]

# Exchanges settle in one pass nearly always; the bound keeps a frame's time bounded.
_PASSES = 3


def similarity(tracks: Floats, detections: Floats, scratch: Scratch) -> Floats:
    """How alike boxes are: intersection over union, times the same of their heights alone.

    Overlap says little in a crowd; people at other distances differ in where they begin and end
    vertically (the "height modulated IoU" of Hybrid-SORT, Yang et al. 2024).

    Args:
        tracks: [6, N], sides (-x0, -y0, x1, y1), then width and height.
        detections: [6, M], the same.

    Returns:
        [N, M], 1 = the same box, 0 or less = apart.
    """
    planes = scratch.planes(tracks.shape[1], detections.shape[1])
    np.minimum(tracks[:4, :, None], detections[:4, None], out=planes)
    shared, joint = planes[:2], planes[2:]
    shared += joint  # width and height of the intersection; below 0 = apart
    area, height = shared
    np.maximum(area, 0.0, out=area)
    area *= height
    mine, theirs = tracks[4:], detections[4:]
    np.multiply(mine[0], mine[1], out=mine[0])
    np.multiply(theirs[0], theirs[1], out=theirs[0])
    np.add(mine[:, :, None], theirs[:, None], out=joint)
    joint -= shared
    shared /= joint
    area *= height
    return area


class Scratch:
    """Room for pairs that is kept from frame to frame: fresh memory costs more than the sums."""

    __slots__ = ("_room",)

    def __init__(self) -> None:
        self._room: Floats = np.empty(0)

    def planes(self, rows: int, columns: int) -> Floats:
        """An array [4, rows, columns] with anything in it."""
        size = 4 * rows * columns
        if size > self._room.size:
            self._room = np.empty(size)
        return self._room[:size].reshape(4, rows, columns)


class Assignment:
    """A matching of rows to columns that grows edge by edge."""

    __slots__ = ("column_of", "row_of")

    def __init__(self, rows: int, columns: int) -> None:
        self.column_of = [FREE] * rows
        self.row_of = [FREE] * columns

    def add(self, edges: list[Edge]) -> None:
        """Match rows and columns that are still free.

        Greedy first, which is nearly always all there is to do, then exchanges between two rows
        as long as they raise the sum of the squared similarities. Squares, because one sure match
        tells more than two doubtful ones.

        Args:
            edges: possible matches, most similar first.
        """
        column_of, row_of = self.column_of, self.row_of
        contested = []
        for edge in edges:
            row, column, _ = edge
            if column_of[row] == FREE and row_of[column] == FREE:
                column_of[row] = column
                row_of[column] = row
            else:
                contested.append(edge)
        if contested:
            worth = {(row, column): value * value for row, column, value in edges}
            for _ in range(_PASSES):
                if not (self._swap(contested, worth) or self._shift(contested, worth)):
                    break

    def _swap(self, contested: list[Edge], worth: dict[tuple[int, int], float]) -> bool:
        """Let two matched rows trade columns where that is worth more."""
        column_of, row_of = self.column_of, self.row_of
        changed = False
        for row, column, _ in contested:
            mine, owner = column_of[row], row_of[column]
            if mine in (FREE, column) or owner == FREE:
                continue
            back = worth.get((owner, mine), 0.0)
            if worth[row, column] + back > worth[row, mine] + worth[owner, column]:
                column_of[row], row_of[column] = column, row
                column_of[owner], row_of[mine] = (mine, owner) if back else (FREE, FREE)
                changed = True
        return changed

    def _shift(self, contested: list[Edge], worth: dict[tuple[int, int], float]) -> bool:
        """Let a free row take a column whose row can move on to a free one."""
        column_of, row_of = self.column_of, self.row_of
        ways_out = [e for e in contested if row_of[e[1]] == FREE and column_of[e[0]] != FREE]
        changed = False
        for row, column, value in contested if ways_out else ():
            owner = row_of[column]
            if column_of[row] != FREE or owner == FREE:
                continue
            for other, way, _ in ways_out:
                if other != owner or row_of[way] != FREE:
                    continue
                if value * value + worth[owner, way] > worth[owner, column]:
                    column_of[row], row_of[column] = column, row
                    column_of[owner], row_of[way] = way, owner
                    changed = True
                    break
        return changed
