"""What really happens in a clip: visits, reaches, picks, stock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Point, Polygon
from edge_agent.observations import Censored
from models.scene.camera import Floats
from models.scene.posture import stance_of
from models.scene.shop import Shop
from models.scene.shopper import HAND, TICK_S, act_of
from models.scene.stance import Joint
from models.scene.story import Story, Track
from models.scene.zones import SceneZone

# As in a site file that says nothing else.
GAP_S = 2.0
TOLERANCE_S = 0.7
# A stay shorter than this is one that nobody could see twice in five frames a second.
_LEAST_STAY_S = 0.4
# Two stays of one hand past the plane this near in time are one; a shorter one is none.
_SAME_REACH_S, _LEAST_REACH_S = 0.3, 0.15
# A hand this near to a product reaches for it, metres.
_NEAR_M = 0.22


@dataclass(frozen=True, slots=True, eq=False)
class ClipLabels:
    """Who is where in every frame: one row per person and frame.

    Args:
        frame: int32 [M].
        person: int32 [M].
        boxes: float32 [M, 4], x0 y0 x1 y1, fractions, whole bodies cut at the frame.
        visible: float32 [M], 0..1.
        keypoints: float32 [M, 17, 3], fractions and v 0/1/2.
    """

    frame: NDArray[np.int32]
    person: NDArray[np.int32]
    boxes: NDArray[np.float32]
    visible: NDArray[np.float32]
    keypoints: NDArray[np.float32]


def visits(
    labels: ClipLabels, zone: SceneZone, fps: float, frames: int, staff: frozenset[int]
) -> list[dict[str, Any]]:
    """Stays of each person's feet anchor on the zone's floor, in the order of their end.

    Args:
        labels: of the clip.
        zone: whose floor.
        fps: frames a second.
        frames: how many the clip has.
        staff: numbers of those who work here.
    """
    floor = Polygon(tuple((float(x), float(y)) for x, y in zone.floor))
    found = []
    for person in np.unique(labels.person).tolist():
        rows = (labels.person == person).nonzero()[0]
        anchors = {
            int(labels.frame[row]): _anchor(labels.boxes[row].tolist()) for row in rows.tolist()
        }
        inside = [frame for frame, anchor in anchors.items() if floor.contains(anchor)]
        for first, last in _spans(inside, GAP_S * fps):
            enter, leave = _ends(anchors, floor, first, last, fps)
            if leave - enter < _LEAST_STAY_S:
                continue
            censored = Censored.of(first == 0, last == frames - 1)
            found.append(
                {
                    "zone": zone.name,
                    "enter_s": round(enter, 3),
                    "leave_s": round(leave, 3),
                    "dwell_s": round(leave - enter, 3),
                    "censored": censored.value,
                    "staff": person in staff,
                }
            )
    return sorted(found, key=lambda visit: (visit["leave_s"], visit["enter_s"]))


def _anchor(box: Sequence[float]) -> Point:
    x0, _, x1, y1 = box
    return (x0 + x1) / 2, y1


def _spans(frames: Sequence[int], gap: float) -> Iterator[tuple[int, int]]:
    """First and last of each run, gaps bridged."""
    if not frames:
        return
    first = last = frames[0]
    for frame in frames[1:]:
        if frame - last > gap + 1e-6:
            yield first, last
            first = frame
        last = frame
    yield first, last


def _ends(
    anchors: dict[int, Point], floor: Polygon, first: int, last: int, fps: float
) -> tuple[float, float]:
    """When the border was crossed, between the last frame outside and the first inside."""
    enter, leave = first / fps, last / fps
    if first - 1 in anchors:
        way = floor.crossing(anchors[first - 1], anchors[first])
        enter -= 0.0 if way is None else (1 - way) / fps
    if last + 1 in anchors:
        way = floor.crossing(anchors[last + 1], anchors[last])
        leave += 0.0 if way is None else (1 - way) / fps
    return enter, leave


def reaches(story: Story, shop: Shop, zones: Sequence[SceneZone]) -> list[dict[str, Any]]:
    """Each stay of one hand past a zone's shelf plane, in the order of their start."""
    found: list[dict[str, Any]] = []
    for track in story.tracks:
        for side in (0, 1):
            hands = _hands(track, side)
            for zone in zones:
                found += _reaches(story, shop, zone, track, hands)
    return sorted(found, key=lambda reach: (reach["start_s"], reach["zone"]))


def _hands(track: Track, side: int) -> dict[int, Floats]:
    """Where the hand is in each tick in which it is stretched out."""
    weight = track.rows[:, HAND + 4 * side + 3]
    return {
        track.start + int(index): stance_of(act_of(track.rows[index]), track.person.build).joints[
            Joint.LEFT_HAND + side
        ]
        for index in (weight > 0.3).nonzero()[0]
    }


def _reaches(
    story: Story, shop: Shop, zone: SceneZone, track: Track, hands: dict[int, Floats]
) -> Iterator[dict[str, Any]]:
    fixture = shop.fixtures[zone.fixture]
    inside = [tick for tick, hand in hands.items() if fixture.reached(hand)]
    end = round(story.seconds / TICK_S)
    for first, last in _spans(inside, _SAME_REACH_S / TICK_S):
        if first >= end or (last - first) * TICK_S < _LEAST_REACH_S:
            continue
        deepest = max(
            (tick for tick in inside if first <= tick <= last),
            key=lambda tick: fixture.place.local(hands[tick])[1],
        )
        yield {
            "zone": zone.name,
            "facing": _facing(story, shop, zone, track, (first, last), hands[deepest]),
            "start_s": round(first * TICK_S, 3),
            "end_s": round(min(last * TICK_S, story.seconds), 3),
            "censored": Censored.of(first <= 0, last >= end).value,
            "staff": track.person.staff,
        }


def _facing(
    story: Story,
    shop: Shop,
    zone: SceneZone,
    track: Track,
    ticks: tuple[int, int],
    hand: Floats,
) -> str | None:
    """The facing whose stock this hand changed, else the one it was nearest to."""
    for event in story.events:
        mine = event.person == track.person.number
        if mine and ticks[0] * TICK_S - 0.01 <= event.t <= ticks[1] * TICK_S + 0.01:
            return shop.facings[event.facing].name
    near = []
    for index, _ in zone.facings:
        facing = shop.facings[index]
        slot, place = shop.slot(facing), shop.fixtures[facing.fixture].place
        width, depth, height = slot.product.size
        along, into, up = place.local(hand)
        low = np.array([slot.along, slot.into, slot.up])
        off = np.array([along, into, up])
        outside = np.maximum(np.maximum(low - off, off - low - (width, depth, height)), 0)
        near.append((float(np.linalg.norm(outside)), facing.name))
    distance, name = min(near, default=(np.inf, ""))
    return name if distance < _NEAR_M else None


def events(story: Story, shop: Shop, zones: Sequence[SceneZone]) -> list[dict[str, Any]]:
    """Picks and put-backs of the zones' facings."""
    zone_of = {index: zone.name for zone in zones for index, _ in zone.facings}
    return [
        {
            "event": "put_back" if event.present else "pick",
            "zone": zone_of[event.facing],
            "facing": shop.facings[event.facing].name,
            "t_s": round(event.t, 3),
            "staff": event.staff,
        }
        for event in story.events
        if event.facing in zone_of and event.t < story.seconds
    ]


def stock(story: Story, shop: Shop, zones: Sequence[SceneZone]) -> list[dict[str, Any]]:
    """When each facing had its product, as spans of seconds."""
    found = []
    for zone in zones:
        for index, _ in zone.facings:
            spans = []
            since: float | None = 0.0 if story.stocked[index] else None
            for event in story.events:
                if event.facing != index or event.t >= story.seconds:
                    continue
                if not event.present and since is not None:
                    spans.append([round(since, 3), round(event.t, 3)])
                since = event.t if event.present else None
            if since is not None:
                spans.append([round(since, 3), round(story.seconds, 3)])
            name = shop.facings[index].name
            found.append({"zone": zone.name, "facing": name, "present": spans})
    return found
