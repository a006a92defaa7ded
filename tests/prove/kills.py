"""Every process is killed at random moments, again and again, and no acknowledged row is lost."""

from __future__ import annotations

import csv
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.records import topic
from tests.edge_agent.walkers import FLOOR, record
from tests.prove.chance import seed
from tests.prove.rig import Plan, Rig, RigError, until
from tests.prove.row import Row, Scale
from tests.prove.verdict import Verdict, judge

# As many shops of their own side by side as it takes for a thousand kills in some minutes.
RIGS, RIGS_SHORT = 4, 3
START: Mapping[str, Callable[[Rig], object]] = {
    "vision": Rig.start_vision,
    "uplink": lambda rig: rig.start_service("uplink"),
    "broker": Rig.start_broker,
    "sink": Rig.start_sink,
}
# The mean time between two kills in one shop, seconds: a service needs about half of it to start,
# so that some are killed before they work.
MEAN_S, MEAN_SHORT_S = 1.5, 0.7
# How often what was killed stays away until the next one is killed too.
TOGETHER = 0.3
# Longer than any vision lives.
RECORDING_S = 10_000.0
# Rows that the broker must have taken while the sink is away; the uplink purges a quarter of
# max_unreceipted at once, so that one that purged on the broker's word would have done so.
TAKEN = 60
UPLINK = {"backoff_s": 1, "receipt_s": 3, "max_unreceipted": 100}
DRAIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Shop:
    """What came of one shop.

    Args:
        kills: by service.
        verdict: what the unit committed beside what the sink holds.
        summed: pass_bys in the sink's table of windows.
    """

    kills: Counter[str] = field(default_factory=Counter)
    verdict: Verdict = field(default_factory=Verdict)
    summed: int = 0


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """A thousand kills, 0 lost, 0 doubled."""
    drawn, count = seed(), scale.of(1000, 24)
    try:
        shops = _shops(scale, folder, drawn, count)
    except RigError as error:
        raise RigError(f"PROVE_SEED={drawn} draws the same order of kills: {error}") from error
    kills: Counter[str] = Counter()
    verdict, summed = Verdict(), 0
    for shop in shops:
        kills += shop.kills
        verdict += shop.verdict
        summed += shop.summed
    yield from _rows(count, kills, verdict, summed, drawn)


def _shops(scale: Scale, folder: Path, drawn: int, count: int) -> list[Shop]:
    plan = Plan(record(folder / "walk.jsonl", RECORDING_S, every=7, stay=3), FLOOR, uplink=UPLINK)
    rigs = scale.of(RIGS, RIGS_SHORT)
    shares = [count // rigs + (i < count % rigs) for i in range(rigs)]
    mean_s = MEAN_SHORT_S if scale.short else MEAN_S

    def run(number: int) -> Shop:
        own = folder / f"shop-{number}"
        own.mkdir()
        with Rig(own, plan) as rig:
            return _suffer(rig, shares[number], mean_s, Random(f"{drawn} {number}"))

    with ThreadPoolExecutor(rigs) as pool:
        return list(pool.map(run, range(rigs)))


def _suffer(rig: Rig, count: int, mean_s: float, chance: Random) -> Shop:
    """Start everything, kill so often, let everything run to its end."""
    for start in START.values():
        start(rig)
    until(rig.records, "vision counts")
    kills = _lose_the_broker(rig)
    victims = _victims(count - kills.total(), chance)
    _kill(rig, victims, mean_s, chance)
    _run_out(rig)
    return Shop(kills + Counter(victims), judge(rig.records(), rig.exported()), _summed(rig))


def _victims(count: int, chance: Random) -> list[str]:
    """Each service as often as the others, in an order by chance."""
    names = list(START)
    victims = [names[i % len(names)] for i in range(count)]
    chance.shuffle(victims)
    return victims


def _kill(rig: Rig, victims: Sequence[str], mean_s: float, chance: Random) -> None:
    away: list[str] = []
    for name in victims:
        time.sleep(chance.uniform(0, 2 * mean_s))
        if name in away:
            _back(rig, away)
        rig.kill(name)
        away.append(name)
        if chance.random() >= TOGETHER:
            _back(rig, away)
    _back(rig, away)


def _back(rig: Rig, away: list[str]) -> None:
    for name in away:
        START[name](rig)
    away.clear()


def _lose_the_broker(rig: Rig) -> Counter[str]:
    """The broker takes rows while the sink is away, then it is gone with all that it held.

    What it acknowledged is nowhere but at the unit: an uplink that took the broker's word for the
    sink's would lose it.
    """
    rig.kill("sink")
    _hear(rig.port, TAKEN)
    rig.kill("broker")
    shutil.rmtree(rig.sessions)
    rig.sessions.mkdir()
    _back(rig, ["broker", "sink"])
    return Counter(("sink", "broker"))


def _hear(port: int, rows: int) -> None:
    """Listen at the broker until so many different rows have come by."""
    heard: set[bytes] = set()
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: heard.add(bytes(message.payload))
    until(lambda: _connected(client, port), "the broker listens")
    try:
        client.subscribe(topic("+", "+", "+", "counts"))
        until(lambda: client.loop(0.05) or len(heard) >= rows, f"the broker took {rows} rows")
    finally:
        client.disconnect()
        client.loop(0)


def _connected(client: mqtt.Client, port: int) -> bool:
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return False
    return True


def _run_out(rig: Rig) -> None:
    """Vision closes its last window, the uplink empties the outbox."""
    lines = len(rig.records())
    until(lambda: len(rig.records()) > lines, "vision counts again")
    rig.finish("vision", 30)
    rig.kill("uplink")
    rig.start_service("uplink", "--drain")
    rig.finish("uplink", DRAIN_S, ask=False)
    rig.finish("sink", 30)


def _summed(rig: Rig) -> int:
    text = b"\n".join(rig.exported("csv")).decode()
    return sum(int(row["pass_bys"]) for row in csv.DictReader(text.splitlines()))


def _rows(
    count: int, kills: Counter[str], verdict: Verdict, summed: int, drawn: int
) -> Iterator[Row]:
    again = f"; PROVE_SEED={drawn} draws the same order"
    each = ", ".join(f"{name} {kills[name]}" for name in START)
    yield Row(
        "kills",
        "vision, uplink, mosquitto and sink are killed with SIGKILL at random moments, each starts "
        "again and nothing else ends any of them",
        f"{count} kills",
        f"{kills.total()} kills ({each})",
        kills.total() == count,
    )
    lost = len(verdict.lost)
    yield Row(
        "killed-lost",
        "a row that vision committed is in the sink, byte for byte",
        "0 lost",
        f"{lost} lost of {verdict.told} committed rows" + (again if lost else ""),
        not lost and verdict.told >= count,
    )
    doubled = len(verdict.doubled) + len(verdict.gaps)
    yield Row(
        "killed-doubled",
        "no row and no window is in the sink twice; within a boot seq runs from 1 without gaps",
        "0 doubled, 0 boots with gaps",
        f"{len(verdict.doubled)} doubled, {len(verdict.gaps)} boots with gaps in {verdict.stored} "
        "stored rows" + (again if doubled else ""),
        not doubled and verdict.stored >= verdict.told - lost,
    )
    yield Row(
        "killed-sum",
        "the sink's table of windows adds up to what its messages say",
        "the same pass_bys",
        f"{summed} in windows, {verdict.visits} in messages",
        summed == verdict.visits > 0,
    )
