"""What a window tells beyond its plain counts: numbers, in closed values that add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from edge_agent.certainty import Estimate
from edge_agent.errors import RecordError
from edge_agent.records.names import is_name

# Where the buckets of each histogram begin, seconds or how many; each ends where the next begins,
# the last is open. Another edge is another definition.
EDGES: Mapping[str, tuple[int, ...]] = {
    "dwell_s": (0, 2, 5, 10, 15, 30, 60, 120, 300, 900),
    "first_reach_s": (0, 1, 2, 5, 10, 20, 60),
    "choosing_s": (0, 2, 5, 10, 20, 40, 60, 120, 300),
    "reaches": (0, 1, 2, 3, 5, 10),
    "switches": (0, 1, 2, 3, 5),
}

T = TypeVar("T")
Buckets = tuple[int, ...]


def add(a: Any, b: Any) -> Any:
    """The sum of two values of which None is not zero: what only one knows stays."""
    if a is None or b is None:
        return a if b is None else b
    return a + b


@dataclass(frozen=True, slots=True)
class VisitCounts:
    """What some of a window's visits came to: of staff, in the words of the window.

    Reaches, picks and put_backs are those of the visits that ended in the window.

    Args:
        pass_bys, stops, engaged: how many they were.
        dwell_s: of those that are not censored, seconds.
        reached, reaches: None where the zone has no shelf.
        picks, put_backs, empty_handed: None where it has no facings.
    """

    pass_bys: int = 0
    stops: int = 0
    engaged: int = 0
    dwell_s: float = 0.0
    reached: int | None = None
    reaches: int | None = None
    picks: int | None = None
    put_backs: int | None = None
    empty_handed: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= max(self.stops, self.engaged) <= self.pass_bys:
            raise RecordError(f"window: more stops or engaged of staff than pass_bys: {self}")

    def __add__(self, other: VisitCounts) -> VisitCounts:
        return _sum(self, other)


@dataclass(frozen=True, slots=True)
class Histograms:
    """How many visits lie in each bucket of `EDGES`; times only of those that are not censored.

    Args:
        dwell_s: seconds of dwell.
        first_reach_s: seconds to the first reach, of those with one; None: no shelf.
        choosing_s: seconds to the last product kept, of those with one; None: no facings.
        reaches: of each visit; None: no shelf.
        switches: from facing to facing, of each visit; None: no facings.
    """

    dwell_s: Buckets
    first_reach_s: Buckets | None = None
    choosing_s: Buckets | None = None
    reaches: Buckets | None = None
    switches: Buckets | None = None

    def __post_init__(self) -> None:
        for name, edges in EDGES.items():
            buckets = getattr(self, name)
            if buckets is not None and len(buckets) != len(edges):
                raise RecordError(f"window: {len(buckets)} buckets of {name}, not {len(edges)}")

    def __add__(self, other: Histograms) -> Histograms:
        return Histograms(*(_add_buckets(getattr(self, n), getattr(other, n)) for n in EDGES))


@dataclass(frozen=True, slots=True)
class FacingCounts:
    """What happened at one facing, and how long it was seen to hold how much.

    Args:
        name: as configured.
        brand: as configured, a name too; None = not said.
        reaches, picks, put_backs: hands and products there.
        known_s: observed seconds of the window in which it was known what it holds.
        empty_s, low_s: those in which it was empty, or held little.
        since_full_s: seconds from when it was last known to be full to the window's end; None =
            it never was.
    """

    name: str
    brand: str | None = None
    reaches: int = 0
    picks: int = 0
    put_backs: int = 0
    known_s: float = 0.0
    empty_s: float = 0.0
    low_s: float = 0.0
    since_full_s: float | None = None

    def __post_init__(self) -> None:
        for text in (self.name, self.brand):
            if text is not None and not is_name(text):
                raise RecordError(f"window: {text!r} names no facing and no brand")

    def then(self, later: FacingCounts) -> FacingCounts:
        """Both spans of time as one; what stands at its end is the later one's."""
        sums = {name: getattr(self, name) + getattr(later, name) for name in _FACING_SUMS}
        return replace(later, **sums)


_FACING_SUMS = ("reaches", "picks", "put_backs", "known_s", "empty_s", "low_s")


@dataclass(frozen=True, slots=True)
class Estimates:
    """How many there were, with error bars; None where the zone has no shelf, or no facings."""

    reaches: Estimate | None = None
    picks: Estimate | None = None
    put_backs: Estimate | None = None

    def __add__(self, other: Estimates) -> Estimates:
        return _sum(self, other)


def _sum(a: T, b: T) -> T:
    """Two of a kind, field by field."""
    names = [field.name for field in fields(a)]  # type: ignore[arg-type]  # both are dataclasses
    return type(a)(*(add(getattr(a, name), getattr(b, name)) for name in names))


def _add_buckets(a: Buckets | None, b: Buckets | None) -> Any:
    if a is None or b is None:
        return a if b is None else b
    return tuple(one + other for one, other in zip(a, b, strict=True))
