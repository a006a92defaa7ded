"""Which detection is which track: the nearest first, then exchanges where two contend."""

from __future__ import annotations

FREE = -1
# (squared distance in squares of the track's reach: 0 = same, 1 = too far; row; column)
Edge = tuple[float, int, int]

# Exchanges settle in one pass nearly always; the bound keeps a frame's time bounded.
_PASSES = 3
# Below this a gain is a rounding error.
_LEAST_GAIN = 1e-12


class Assignment:
    """A one-to-one matching of rows to columns that grows edge by edge.

    Attributes:
        column_of: for each row its column, or FREE.
        row_of: for each column its row, or FREE.
    """

    __slots__ = ("_far", "column_of", "row_of")

    def __init__(self, rows: int, columns: int) -> None:
        self.column_of = [FREE] * rows
        self.row_of = [FREE] * columns
        self._far = [0.0] * rows

    def clear(self) -> None:
        """Free all rows and columns."""
        self.column_of = [FREE] * len(self.column_of)
        self.row_of = [FREE] * len(self.row_of)

    def add_undisputed(self, pairs: list[int]) -> bool:
        """Match pairs as they come, up to the first whose row or column is taken already.

        Args:
            pairs: row * columns + column.

        Returns:
            Whether there was none such, so that no other matching is possible.
        """
        column_of, row_of = self.column_of, self.row_of
        columns = len(row_of)
        for pair in pairs:
            row = pair // columns
            column = pair - row * columns
            if column_of[row] >= 0 or row_of[column] >= 0:
                return False
            column_of[row] = column
            row_of[column] = row
        return True

    def add(self, edges: list[Edge]) -> None:
        """Match rows and columns that are still free.

        The nearest first, which is nearly always all there is to do; then two rows exchange as
        long as that raises the sum of the squares of nearness. Squares, because one sure match
        tells more than two doubtful ones. On the sequences that the parameters were set on this
        scores as the exact optimum does.

        Args:
            edges: possible matches of free rows and columns, nearest first.
        """
        column_of, row_of, far_of = self.column_of, self.row_of, self._far
        contested = []
        for edge in edges:
            far, row, column = edge
            if column_of[row] < 0 and row_of[column] < 0:
                column_of[row] = column
                row_of[column] = row
                far_of[row] = far
            else:
                contested.append(edge)
        if len(contested) > 1:  # either exchange takes two edges that are not in use
            _Exchange(self, self._far, contested).run()


class _Exchange:
    """Betters a matching by edges that it does not use."""

    __slots__ = ("_column_of", "_row_of", "_spare", "_worth")

    def __init__(self, found: Assignment, far_of: list[float], contested: list[Edge]) -> None:
        self._column_of, self._row_of = found.column_of, found.row_of
        # Of each row's match, and of what else it could have.
        self._worth = [
            0.0 if column < 0 else (1 - far) ** 2
            for column, far in zip(found.column_of, far_of, strict=True)
        ]
        self._spare: list[dict[int, float]] = [{} for _ in far_of]
        for far, row, column in contested:
            self._spare[row][column] = (1 - far) ** 2

    def run(self) -> None:
        """Exchange until nothing is gained any more, or long enough."""
        for _ in range(_PASSES):
            wishes = [(row, column) for row, spare in enumerate(self._spare) for column in spare]
            if not sum(self._grant(row, column) for row, column in wishes):
                break

    def _grant(self, row: int, column: int) -> bool:
        """Give a row that column where the sum grows, and its owner the best that is left to it.

        The owner may move to a free column, to the one that the row gives up, or to one whose own
        row is worth less there and goes empty-handed.
        """
        row_of, worth = self._row_of, self._worth
        owner, way = row_of[column], FREE
        if owner == row:  # granted by an earlier exchange of this pass
            return False
        gain = self._spare[row][column] - worth[row]
        if owner != FREE:
            rest, way = self._way(owner, row)
            gain += rest - worth[owner]
        if gain <= _LEAST_GAIN:
            return False
        for loser in (row, owner, row_of[way] if way != FREE else FREE):
            self._release(loser)
        self._take(row, column)
        if way != FREE:
            self._take(owner, way)
        return True

    def _way(self, owner: int, row: int) -> tuple[float, int]:
        """What the owner's best other column brings, less what its holder loses, and which it is.

        Args:
            owner: the row that is to move.
            row: takes the owner's column and gives up its own.
        """
        best, way = 0.0, FREE
        for column, value in self._spare[owner].items():
            holder = self._row_of[column]
            net = value if holder in (FREE, row) else value - self._worth[holder]
            if net > best:
                best, way = net, column
        return best, way

    def _release(self, row: int) -> None:
        column = self._column_of[row] if row != FREE else FREE
        if column != FREE:
            self._spare[row][column] = self._worth[row]
            self._column_of[row] = self._row_of[column] = FREE
            self._worth[row] = 0.0

    def _take(self, row: int, column: int) -> None:
        self._worth[row] = self._spare[row].pop(column)
        self._column_of[row], self._row_of[column] = column, row
