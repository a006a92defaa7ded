"""Which detection is which track: the nearest first, then exchanges where two contend."""

from __future__ import annotations

FREE = -1
# (squared distance in squares of the track's reach: 0 = same, 1 = too far; row; column)
Edge = tuple[float, int, int]

# Exchanges settle in one pass nearly always; the bound keeps a frame's time bounded.
_PASSES = 3


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
        self._worth = [(1 - far) ** 2 for far in far_of]  # of each row's match
        self._spare = {(row, column): (1 - far) ** 2 for far, row, column in contested}

    def run(self) -> None:
        """Exchange until nothing is gained any more, or long enough."""
        for _ in range(_PASSES):
            gained = self._swap()
            if not (self._shift() or gained):
                break

    def _swap(self) -> bool:
        """Let two matched rows trade columns where that is worth more."""
        column_of, row_of, spare, worth = self._column_of, self._row_of, self._spare, self._worth
        gained = False
        for row, column in list(spare):
            mine, owner = column_of[row], row_of[column]
            if FREE in (mine, owner):
                continue
            there, back = spare.get((row, column)), spare.get((owner, mine))
            if there is None or back is None or there + back <= worth[row] + worth[owner]:
                continue
            del spare[row, column], spare[owner, mine]
            spare[row, mine], spare[owner, column] = worth[row], worth[owner]
            self._match(row, column, there)
            self._match(owner, mine, back)
            gained = True
        return gained

    def _shift(self) -> bool:
        """Let a row take a column whose row can move on to a free one."""
        column_of, row_of, spare, worth = self._column_of, self._row_of, self._spare, self._worth
        ways: dict[int, tuple[float, int]] = {}
        for (row, column), value in spare.items():
            if row_of[column] == FREE and value > ways.get(row, (0.0, 0))[0]:
                ways[row] = value, column
        gained = False
        for row, column in list(spare) if ways else ():
            owner, mine = row_of[column], column_of[row]
            value, way = ways.get(owner, (0.0, FREE))
            if owner in (FREE, row) or way == FREE or row_of[way] != FREE:
                continue
            there, now = spare[row, column], worth[row] if mine != FREE else 0.0
            if there + value <= worth[owner] + now:
                continue
            del spare[row, column], spare[owner, way]
            spare[owner, column] = worth[owner]
            if mine != FREE:
                spare[row, mine], row_of[mine] = now, FREE
            self._match(row, column, there)
            self._match(owner, way, value)
            del ways[owner]
            gained = True
        return gained

    def _match(self, row: int, column: int, value: float) -> None:
        self._column_of[row], self._row_of[column], self._worth[row] = column, row, value
