"""The power is cut at random moments: what was not synced is gone, no acknowledged row is."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from random import Random

from edge_agent.outbox import OutboxReader
from edge_agent.records import Receipt
from tests.edge_agent.walkers import FLOOR, record
from tests.prove.chance import seed
from tests.prove.disk import Fate
from tests.prove.moments import MOST_ROWS, Moments, lay_out, lines, look
from tests.prove.rig import Plan, Rig, RigError, until
from tests.prove.row import Row, Scale
from tests.prove.take import Take, build_shim, record_take
from tests.prove.verdict import Verdict, judge

WORKERS = 3
CUTS, CUTS_SHORT = 50, 6
TAKES, TAKES_SHORT = 4, 1
# Of each take, looked at without services.
MOMENTS, MOMENTS_SHORT = 250, 50
SOUND = (sys.executable, "-m")
CARELESS = (sys.executable, "-m", "tests.prove.careless")
# A quarter of max_unreceipted is purged at once: often enough to be cut in its middle.
UPLINK = {"backoff_s": 1, "receipt_s": 2, "max_unreceipted": 100}
DRAIN_S = 60.0


class Victim(Enum):
    """Whose power fails."""

    UNIT = "unit"
    SINK = "sink"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Cut:
    """One power cut.

    Args:
        take: the run that it ends.
        at: after so many notes of its journal.
        victim: whose disk loses what was not synced.
        fate: how.
        draw: seed of what is kept by chance.
    """

    take: Take
    at: int
    victim: Victim
    fate: Fate
    draw: str


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one cut.

    Args:
        verdict: what was acknowledged before it, or afterwards, beside what the sink holds at last.
        broken: what did not start, ended by itself or was set aside as damaged.
    """

    verdict: Verdict
    broken: str = ""


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Fifty cuts, 0 lost, 0 doubled; and a unit and a sink that do not sync are found out."""
    drawn = seed()
    chance = Random(drawn)
    library = build_shim(folder)
    plan = Plan(record(folder / "walk.jsonl", 150.0, every=7, stay=3), FLOOR, 75, UPLINK)
    short = replace(plan, recording=record(folder / "short.jsonl", 8.0, every=7, stay=3))
    runners = [*[SOUND] * scale.of(TAKES, TAKES_SHORT), CARELESS]

    def run(number: int) -> Take:
        return record_take(folder / f"take-{number}", plan, library, runners[number])

    with ThreadPoolExecutor(WORKERS) as pool:
        *takes, careless = pool.map(run, range(len(runners)))
        cuts = [*_cuts(takes, scale.of(CUTS, CUTS_SHORT), chance), *_certain(careless)]
        suffered = [
            pool.submit(_suffer, folder / f"cut-{i}", cut, short) for i, cut in enumerate(cuts)
        ]
        moments = [*[scale.of(MOMENTS, MOMENTS_SHORT)] * len(takes), MOMENTS_SHORT]
        looked = [
            pool.submit(look, folder / f"look-{i}", take, moments[i], drawn)
            for i, take in enumerate((*takes, careless))
        ]
        found, looks = [one.result() for one in suffered], [one.result() for one in looked]
    yield _journalled([*takes, careless], takes)
    yield from _rows(cuts[:-2], found[:-2], drawn)
    yield _moments(sum(looks[:-1], Moments()), drawn)
    yield _control(found[-2:], looks[-1])


def _cuts(takes: Sequence[Take], count: int, chance: Random) -> Iterator[Cut]:
    """Spread over the takes, over whose disk it is and over what becomes of it."""
    victims, fates = tuple(Victim), (Fate.DROPPED, Fate.SCATTERED)
    for number in range(count):
        take = takes[number % len(takes)]
        victim = victims[number % len(victims)]
        fate = fates[number // len(victims) % len(fates)]
        # A sink that has promised nothing has nothing to lose.
        first = take.receipts[0][0] if victim is Victim.SINK else 1
        at = chance.randrange(first, len(take.notes) + 1)
        yield Cut(take, at, victim, fate, f"{chance.random()}")


def _certain(careless: Take) -> Iterator[Cut]:
    """Where one that does not sync must lose: before the first receipt, and after the last."""
    yield Cut(careless, careless.receipts[0][0] - 1, Victim.UNIT, Fate.DROPPED, "")
    yield Cut(careless, len(careless.notes), Victim.SINK, Fate.DROPPED, "")


def _suffer(folder: Path, cut: Cut, plan: Plan) -> Found:
    """Lay out the disk, let everything start on it and run to its end."""
    folder.mkdir()
    acknowledged = _lay_out(folder, cut)
    with Rig(folder, plan) as rig:
        if cut.victim is Victim.SINK:
            _purge(rig.state, cut.take.promised(cut.at))
        try:
            _run_out(rig)
            aside = ", ".join(path.name for path in rig.state.glob("*.damaged-*"))
            return Found(judge([*acknowledged, *rig.records()], rig.exported()), aside)
        except RigError as error:
            return Found(Verdict(), str(error))


def _lay_out(folder: Path, cut: Cut) -> list[bytes]:
    """Write both disks as the cut leaves them; the rows that vision had told of by then."""
    disk, chance = cut.take.disk(cut.at), Random(cut.draw)
    sides = {Victim.UNIT: cut.take.state, Victim.SINK: cut.take.store}
    for victim, source in sides.items():
        fate = cut.fate if cut.victim in (victim, Victim.BOTH) else Fate.KEPT
        lay_out(folder / source.name, disk.files(source, fate, chance))
    return lines(disk.files(cut.take.told, Fate.KEPT, chance))


def _purge(state: Path, promised: Sequence[Receipt]) -> None:
    """As an uplink that lived on does with what the sink promised to hold."""
    reader = OutboxReader(state / "outbox.db")
    keys = [row.key for row in reader.rows_after(None, MOST_ROWS)]
    done = [
        key for key in keys if any(one.boot == key.boot and one.covers(key.seq) for one in promised)
    ]
    reader.forget(done)
    reader.close()


def _run_out(rig: Rig) -> None:
    """The unit counts a little more on that disk, then everything is delivered."""
    rig.start_broker()
    rig.start_sink()
    rig.start_vision()
    rig.finish("vision", 60, ask=False)
    # What comes before the sink listens would wait for a receipt in vain.
    until(lambda: "subscribed" in rig.last_words("sink"), "the sink listens")
    rig.start_service("uplink", "--drain")
    rig.finish("uplink", DRAIN_S, ask=False)
    rig.finish("sink", 30)


def _journalled(takes: Sequence[Take], sound: Sequence[Take]) -> Row:
    differs = [name for take in takes for name in take.differs()]
    writes = sum(len(take.notes) for take in takes)
    syncs = [min(take.syncs(take.state), take.syncs(take.store)) for take in sound]
    return Row(
        "journalled",
        "the journal of writes and syncs, applied whole, gives the files that are there",
        "no file differs, some syncs of unit and sink",
        f"{len(differs)} files differ after {writes} notes, {sum(syncs)} syncs or more of each"
        + "".join(f"; {name}" for name in differs[:3]),
        not differs and all(syncs),
    )


def _rows(cuts: Sequence[Cut], found: Sequence[Found], drawn: int) -> Iterator[Row]:
    verdict = sum((one.verdict for one in found), Verdict())
    broken = [one.broken for one in found if one.broken]
    again = f"; PROVE_SEED={drawn} draws the same cuts"
    by = Counter(cut.victim.value for cut in cuts) + Counter(cut.fate.value for cut in cuts)
    yield Row(
        "power-cuts",
        "unit and sink start on a disk that lost what was not synced at a random moment, none of "
        "it damaged, and deliver",
        f"{len(cuts)} cuts, all of them",
        f"{len(found) - len(broken)} of {len(cuts)} cuts ("
        + ", ".join(f"{name} {count}" for name, count in by.items())
        + ")"
        + (f"; {broken[0]}{again}" if broken else ""),
        not broken,
    )
    lost = len(verdict.lost)
    yield Row(
        "power-lost",
        "a row whose commit had returned, and a row whose receipt was sent, is in the sink at last",
        "0 lost",
        f"{lost} lost of {verdict.told} rows over all cuts" + (again if lost else ""),
        not lost and verdict.told >= len(cuts),
    )
    doubled = len(verdict.doubled) + len(verdict.gaps)
    yield Row(
        "power-doubled",
        "no row and no window is in the sink twice; within a boot seq runs from 1 without gaps",
        "0 doubled, 0 boots with gaps",
        f"{len(verdict.doubled)} doubled, {len(verdict.gaps)} boots with gaps in {verdict.stored} "
        "rows" + (again if doubled else ""),
        not doubled,
    )


def _moments(found: Moments, drawn: int) -> Row:
    wrong = found.missing + found.unkept + found.damaged
    return Row(
        "power-moments",
        "at any moment a committed row is on the unit's disk or the sink's, and a receipted one on "
        "the sink's, also when both are cut",
        "0 missing, 0 outboxes damaged",
        f"{found.missing} missing, {found.unkept} receipted and missing of {found.rows} rows, "
        f"{found.damaged} outboxes damaged at {found.looks} moments"
        + (f"; PROVE_SEED={drawn} draws the same" if wrong else ""),
        not wrong and found.rows > found.looks,
    )


def _control(found: Sequence[Found], looks: Moments) -> Row:
    unit, sink = (len(one.verdict.lost) for one in found)
    broken = "; ".join(one.broken for one in found if one.broken)
    return Row(
        "power-control",
        "the same cuts find what a unit and a sink lose whose SQLite does not sync",
        "some of each",
        f"{unit} rows lost by the unit, {sink} by the sink; {looks.missing} missing and "
        f"{looks.unkept} receipted and missing at {looks.looks} moments"
        + (f"; {broken}" if broken else ""),
        min(unit, sink, looks.missing, looks.unkept) > 0,
    )
