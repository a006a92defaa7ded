"""What happened at one zone in one span of time, and how two such are told as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from edge_agent.errors import RecordError
from edge_agent.records.details import Estimates, FacingCounts, Histograms, VisitCounts, add
from edge_agent.records.names import is_name

# A definition of what is counted changes only with this number and a line in the changelog.
DEFINITIONS_VERSION = 3
# Seconds since 1970 at the end of the year 9999, the last that calendars agree on.
_END_OF_TIME = 253_402_300_800.0


class Quality(Enum):
    """How far a window's start can be trusted."""

    SYNCED = "synced"
    UNSYNCED = "unsynced"
    RECORDING = "recording"  # seconds of a recording, 0 = its first frame


@dataclass(frozen=True, slots=True)
class Definitions:
    """The rules that a window was counted by (seconds; k as in the contract's small counts)."""

    stop_s: float
    engage_s: float
    gap_s: float
    k: int = 1
    version: int = DEFINITIONS_VERSION


@dataclass(frozen=True, slots=True)
class Window:
    """What happened at one zone in one span of time.

    Args:
        zone: the zone's name.
        start: seconds since 1970 UTC, or of the recording where ``clock`` says so.
        length_s: how long it is, > 0.
        observed_s: seconds of it in which frames were analysed, 0..length_s.
        clock: how far ``start`` can be trusted.
        definitions: the rules it was counted by.
        pass_bys: visits that ended in it, stops and censored ones included.
        stops: those of at least ``stop_s``.
        engaged: those of at least ``engage_s`` or with a reach.
        reaches, picks, put_backs: None where the zone has no shelf, or no facings.
        dwell_s: seconds of dwell of the visits that are not censored.
        bridged_s: seconds within all visits' dwell that were bridged, not seen.
        censored: visits cut off at an end; they count in pass_bys.
        censored_dwell_s: what was seen of those, seconds.
        merged: how many windows of the configured length this one stands for.
        reached: stops with a reach; None where the zone has no floor, or no shelf.
        empty_handed: visits with a reach that took nothing, or laid all of it back; None where
            the zone has no floor, or no facings.
        abstained: changes at facings of which nothing is told; None where it has no facings.
        staff: how much of the above was staff, in visits that ended in it; None where the zone
            has no floor.
        histograms: of the visits; None where the zone has no floor.
        facings: one each; None where the zone has none.
        estimates: how many reaches, picks and put-backs there were, with error bars.
        bound_s: ``start`` is that near to the truth, seconds; None = not known.
    """

    zone: str
    start: float
    length_s: float
    observed_s: float
    clock: Quality
    definitions: Definitions
    pass_bys: int = 0
    stops: int = 0
    engaged: int = 0
    reaches: int | None = None
    picks: int | None = None
    put_backs: int | None = None
    dwell_s: float = 0.0
    bridged_s: float = 0.0
    censored: int = 0
    censored_dwell_s: float = 0.0
    merged: int = 1
    reached: int | None = None
    empty_handed: int | None = None
    abstained: int | None = None
    staff: VisitCounts | None = None
    histograms: Histograms | None = None
    facings: tuple[FacingCounts, ...] | None = None
    estimates: Estimates | None = None
    bound_s: float | None = None

    def __post_init__(self) -> None:
        if not is_name(self.zone):
            raise RecordError(f"window: zone {self.zone!r} is no name")
        if not 0 <= self.start < _END_OF_TIME:
            raise RecordError(f"window: start {self.start:g} is no time")
        if self.length_s <= 0 or not 0 <= self.observed_s <= self.length_s + 1e-6:
            raise RecordError(
                f"window: observed_s {self.observed_s:g} of length_s {self.length_s:g}"
            )
        if not 0 <= max(self.stops, self.engaged, self.censored) <= self.pass_bys:
            raise RecordError(f"window: more stops, engaged or censored than pass_bys: {self}")
        if (self.reached or 0) > self.stops or (self.empty_handed or 0) > self.pass_bys:
            raise RecordError(
                f"window: more reached than stops, or empty_handed than pass_bys: {self}"
            )
        if self.staff is not None and self.staff.pass_bys > self.pass_bys:
            raise RecordError(f"window: more visits of staff than pass_bys: {self}")

    @property
    def end(self) -> float:
        """When it is over, on the same clock as its start."""
        return self.start + self.length_s

    @property
    def base(self) -> int:
        """What small counts are judged by: visits, or reaches where the zone has no floor."""
        return self.pass_bys if self.staff is not None else max(self.pass_bys, self.reaches or 0)

    def joins(self, other: Window) -> bool:
        """Whether the two can be told as one: same fixture, same rules, same kind of clock."""
        return self.clock is other.clock and self.kin == other.kin

    @property
    def kin(self) -> object:
        """What windows must share to be added up: the zone, as it is furnished, and the rules."""
        facings = frozenset(facing.name for facing in self.facings or ())
        return self.zone, self.definitions, self.staff is None, facings

    def merge(self, other: Window) -> Window:
        """Both as one window from the first's start to the last's end; every sum is conserved."""
        first, last = sorted((self, other), key=lambda window: window.start)
        end = max(first.end, last.end)
        sums = {name: add(getattr(first, name), getattr(last, name)) for name in _SUMMED}
        # Windows of one boot do not overlap; should two, what was observed must still fit.
        length_s = max(end - first.start, sums["observed_s"])
        facings = _together(*sorted((self, other), key=lambda window: window.end))
        bounds = [one.bound_s for one in (self, other) if one.bound_s is not None]
        bound_s = max(bounds) if len(bounds) == 2 else None
        return replace(first, length_s=length_s, facings=facings, bound_s=bound_s, **sums)

    def moved(self, by_s: float, clock: Quality, bound_s: float | None) -> Window:
        """The same, where it belongs by a clock that knows better."""
        return replace(
            self, start=max(0.0, round(self.start + by_s, 3)), clock=clock, bound_s=bound_s
        )


_SUMMED = (
    "observed_s", "pass_bys", "stops", "engaged", "reaches", "picks", "put_backs",
    "dwell_s", "bridged_s", "censored", "censored_dwell_s", "merged",
    "reached", "empty_handed", "abstained", "staff", "histograms", "estimates",
)  # fmt: skip


def fold(old: tuple[Window, ...], new: tuple[Window, ...]) -> tuple[Window, ...]:
    """Each new window merged into the latest old one that it joins, else put beside them."""
    folded = list(old)
    for window in new:
        for place in range(len(folded) - 1, -1, -1):
            if folded[place].joins(window):
                folded[place] = folded[place].merge(window)
                break
        else:
            folded.append(window)
    return tuple(folded)


def _together(sooner: Window, later: Window) -> tuple[FacingCounts, ...] | None:
    """The facings of both by name."""
    if sooner.facings is None or later.facings is None:
        return sooner.facings if later.facings is None else later.facings
    both = {facing.name: facing for facing in sooner.facings}
    for facing in later.facings:
        before = both.get(facing.name)
        both[facing.name] = facing if before is None else before.then(facing)
    return tuple(both.values())
