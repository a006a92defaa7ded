"""Time: whatever the wall clock does, no window is negative, doubled, or off more than it says."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np

from edge_agent.config import Site
from edge_agent.config.parse import parse_site
from edge_agent.observations import Detections
from edge_agent.outbox import OutboxReader
from edge_agent.pipeline import Models, Pipeline, build_pipeline
from edge_agent.records import Trouble, Window, decode_counts
from edge_agent.services.vision import Vision, anchor_of
from tests.edge_agent.walkers import FLOOR
from tests.prove.chance import seed
from tests.prove.row import Row, Scale

HOUR, DAY = 3600.0, 86_400.0
YEARS = 10 * 365.25 * DAY
# The nights in which Europe's clocks change, and an ordinary noon; seconds since 1970.
SPRING, AUTUMN, NOON = 1_743_295_800.0, 1_761_438_600.0, 1_700_049_600.0
# Somebody stands at the shelf so often, and that long.
EVERY_S, STAYS_S = 37.0, 4.0


@dataclass(frozen=True, slots=True)
class Step:
    """What the wall clock does from some second after the start on.

    Args:
        at: true seconds after the start.
        off_s: what the wall clock says less the truth.
        synced: whether a time server looks after it.
    """

    at: float
    off_s: float
    synced: bool


@dataclass(frozen=True, slots=True)
class Story:
    """What a clock did.

    Args:
        name: as a row tells it.
        begin: the true time at the start.
        steps: in order of time, the first one at 0.
        seconds: how long it goes on.
        restarts: when vision starts anew, true seconds after the start.
        unsure: whether windows without a bound are to be expected.
    """

    name: str
    begin: float
    steps: Sequence[Step]
    seconds: float = 2400.0
    restarts: Sequence[float] = ()
    unsure: bool = False


STORIES = (
    Story("start in 1970, set after 4 min", NOON, (Step(0, -NOON, False), Step(240, 0.01, True))),
    Story("10 years ahead, set after 4 min", NOON, (Step(0, YEARS, False), Step(240, 0.0, True))),
    Story("1 hour behind, set after 4 min", NOON, (Step(0, -HOUR, False), Step(240, 0.0, True))),
    Story("never set", NOON, (Step(0, -1234.0, False),), unsure=True),
    Story(
        "1970, set after 20 min", NOON, (Step(0, -NOON, False), Step(1200, 0.0, True)), unsure=True
    ),
    Story("set, then 1 hour back", NOON, (Step(0, 0.0, True), Step(900, -HOUR, True))),
    Story(
        "set, 1 hour back, set right again",
        NOON,
        (Step(0, 0.0, True), Step(900, -HOUR, True), Step(1500, 0.0, True)),
    ),
    Story("summer begins", SPRING, (Step(0, 0.0, True),)),
    Story("winter begins", AUTUMN, (Step(0, 0.0, True),)),
    Story(
        "power cut, back in 1970, set after 2 min",
        NOON,
        (Step(0, 0.0, True), Step(1010, -NOON, False), Step(1130, 0.0, True)),
        restarts=(1010.0,),
    ),
)


class Clock:
    """A machine whose wall clock goes by a story; time passes when a frame is awaited."""

    def __init__(self, story: Story, booted: float) -> None:
        self.story, self.booted = story, booted
        self.passed = booted

    def monotonic(self) -> float:
        return 1000.0 + self.passed - self.booted

    def wall(self) -> float:
        return self.story.begin + self.passed + self._step().off_s

    def synced(self) -> bool:
        return self._step().synced

    def sleep(self, seconds: float) -> None:
        self.passed += seconds

    def _step(self) -> Step:
        return [step for step in self.story.steps if step.at <= self.passed][-1]


@dataclass(slots=True)
class Camera:
    """A frame each second; somebody comes by every so often and stays a while."""

    clock: Clock
    until: float
    left: list[float] = field(default_factory=list)

    def read(self) -> Detections | None:
        self.clock.passed += 1.0
        if self.clock.passed > self.until:
            return None
        boxes = np.empty((0, 4))
        if self.clock.passed % EVERY_S < STAYS_S:
            boxes = np.array([[0.45, 0.4, 0.55, 0.9]])
        elif self.clock.passed % EVERY_S < STAYS_S + 1.0:
            self.left.append(self.clock.passed - 1.0)
        return Detections(self.clock.monotonic(), boxes, np.full(len(boxes), 0.9))

    def close(self) -> None:
        """There is no device."""

    def troubles(self) -> frozenset[Trouble]:
        """Nothing."""
        return frozenset()


@dataclass(slots=True)
class Verdict:
    """What the windows of a story came to."""

    windows: int = 0
    negative: int = 0
    doubled: int = 0
    misplaced: int = 0
    unsure: int = 0
    visits: tuple[int, int] = (0, 0)
    worst_s: float = 0.0


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Each story, and stories by chance."""
    chance = Random(seed())
    logging.getLogger("shelflight").setLevel(logging.ERROR)
    try:
        for number, story in enumerate(STORIES):
            yield _row(f"time-{number + 1}", story, _told(story, folder / f"{number}"))
        yield _by_chance(scale.of(200, 8), chance, folder)
    finally:
        logging.getLogger("shelflight").setLevel(logging.NOTSET)


def _row(check: str, story: Story, verdict: Verdict) -> Row:
    found, came = verdict.visits
    held = not (verdict.negative or verdict.doubled or verdict.misplaced) and found == came
    held = held and (verdict.unsure > 0) == story.unsure
    return Row(
        check,
        f"the clock: {story.name}",
        "no window negative, doubled or off by more than it says; every visit once"
        + ("" if story.unsure else "; each window says its bound"),
        f"{verdict.windows} windows: {verdict.negative}, {verdict.doubled}, {verdict.misplaced}; "
        f"{found} of {came} visits; off by {verdict.worst_s:.1f} s at most where a bound is told, "
        f"{verdict.unsure} tell none",
        held,
    )


def _by_chance(count: int, chance: Random, folder: Path) -> Row:
    total = Verdict()
    wrong = 0
    for number in range(count):
        times = sorted(chance.uniform(30, 2000) for _ in range(chance.randint(0, 4)))
        steps = [
            Step(at, _off(chance) if number % 2 else chance.choice((0.0, _off(chance))), synced)
            for at, synced in zip((0.0, *times), _synced(len(times) + 1, chance), strict=True)
        ]
        story = Story("by chance", chance.choice((NOON, SPRING, AUTUMN)), steps)
        verdict = _told(story, folder / f"chance-{number}")
        total.windows += verdict.windows
        wrong += verdict.negative + verdict.doubled
        total.visits = (total.visits[0] + verdict.visits[0], total.visits[1] + verdict.visits[1])
    return Row(
        "time-chance",
        f"{count} clocks that jump by chance, by seconds or years, set or not",
        "no window negative or doubled, every visit once",
        f"{total.windows} windows, {wrong} wrong; {total.visits[0]} of {total.visits[1]} visits",
        not wrong and total.visits[0] == total.visits[1],
    )


def _off(chance: Random) -> float:
    return chance.choice((1.0, -1.0)) * chance.choice((0.3, 2.0, 59.0, 60.0, HOUR, DAY, YEARS))


def _synced(count: int, chance: Random) -> list[bool]:
    """A clock that was set once stays so."""
    first = chance.randint(0, count)
    return [number >= first for number in range(count)]


def _told(story: Story, folder: Path) -> Verdict:
    folder.mkdir()
    left: list[float] = []
    borders = (0.0, *story.restarts, story.seconds)
    for start, end in pairwise(borders):
        left += _run(story, start, end, folder)
    return _judge(story, left, folder)


def _run(story: Story, start: float, end: float, folder: Path) -> list[float]:
    clock = Clock(story, start)
    camera = Camera(clock, end)
    site = _site()
    vision = Vision(
        site, folder, folder, clock, eye=lambda: camera, pipeline=_pipeline(site, clock)
    )
    with vision:
        while vision.step():
            pass
    return camera.left


def _pipeline(site: Site, clock: Clock) -> Pipeline:
    return build_pipeline(site, anchor_of(site, clock).epoch, Models(None, None))


def _site() -> Site:
    values = {
        "unit": {"id": "unit-1", "timezone": "Europe/Berlin"},
        "camera": {"source": "v4l2", "path": "/dev/video0", "fps": 1},
        "zones": [{"name": "table", "floor": FLOOR}],
        "privacy": {"k": 1, "window_s": 60},
        "budget": {"cool": False},
    }
    return parse_site(values, "site.yaml", Path("."))


def _judge(story: Story, left: Sequence[float], folder: Path) -> Verdict:
    with closing(OutboxReader(folder / "outbox.db")) as reader:
        rows = [decode_counts(row.payload) for row in reader.rows_after(None, 9999)]
    verdict = Verdict()
    came = iter(sorted(left))
    names: Counter[tuple[str, float]] = Counter()
    before: dict[str, Window] = {}
    for row in rows:
        for window in row.windows:
            verdict.windows += 1
            verdict.negative += window.length_s <= 0 or window.start < 0
            verdict.unsure += window.bound_s is None
            names[row.boot, window.start] += 1
            verdict.doubled += _overlap(before.get(row.boot), window)
            before[row.boot] = window
            for _ in range(window.pass_bys):
                _place(story, window, next(came, None), verdict)
    verdict.doubled += sum(times - 1 for times in names.values())
    found = sum(window.pass_bys for row in rows for window in row.windows)
    verdict.visits = (found, len(left))
    return verdict


def _overlap(before: Window | None, window: Window) -> bool:
    """Whether two neighbours of one boot and one clock claim the same time."""
    if before is None or before.clock is not window.clock:
        return False
    return window.start < before.end - 0.002


def _place(story: Story, window: Window, left: float | None, verdict: Verdict) -> None:
    """Hold a window against the time at which somebody really left."""
    if left is None or window.bound_s is None:
        return
    true = story.begin + left
    off_s = max(window.start - true, true - window.end, 0.0)
    verdict.worst_s = max(verdict.worst_s, off_s)
    verdict.misplaced += off_s > window.bound_s
