"""Small counts: what is told of a zone has a base of 0 or at least k, and nothing is lost by it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from edge_agent.outbox import Outbox, read_ledger
from edge_agent.records import Definitions, Quality, VisitCounts, Window
from tests.edge_agent.walkers import FLOOR, record
from tests.prove.chance import seed
from tests.prove.rig import Plan, Rig, until
from tests.prove.row import Row, Scale

K = 5
# Saturdays before the clocks of Europe and of New York change, and an ordinary one, 20:00 UTC.
_EVENINGS = (1_743_278_400.0, 1_761_422_400.0, 1_741_464_000.0, 1_700_337_600.0)
_SUMMED = ("pass_bys", "stops", "reaches", "dwell_s", "observed_s", "merged")


@dataclass(slots=True)
class Tally:
    """What a run of many windows came to."""

    told: int = 0
    small: int = 0
    sums_off: int = 0
    zeros: int = 0


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Lives of outboxes by chance, then a unit at work."""
    chance = Random(seed())
    lives = scale.of(400, 25)
    tally = Tally()
    for number in range(lives):
        _live(folder / f"{number}.db", chance, tally)
    yield Row(
        "small",
        f"no base of 1..k-1 is told: {lives} outboxes over midnight, changes of the clocks, "
        "restarts and changes of k (1 to 8)",
        "0 of all windows",
        f"{tally.small} of {tally.told}",
        tally.small == 0 and tally.told > 10 * lives,
    )
    yield Row(
        "small-sums",
        "what was told and what waits adds up to what was counted, field by field",
        f"{lives} of {lives}",
        f"{lives - tally.sums_off} of {lives}",
        tally.sums_off == 0,
    )
    yield Row(
        "small-zeros",
        "where nobody came and nothing waits a zero is told at once",
        "more than 0, none held back",
        f"{tally.zeros} told",
        tally.zeros > 0,
    )
    yield from _at_work(scale, folder)


def _live(path: Path, chance: Random, tally: Tally) -> None:
    """Fifteen hours of one unit, some restarts and changes of k among them."""
    put_in: dict[str, float] = dict.fromkeys(_SUMMED, 0.0)
    start, boots, k = chance.choice(_EVENINGS), 1, chance.randint(1, 8)
    outbox = Outbox.open(path, "unit-1", f"{boots:016x}", 10_000, k)
    busy = chance.choice((0.02, 0.2, 1.0, 4.0))
    for minute in range(0, 900, 5):
        batch = tuple(_window(zone, start + 60 * minute, chance, busy) for zone in ("a", "b"))
        for window in batch:
            for name in _SUMMED:
                put_in[name] += getattr(window, name) or 0
        outbox.append(batch)
        _judge(outbox, k, tally)
        if chance.random() < 0.03:
            boots, k = boots + 1, chance.randint(1, 8)
            outbox.close()
            outbox = Outbox.open(path, "unit-1", f"{boots:016x}", 10_000, k)
    outbox.close()
    tally.sums_off += not _adds_up(path, put_in)


def _window(zone: str, start: float, chance: Random, busy: float) -> Window:
    visits = min(20, int(chance.expovariate(1 / busy)))
    # Zone b has no floor: its base are reaches.
    floor = zone == "a"
    pass_bys = visits if floor else 0
    return Window(
        zone, start, 300.0, 300.0, Quality.SYNCED, Definitions(5, 15, 2),
        pass_bys=pass_bys, stops=chance.randint(0, pass_bys),
        reaches=visits if not floor else chance.randint(0, 9),
        dwell_s=7.25 * pass_bys,
        staff=VisitCounts() if floor else None, bound_s=1.0,
    )  # fmt: skip


def _judge(outbox: Outbox, k: int, tally: Tally) -> None:
    for row in outbox.stored:
        for window in row.counts.windows:
            base = window.pass_bys if window.zone == "a" else window.reaches or 0
            tally.told += 1
            tally.small += 0 < base < k or window.definitions.k != k
            tally.zeros += base == 0


def _adds_up(path: Path, put_in: Mapping[str, float]) -> bool:
    ledger = read_ledger(path)
    windows = [window for row in ledger.entries for window in row.counts.windows]
    windows += ledger.carried
    return all(
        abs(sum(getattr(window, name) or 0 for window in windows) - total) < 1e-6
        for name, total in put_in.items()
    )


def _at_work(scale: Scale, folder: Path) -> Iterator[Row]:
    """A real unit, broker and sink; vision is killed and started again meanwhile."""
    own = folder / "unit"
    own.mkdir()
    clip = record(folder / "walk.jsonl", 10_000.0, every=7, stay=3)
    waited = scale.of(60, 6)
    with Rig(own, Plan(clip, FLOOR, pace=60.0)) as rig:
        _ask_for(rig, K)
        rig.start_broker()
        rig.start_sink()
        rig.start_service("uplink")
        for part in range(3):
            rig.start_vision()
            until(
                lambda part=part: _waited(rig) >= waited * (part + 1) // 3,
                "windows that waited for more visitors",
            )
            rig.kill("vision")
        carried = read_ledger(rig.state / "outbox.db").carried
        rig.finish("uplink", 30)
        rig.start_service("uplink", "--drain")
        rig.finish("uplink", 60, ask=False)
        told = [w for line in rig.exported() for w in json.loads(line)["windows"]]
        rig.finish("sink", 30)
        rig.finish("broker", 30)
    small = sum(0 < window["pass_bys"] < K for window in told)
    longer = sum(window["merged"] > 1 for window in told)
    yield Row(
        "small-at-work",
        f"a unit with k = {K} whose vision is killed three times: bases of 1..{K - 1} in the sink",
        f"0; windows that waited: more than 0; carried on: less than {K}",
        f"{small} of {len(told)}; {longer}; {sum(w.pass_bys for w in carried)}",
        not small and longer > 0 and all(w.pass_bys < K for w in carried),
    )


def _waited(rig: Rig) -> int:
    windows = [window for line in rig.records() for window in json.loads(line)["windows"]]
    return sum(window["merged"] > 1 for window in windows)


def _ask_for(rig: Rig, k: int) -> None:
    path = rig.folder / "site.yaml"
    site: dict[str, Any] = json.loads(path.read_text())
    site["privacy"]["k"] = k
    path.write_text(json.dumps(site))
