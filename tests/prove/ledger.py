"""The ledger: every message that left, as a chain that both sides hold alike, bounded in size."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from edge_agent.outbox import Outbox, OutboxReader, Stage, read_ledger
from edge_agent.outbox.database import pack, unpack
from edge_agent.outbox.ledger import ENTRIES, FOLDED
from edge_agent.records import Definitions, Quality, Window, digest
from tests.edge_agent.walkers import FLOOR, record
from tests.prove.chance import seed
from tests.prove.rig import Plan, Rig, until
from tests.prove.row import Row, Scale

# What somebody with the unit's card in hand may do to its ledger.
Tamper = Callable[[sqlite3.Connection, Random], None]


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Both sides alike, no change unseen, bounded."""
    clip = record(folder / "walk.jsonl", 10_000.0, every=7, stay=3)
    own = folder / "unit"
    own.mkdir()
    with Rig(own, Plan(clip, FLOOR, pace=60.0, uplink={"backoff_s": 1})) as rig:
        yield from _both_sides(rig, scale.of(300, 40))
    yield from _tampered(rig, scale.of(100, 25))
    yield from _bounded(folder / "old.db", scale.of(40_000, 12_000))


def _both_sides(rig: Rig, rows: int) -> Iterator[Row]:
    rig.start_broker()
    rig.start_sink()
    rig.start_service("uplink")
    for part in range(2):
        rig.start_vision()
        until(lambda part=part: len(rig.records()) >= rows * (part + 1) // 2, "windows told")
        rig.kill("vision")
    rig.finish("uplink", 30)
    rig.start_service("uplink", "--drain")
    rig.finish("uplink", 60, ask=False)
    # Once more on the whole ledger: the head goes out with the health.
    rig.start_service("uplink")
    until(lambda: _head(rig) == _newest(rig), "the head in the sink's hands")
    rig.finish("uplink", 30)
    rig.finish("sink", 30)
    rig.finish("broker", 30)
    entries = read_ledger(rig.state / "outbox.db").entries
    left = [row.payload for row in entries if row.stage is Stage.LEFT]
    here, there = _run(rig, "edge_agent"), _run(rig, "cloud_sink")
    yield Row(
        "ledger-same",
        "what the sink holds is what the unit's ledger says left, byte for byte",
        "the same",
        f"{len(left)} entries, {len(rig.exported())} messages, "
        f"{'the same' if left == rig.exported() else 'NOT the same'}",
        left == rig.exported() and len(left) == len(entries) >= rows,
    )
    linked = sum(json.loads(payload).get("prev") is not None for payload in left)
    yield Row(
        "ledger-chain",
        "every message but the first says what stands before it, over a restart too; "
        "`ledger --verify` finds no cut",
        f"{len(left) - 1} links, exit 0",
        f"{linked} links, exit {here.returncode}",
        linked == len(left) - 1 and here.returncode == 0,
    )
    account = json.loads(there.stdout)
    yield Row(
        "ledger-head",
        "the head in the unit's health is the digest of the sink's newest message",
        "same, no gap",
        f"{account['verdict']}, {len(account['broken'])} gaps, {account['head']['digest'][:12]}…",
        there.returncode == 0 and account["verdict"] == "same" and not account["broken"],
    )


def _head(rig: Rig) -> str | None:
    """Of the unit's ledger, as the sink was told by its health."""
    with contextlib.closing(sqlite3.connect(rig.store / "sink.db", timeout=10)) as db:
        found = db.execute("SELECT health FROM units WHERE health IS NOT NULL").fetchone()
    head = None if found is None else json.loads(found[0]).get("ledger")
    return None if head is None else str(head["digest"])


def _newest(rig: Rig) -> str:
    return digest(read_ledger(rig.state / "outbox.db").entries[-1].payload)


def _run(rig: Rig, package: str) -> subprocess.CompletedProcess[str]:
    where = {
        "edge_agent": ("--state", str(rig.state), "--verify"),
        "cloud_sink": ("--db", str(rig.store / "sink.db"), "--json"),
    }[package]
    words = (sys.executable, "-m", package, "ledger", *where)
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def _tampered(rig: Rig, tries: int) -> Iterator[Row]:
    chance, seen = Random(seed()), 0
    whole = rig.state / "outbox.db"
    copy = rig.folder / "tampered.db"
    for number in range(tries):
        with (
            contextlib.closing(sqlite3.connect(whole)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            _TAMPERS[number % len(_TAMPERS)](target, chance)
            target.commit()
        seen += bool(read_ledger(copy).broken())
    yield Row(
        "ledger-tampered",
        "an entry changed, taken out, slipped in or exchanged with its neighbour is seen",
        f"{tries} of {tries}",
        f"{seen} of {tries}",
        seen == tries,
    )


def _place(db: sqlite3.Connection, chance: Random) -> int:
    """An entry with others before and after it."""
    low, high = db.execute("SELECT min(position), max(position) FROM rows").fetchone()
    return chance.randint(low + 1, high - 2)


def _change(db: sqlite3.Connection, chance: Random) -> None:
    at = _place(db, chance)
    (payload,) = db.execute("SELECT payload FROM rows WHERE position = ?", (at,)).fetchone()
    known: dict[str, Any] = json.loads(unpack(payload))
    known["windows"][0]["pass_bys"] += 1
    text = json.dumps(known, separators=(",", ":")).encode()
    db.execute("UPDATE rows SET payload = ? WHERE position = ?", (pack(text), at))


def _take_out(db: sqlite3.Connection, chance: Random) -> None:
    db.execute("DELETE FROM rows WHERE position = ?", (_place(db, chance),))


def _exchange(db: sqlite3.Connection, chance: Random) -> None:
    at = _place(db, chance)
    for old, new in ((at, -1), (at + 1, at), (-1, at + 1)):
        db.execute("UPDATE rows SET position = ? WHERE position = ?", (new, old))


def _slip_in(db: sqlite3.Connection, chance: Random) -> None:
    """A copy of an entry in the place of the next one, which moves on with all after it."""
    at = _place(db, chance)
    db.execute("UPDATE rows SET position = -position WHERE position > ?", (at,))
    db.execute("UPDATE rows SET position = 1 - position WHERE position < 0")
    db.execute(
        "INSERT INTO rows SELECT position + 1, boot, seq, payload, stage FROM rows"
        " WHERE position = ?",
        (at,),
    )


_TAMPERS: tuple[Tamper, ...] = (_change, _take_out, _exchange, _slip_in)


def _bounded(path: Path, messages: int) -> Iterator[Row]:
    """More messages than are kept, as they come: sent, receipted, folded."""
    outbox = Outbox.open(path, "unit-1", "00000000000000aa", 20_000)
    reader = OutboxReader(path)
    most = 0
    rules = Definitions(5, 15, 2)
    # It is about what is kept, not about power cuts.
    outbox._database.execute("PRAGMA synchronous = OFF")
    for minute in range(messages):
        start = 1_700_000_040.0 + 60 * minute
        outbox.append((Window("a", start, 60.0, 60.0, Quality.SYNCED, rules, pass_bys=minute % 7),))
        if minute % 64 == 63:
            reader.forget([row.key for row in reader.rows_after(None, 64)])
            most = max(most, _size(path))
    outbox.close()
    reader.close()
    ledger = read_ledger(path)
    folded = sum(point.messages for point in ledger.checkpoints)
    kept = len(ledger.entries)
    bound = ENTRIES + FOLDED + 64
    yield Row(
        "ledger-bounded",
        f"of {messages} messages a week stays readable, the rest is folded into checkpoints, "
        "and the chain holds from the last one on",
        f"at most {bound} kept, none forgotten, no cut",
        f"{kept} kept, {folded} folded into {len(ledger.checkpoints)}, "
        f"{len(ledger.broken())} cuts, {most / 1e6:.1f} MB at most",
        kept <= bound and kept + folded == messages and not ledger.broken(),
    )


def _size(path: Path) -> int:
    return path.stat().st_size
