"""All people on all floors of a unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edge_agent.config import Anchor, Zone
from edge_agent.geometry import Point, Polygon
from edge_agent.observations import Handling, Poses, Reach, ShelfEvent, Tracks, Visit
from edge_agent.zones.anchor import anchor_point, keypoints_by_id
from edge_agent.zones.presence import VISITING, Presence, Sight, State
from edge_agent.zones.staff import Staff

# Hysteresis in space: who is on a floor stays on it until the anchor is this share of the box's
# height outside. Detector boxes jitter by 1 to 3 % of their height from frame to frame.
STAY_MARGIN = 0.02
# Two detections further apart than this (or 1.5 analysed frames) do not tell when the border in
# between was crossed, and a person between them counts as unseen.
CROSSING_S = 0.5
# Frames missing for longer than this (or a zone's gap_s, or 3 analysed frames) are an outage.
OUTAGE_S = 1.0
# A person found on a floor this soon after observation began was there before.
SETTLE_S = 1.0
# Where floors adjoin, jitter must not make one stay into many: a neighbour takes over a visit only
# after so long (or the zone's gap_s) without a sight on the floor before.
TAKEOVER_S = 1.0
# Who served is remembered unseen for longer than any tracker looks for a lost track.
SERVED_S = 60.0
# Gaps are differences of times of day: the last bits are not to decide.
EPSILON_S = 1e-6
# A new track continues a vanished one's visit when it begins this near, in box widths sideways and
# box heights up and down, at a height that differs by no more than this ratio.
HANDOVER_WIDTHS, HANDOVER_HEIGHTS, HANDOVER_RATIO = 1.0, 0.5, 1.5


@dataclass(frozen=True, slots=True)
class _Sighting:
    """One person in one frame."""

    t: float
    box: list[float]
    anchors: Mapping[Anchor, Point]


@dataclass(slots=True)
class _Person:
    """What is remembered of one track: the last sighting and the stays that may go on.

    Args:
        last: None = none yet.
        stays: by zone.
        served: the person stood for a stop where only staff stand.
    """

    last: _Sighting | None = None
    stays: dict[str, Presence] = field(default_factory=dict)
    served: bool = False


class Floors:
    """Turns tracks into visits.

    A person is on one floor at a time: where floors overlap, on the one already visited, else on
    the first listed. A visit is provisional until a second detection confirms it, is back-dated to
    its first, bridges gaps of up to the zone's ``gap_s``, and ends at the last second seen.

    Args:
        zones: those without a floor are left aside.
        interval_s: seconds from one analysed frame to the next, as configured.
        staff: who is no customer.
    """

    def __init__(
        self, zones: Sequence[Zone], interval_s: float, staff: Staff | None = None
    ) -> None:
        self._zones = [zone for zone in zones if zone.floor is not None]
        self._by_name = {zone.name: zone for zone in self._zones}
        self._anchors = {zone.anchor for zone in self._zones}
        self._gap_s = max((zone.thresholds.gap_s for zone in self._zones), default=0.0)
        self._crossing_s = max(CROSSING_S, 1.5 * interval_s)
        self._outage_s = max(OUTAGE_S, 3 * interval_s)
        self._staff = staff or Staff()
        self._people: dict[int, _Person] = {}
        self._since: float | None = None
        self._last: float | None = None

    @property
    def occupied(self) -> bool:
        """Whether somebody is on a floor, or may come back to it."""
        return any(person.stays for person in self._people.values())

    def update(self, tracks: Tracks, poses: Poses | None = None) -> list[Visit]:
        """Take one analysed frame.

        Args:
            tracks: those seen in it; time never runs backwards.
            poses: keypoints of some of them, for the torso anchor.

        Returns:
            The visits that are now known to be over, in the order of their end.
        """
        t = tracks.t
        over = self._frames_missed(t) + self._expire(t)
        sightings = self._sightings(tracks, poses)
        unseen = [person for key, person in self._people.items() if key not in sightings]
        for identity, sighting in sightings.items():
            person = self._people.setdefault(identity, _Person())
            over += self._see(person, sighting, unseen)
        for person in unseen:
            for stay in person.stays.values():
                stay.off(None)
        self._last = t
        return _in_order(over)

    def note(self, event: ShelfEvent) -> None:
        """What somebody's hand did at a shelf belongs to that person's visit there, if any."""
        if not isinstance(event, Reach | Handling) or event.track is None:
            return
        person = self._people.get(event.track)
        stay = None if person is None else person.stays.get(event.zone)
        if stay is not None:
            stay.did = stay.did.add(event)

    def horizon(self, t: float) -> float:
        """Every visit that ended before this is known; later ones may still be reported.

        Args:
            t: now, seconds.
        """
        return min((stay.end_s for stay in self._stays()), default=t)

    def finish(self) -> list[Visit]:
        """End observation: visits still open are cut off, unless the person was seen leaving."""
        over = [
            self._visit(person, stay, cut_right=stay.leave_s is None)
            for person in self._people.values()
            for stay in person.stays.values()
            if stay.counts
        ]
        self._people.clear()
        self._since = self._last = None
        return _in_order(over)

    def _stays(self) -> Iterator[Presence]:
        for person in self._people.values():
            yield from person.stays.values()

    def _visit(self, person: _Person, stay: Presence, cut_right: bool) -> Visit:
        visit = stay.visit(cut_right)
        staff = person.served or self._staff.behind(visit)
        return replace(visit, staff=True) if staff else visit

    def _frames_missed(self, t: float) -> list[Visit]:
        """Where frames are missing nobody is seen, and beyond the gap a visit is cut off."""
        missing = 0.0 if self._last is None else t - self._last
        over: list[Visit] = []
        if missing > max(self._gap_s, self._outage_s):
            over = self.finish()
        elif missing > self._crossing_s:
            for stay in self._stays():
                stay.off(None)
        if self._since is None:
            self._since = t
        return over

    def _sightings(self, tracks: Tracks, poses: Poses | None) -> dict[int, _Sighting]:
        keypoints = keypoints_by_id(tracks, poses) if Anchor.TORSO in self._anchors else {}
        # Of thirty trembling edges a second some lie across the border; the tracker's do not.
        steady = tracks.boxes if tracks.steady is None else tracks.steady.clip(0.0, 1.0)
        rows = zip(tracks.ids.tolist(), tracks.boxes.tolist(), steady.tolist(), strict=True)
        return {
            identity: _Sighting(
                tracks.t,
                box,
                {a: anchor_point(a, place, keypoints.get(identity)) for a in self._anchors},
            )
            for identity, box, place in rows
        }

    def _see(self, person: _Person, now: _Sighting, unseen: list[_Person]) -> list[Visit]:
        over: list[Visit] = []
        zone = self._floor_under(person, now)
        for name, stay in person.stays.items():
            if zone is None or name != zone.name:
                stay.off(self._leave_s(self._by_name[name], person.last, stay, now))
        if zone is not None:
            stay = person.stays.get(zone.name) or self._arrive(zone, person, now, unseen)
            person.stays[zone.name] = stay
            stay.on(now.t, self._held(person, stay, now.t))
            person.served |= zone.staff and stay.counts and stay.stayed_s >= zone.thresholds.stop_s
            if stay.state in VISITING:
                over = self._leave_others(person, stay)
        person.last = now
        return over

    def _floor_under(self, person: _Person, now: _Sighting) -> Zone | None:
        margin = STAY_MARGIN * (now.box[3] - now.box[1])
        # A visit, interrupted or not, before what is only provisional.
        stays = sorted(person.stays.items(), key=lambda item: item[1].state not in VISITING)
        for name, stay in stays:
            zone = self._by_name[name]
            stays_on = stay.state in VISITING or stay.state is State.ENTERING
            if stays_on and _floor(zone).distance(now.anchors[zone.anchor]) <= margin:
                return zone
        for zone in self._zones:
            if _floor(zone).contains(now.anchors[zone.anchor]):
                return zone
        return None

    def _held(self, person: _Person, stay: Presence, t: float) -> bool:
        """Whether a visit next door may still go on."""
        return any(
            other is not stay
            and other.state in VISITING
            and t - stay.enter_s < min(self._by_name[name].thresholds.gap_s, TAKEOVER_S)
            for name, other in person.stays.items()
        )

    def _arrive(
        self, zone: Zone, person: _Person, now: _Sighting, unseen: Iterable[_Person]
    ) -> Presence:
        if person.last is not None:
            way = self._crossing(zone, now, person.last)
            back = 0.0 if way is None else (1 - way) * (now.t - person.last.t)
            # Where floors overlap, the next one counts only from leaving the one before.
            left = max((stay.end_s for stay in person.stays.values()), default=0.0)
            return Presence(zone.name, max(now.t - back, left), now.t)
        lost = _lost_here(zone, now, unseen)
        if lost is not None:
            person.served |= lost.served
            return lost.stays.pop(zone.name)
        settled = self._since is not None and now.t - self._since > SETTLE_S
        return Presence(zone.name, now.t, now.t, cut_left=not settled)

    def _leave_s(
        self, zone: Zone, before: _Sighting | None, stay: Presence, now: _Sighting
    ) -> float:
        """When the border was crossed outwards, at the earliest when last seen on the floor."""
        if before is None or stay.last_s != before.t:
            return stay.last_s
        way = self._crossing(zone, before, now)
        return before.t if way is None else before.t + (1 - way) * (now.t - before.t)

    def _crossing(self, zone: Zone, inside: _Sighting, outside: _Sighting) -> float | None:
        """Where the border lies between two sightings: 0 = at the outer one, 1 = at the inner."""
        if abs(inside.t - outside.t) > self._crossing_s:
            return None
        return _floor(zone).crossing(outside.anchors[zone.anchor], inside.anchors[zone.anchor])

    def _leave_others(self, person: _Person, stay: Presence) -> list[Visit]:
        """A visit here ends those begun before it; what began later was a step to the side."""
        others = [other for other in person.stays.values() if other is not stay]
        person.stays = {stay.zone: stay}
        for other in others:
            other.see(Sight.TAKEN)
        return [
            self._visit(person, other, cut_right=False)
            for other in others
            if other.counts and other.enter_s < stay.enter_s
        ]

    def _expire(self, t: float) -> list[Visit]:
        over: list[Visit] = []
        for identity, person in list(self._people.items()):
            for name, stay in list(person.stays.items()):
                if t - stay.last_s <= self._by_name[name].thresholds.gap_s + EPSILON_S:
                    continue
                if stay.state in (State.AWAY, State.FALTERING) and stay.counts:
                    over.append(self._visit(person, stay, cut_right=False))
                stay.see(Sight.EXPIRED)
                if stay.state is State.OUTSIDE:
                    del person.stays[name]
            kept_s = SERVED_S if person.served else self._gap_s
            if not person.stays and (person.last is None or t - person.last.t > kept_s):
                del self._people[identity]
        return over


def _in_order(visits: list[Visit]) -> list[Visit]:
    return sorted(visits, key=lambda visit: (visit.leave_s, visit.zone, visit.enter_s))


def _floor(zone: Zone) -> Polygon:
    assert zone.floor is not None, "only zones with a floor are kept"
    return zone.floor


def _lost_here(zone: Zone, now: _Sighting, unseen: Iterable[_Person]) -> _Person | None:
    """A track that vanished right here a moment ago: the tracker lost it, its visit goes on."""
    near = [
        (_apart(person.last.box, now.box), i, person)
        for i, person in enumerate(unseen)
        if person.last is not None
        and (stay := person.stays.get(zone.name)) is not None
        and stay.leave_s is None
        and now.t - stay.last_s <= zone.thresholds.gap_s + EPSILON_S
    ]
    distance, _, lost = min(near, default=(float("inf"), 0, None))
    return lost if distance <= 1 else None


def _apart(a: list[float], b: list[float]) -> float:
    """How far apart two boxes are; 1 = as far as a handover may be."""
    width, height = max(a[2] - a[0], b[2] - b[0]), max(a[3] - a[1], b[3] - b[1])
    lower = min(a[3] - a[1], b[3] - b[1])
    if width <= 0 or lower <= 0 or height / lower > HANDOVER_RATIO:
        return float("inf")
    sideways = abs(a[0] + a[2] - b[0] - b[2]) / 2 / (HANDOVER_WIDTHS * width)
    updown = abs(a[3] - b[3]) / (HANDOVER_HEIGHTS * height)
    return max(sideways, updown)
