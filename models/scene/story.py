"""What happens in a clip, as values: who was where when, and what became of the stock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.scene.camera import Floats
from models.scene.picture import Person
from models.scene.shopper import GAZE, TICK_S, TROLLEY


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many people come.

    Args:
        visits_every_s: seconds from one visit to the main floor to the next, on average.
        busy: share of the time in which somebody is in view; 1 = no pauses are made.
    """

    visits_every_s: float = 6.0
    busy: float = 1.0


@dataclass(frozen=True, slots=True)
class StockEvent:
    """A product left its facing (pick) or came back (put_back).

    Args:
        t: seconds.
        facing: which of the shop's.
        present: what is so from now on.
        person: whose hand it was.
        staff: whether it was a member of staff's.
    """

    t: float
    facing: int
    present: bool
    person: int
    staff: bool


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One person's way through the clip.

    Args:
        person: who.
        start: tick of the first row; tick 0 is the clip's first moment.
        rows: float64 [ticks, COLUMNS], as `shopper.act_of` reads them.
        trolley: pushes one.
        basket: carries one.
    """

    person: Person
    start: int
    rows: Floats
    trolley: bool
    basket: bool


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """All that happens in a clip.

    Args:
        tracks: everybody's.
        stocked: which facings have their product at the start.
        events: what changes of them, in order.
        seconds: how long it lasts.
    """

    tracks: tuple[Track, ...]
    stocked: tuple[bool, ...]
    events: tuple[StockEvent, ...]
    seconds: float

    def stock_at(self, t: float) -> tuple[bool, ...]:
        """Which facings have their product at a time."""
        now = list(self.stocked)
        for event in self.events:
            if event.t <= t + 1e-9:
                now[event.facing] = event.present
        return tuple(now)


def positions(story: Story, t: float) -> Iterator[tuple[Track, Floats]]:
    """Everybody who is in the shop at a time, with the row of that moment."""
    at = t / TICK_S
    for track in story.tracks:
        index = at - track.start
        if not -1e-6 <= index <= len(track.rows) - 1 + 1e-6:
            continue
        low = min(max(0, int(index + 1e-6)), len(track.rows) - 1)
        high = min(low + 1, len(track.rows) - 1)
        share = min(1.0, max(0.0, index - low))
        row = track.rows[low]
        if share > 1e-6:
            mixed = row + share * (track.rows[high] - row)
            # What is held, and whether there is a gaze, does not come in parts.
            mixed[GAZE:TROLLEY] = row[GAZE:TROLLEY]
            row = mixed
        yield track, row
