"""Points and polygons, in fractions of the frame's width and height (0..1, y down)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot

Point = tuple[float, float]

# Below this a corner lies on an edge for all purposes: a thousandth of a pixel at 1080p.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class Polygon:
    """A simple (not self-crossing) polygon.

    Args:
        points: at least three corners, each within 0..1; the last edge closes itself.

    Raises:
        ValueError: with what is wrong and what is allowed.
    """

    points: tuple[Point, ...]
    _edges: tuple[tuple[Point, Point], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        edges = _edges(self.points)
        problem = _problem(self.points, edges)
        if problem:
            raise ValueError(problem)
        object.__setattr__(self, "_edges", edges)

    def contains(self, point: Point) -> bool:
        """Whether the point is inside or on the border (even-odd rule)."""
        x, y = point
        inside = False
        for (x1, y1), (x2, y2) in self._edges:
            if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
                inside = not inside
        return inside or self._border_distance(point) <= _EPSILON

    def distance(self, point: Point) -> float:
        """How far outside the point is, as a fraction of the frame; 0 when inside."""
        return 0.0 if self.contains(point) else self._border_distance(point)

    def crossing(self, start: Point, end: Point) -> float | None:
        """Where on the way from start to end the border is crossed last.

        Returns:
            The fraction of the way (0 = start, 1 = end), or None where it is not crossed.
        """
        ways = [_meet(start, end, a, b) for a, b in self._edges]
        return max((way for way in ways if way is not None), default=None)

    def _border_distance(self, point: Point) -> float:
        return min(_segment_distance(point, a, b) for a, b in self._edges)


def _edges(points: tuple[Point, ...]) -> tuple[tuple[Point, Point], ...]:
    return tuple(zip(points, points[1:] + points[:1], strict=True))


def _problem(points: tuple[Point, ...], edges: tuple[tuple[Point, Point], ...]) -> str | None:
    if len(points) < 3:
        return f"a polygon needs at least 3 points, this has {len(points)}"
    for x, y in points:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return f"point [{x:g}, {y:g}] lies outside the frame: 0..1 is allowed"
    if len(set(points)) < len(points):
        return "two corners are the same point"
    for i, (a, b) in enumerate(edges):
        for c, d in edges[i + 2 :]:
            if d != a and _meet(a, b, c, d) is not None:
                return (
                    f"the polygon crosses itself: edge [{a[0]:g}, {a[1]:g}]-[{b[0]:g}, {b[1]:g}] "
                    f"meets edge [{c[0]:g}, {c[1]:g}]-[{d[0]:g}, {d[1]:g}]"
                )
    if abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in edges)) < _EPSILON:
        return "the polygon has no area: its corners lie on one line"
    return None


def _segment_distance(p: Point, a: Point, b: Point) -> float:
    dx, dy = b[0] - a[0], b[1] - a[1]
    along = ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / (dx * dx + dy * dy)
    along = min(1.0, max(0.0, along))
    return hypot(p[0] - a[0] - along * dx, p[1] - a[1] - along * dy)


def _meet(a: Point, b: Point, c: Point, d: Point) -> float | None:
    """The fraction of a-b at which it meets segment c-d, or None."""
    rx, ry = b[0] - a[0], b[1] - a[1]
    sx, sy = d[0] - c[0], d[1] - c[1]
    cross = rx * sy - ry * sx
    if abs(cross) < _EPSILON * _EPSILON:
        return None
    t = ((c[0] - a[0]) * sy - (c[1] - a[1]) * sx) / cross
    u = ((c[0] - a[0]) * ry - (c[1] - a[1]) * rx) / cross
    return t if 0 <= t <= 1 and 0 <= u <= 1 else None
