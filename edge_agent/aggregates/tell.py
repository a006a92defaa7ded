"""What happened at one zone in one span of time, as what may be told of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from edge_agent.aggregates.span import Span
from edge_agent.aggregates.trials import trials
from edge_agent.certainty import Estimate, Kind, of_events
from edge_agent.config import Facing, Zone
from edge_agent.observations import Censored, Handling, Move, Visit
from edge_agent.records import (
    EDGES,
    Definitions,
    Estimates,
    FacingCounts,
    Histograms,
    Quality,
    VisitCounts,
    Window,
)
from edge_agent.stock import Facings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a window lies in time.

    Args:
        start: on the windows' clock, seconds.
        length_s: seconds.
        end: on the source's clock, seconds.
        clock: how far ``start`` can be trusted.
        bound_s: it is that near to the truth, seconds; None = not known.
    """

    start: float
    length_s: float
    end: float
    clock: Quality
    bound_s: float | None = None


def tell(zone: Zone, place: Place, span: Span, facings: Facings) -> Window:
    """One zone's window.

    Args:
        zone: whose.
        place: where in time.
        span: what was seen in it.
        facings: what they held.
    """
    seen = span.of(zone.name)
    rules = _rules(zone)
    counts = _count(zone, rules, seen.visits)
    cut = [visit.dwell_s for visit in seen.visits if visit.censored is not Censored.NONE]
    staff = _count(zone, rules, [visit for visit in seen.visits if visit.staff])
    return Window(
        zone=zone.name,
        start=place.start,
        length_s=place.length_s,
        observed_s=min(round(span.observed_s, 3), place.length_s),
        clock=place.clock,
        definitions=rules,
        pass_bys=counts.pass_bys,
        stops=counts.stops,
        engaged=counts.engaged,
        reaches=_if(zone.shelf, len(seen.reaches)),
        picks=_if(zone.facings, _moves(seen.handlings, Move.PICK)),
        put_backs=_if(zone.facings, _moves(seen.handlings, Move.PUT_BACK)),
        dwell_s=counts.dwell_s,
        bridged_s=round(sum(visit.bridged_s for visit in seen.visits), 3),
        censored=len(cut),
        censored_dwell_s=round(sum(cut), 3),
        reached=_if(zone.floor, counts.reached),
        empty_handed=_if(zone.floor, counts.empty_handed),
        abstained=_if(zone.facings, len(seen.abstained)),
        staff=_if(zone.floor, staff),
        histograms=_if(zone.floor, _histograms(zone, seen.visits)),
        facings=tuple(_facing(zone, one, seen, place, facings) for one in zone.facings) or None,
        estimates=_estimates(zone, seen),
        bound_s=place.bound_s,
    )


def _rules(zone: Zone) -> Definitions:
    limits = zone.thresholds
    return Definitions(stop_s=limits.stop_s, engage_s=limits.engage_s, gap_s=limits.gap_s)


def _count(zone: Zone, rules: Definitions, visits: Sequence[Visit]) -> VisitCounts:
    whole = [visit.dwell_s for visit in visits if visit.censored is Censored.NONE]
    reaching = [visit for visit in visits if visit.reaches]
    return VisitCounts(
        pass_bys=len(visits),
        stops=sum(visit.dwell_s >= rules.stop_s for visit in visits),
        engaged=sum(visit.dwell_s >= rules.engage_s or visit.reaches > 0 for visit in visits),
        dwell_s=round(sum(whole), 3),
        reached=_if(zone.shelf, sum(visit.dwell_s >= rules.stop_s for visit in reaching)),
        reaches=_if(zone.shelf, sum(visit.reaches for visit in visits)),
        picks=_if(zone.facings, sum(visit.picks for visit in visits)),
        put_backs=_if(zone.facings, sum(visit.put_backs for visit in visits)),
        empty_handed=_if(zone.facings, sum(visit.chose_s is None for visit in reaching)),
    )


def _histograms(zone: Zone, visits: Sequence[Visit]) -> Histograms:
    whole = [visit for visit in visits if visit.censored is Censored.NONE]
    first = [visit.first_reach_s for visit in whole]
    chose = [visit.chose_s for visit in whole]
    return Histograms(
        dwell_s=_buckets("dwell_s", [visit.dwell_s for visit in whole]),
        first_reach_s=_if(zone.shelf, _buckets("first_reach_s", first)),
        choosing_s=_if(zone.facings, _buckets("choosing_s", chose)),
        reaches=_if(zone.shelf, _buckets("reaches", [visit.reaches for visit in visits])),
        switches=_if(zone.facings, _buckets("switches", [visit.switches for visit in visits])),
    )


def _buckets(name: str, values: Iterable[float | None]) -> tuple[int, ...]:
    edges = EDGES[name]
    counts = [0] * len(edges)
    for value in values:
        if value is not None:
            # Two times apart by a whole number of seconds are so but for the last bits.
            counts[bisect_right(edges, round(value, 6)) - 1] += 1
    return tuple(counts)


def _facing(zone: Zone, facing: Facing, seen: Span, place: Place, facings: Facings) -> FacingCounts:
    held = facings.figures(zone.name, facing.name, seen.watched, place.end)
    here = [one for one in seen.handlings if one.facing == facing.name]
    return FacingCounts(
        name=facing.name,
        brand=facing.brand,
        reaches=sum(reach.facing == facing.name for reach in seen.reaches),
        picks=_moves(here, Move.PICK),
        put_backs=_moves(here, Move.PUT_BACK),
        known_s=round(held.known_s, 3),
        empty_s=round(held.empty_s, 3),
        low_s=round(held.low_s, 3),
        since_full_s=None if held.since_full_s is None else round(held.since_full_s, 3),
    )


def _estimates(zone: Zone, seen: Span) -> Estimates:
    def estimate(kind: Kind) -> Estimate:
        found = trials(kind, seen.reaches, seen.handlings)
        return of_events(kind, found.confidences, found.chances)

    return Estimates(
        reaches=_if(zone.shelf, estimate(Kind.REACHES)),
        picks=_if(zone.facings, estimate(Kind.PICKS)),
        put_backs=_if(zone.facings, estimate(Kind.PUT_BACKS)),
    )


def _moves(handlings: Iterable[Handling], move: Move) -> int:
    return sum(one.move is move for one in handlings)


def _if(there: object, value: T) -> T | None:
    """The value where there is something to count at; None is not zero."""
    return value if there else None
