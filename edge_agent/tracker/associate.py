"""Which detection is which track: near ones first, then exchanges where two contend."""

from __future__ import annotations

FREE = -1
# (squared distance in squares of the track's reach: 0 = same, 1 = too far; row; column)
Edge = tuple[float, int, int]
_Worth = dict[tuple[int, int], float]

# Exchanges settle in one pass nearly always; the bound keeps a frame's time bounded.
_PASSES = 3


class Assignment:
    """A one-to-one matching of rows to columns that grows edge by edge.

    Attributes:
        column_of: for each row its column, or FREE.
        row_of: for each column its row, or FREE.
    """

    __slots__ = ("column_of", "row_of")

    def __init__(self, rows: int, columns: int) -> None:
        self.column_of = [FREE] * rows
        self.row_of = [FREE] * columns

    def add(self, edges: list[Edge]) -> None:
        """Match rows and columns that are still free.

        The nearest first, which is nearly always all there is to do; then two rows exchange as
        long as that raises the sum of the squares of nearness. Squares, because one sure match
        tells more than two doubtful ones. On the sequences that the parameters were set on this
        scores as the exact optimum does.

        Args:
            edges: possible matches of free rows and columns, nearest first.
        """
        column_of, row_of = self.column_of, self.row_of
        contested = []
        for edge in edges:
            _, row, column = edge
            if column_of[row] < 0 and row_of[column] < 0:
                column_of[row] = column
                row_of[column] = row
            else:
                contested.append(edge)
        if contested:
            worth = {(row, column): (1 - far) ** 2 for far, row, column in edges}
            for _ in range(_PASSES):
                swapped = self._swap(contested, worth)
                if not (self._shift(contested, worth) or swapped):
                    break

    def _swap(self, contested: list[Edge], worth: _Worth) -> bool:
        """Let two matched rows trade columns where that is worth more."""
        column_of, row_of = self.column_of, self.row_of
        changed = False
        for _, row, column in contested:
            mine, owner = column_of[row], row_of[column]
            if mine in (FREE, column) or owner == FREE:
                continue
            back = worth.get((owner, mine), 0.0)
            if worth[row, column] + back > worth[row, mine] + worth[owner, column]:
                column_of[row], row_of[column] = column, row
                column_of[owner], row_of[mine] = (mine, owner) if back else (FREE, FREE)
                changed = True
        return changed

    def _shift(self, contested: list[Edge], worth: _Worth) -> bool:
        """Let a free row take a column whose row can move on to a free one."""
        column_of, row_of = self.column_of, self.row_of
        ways_out = [e for e in contested if row_of[e[2]] == FREE and column_of[e[1]] != FREE]
        changed = False
        for _, row, column in contested if ways_out else ():
            owner = row_of[column]
            if column_of[row] != FREE or owner == FREE:
                continue
            for _, other, way in ways_out:
                if other != owner or row_of[way] != FREE:
                    continue
                if worth[row, column] + worth[owner, way] > worth[owner, column]:
                    column_of[row], row_of[column] = column, row
                    column_of[owner], row_of[way] = way, owner
                    changed = True
                    break
        return changed
