"""What can happen to the outbox's files, between two starts of vision and underneath it."""

from __future__ import annotations

import random
import shutil
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from edge_agent import health
from edge_agent.config import load_site
from edge_agent.errors import StorageError
from edge_agent.outbox import OutboxReader
from edge_agent.records import Trouble
from edge_agent.services import uplink
from tests.prove.field import tape, told_trouble, watch_tape, write_site
from tests.prove.row import Row, Scale
from tests.prove.unit import broker, dead_letters, rows_of, sink

_PAGE = 4096
# When the power goes, when a file is damaged underneath, and how long a tape is; seconds, and rows.
_CUT_S, _END_S = 30, 40
_DRAIN_S = 4.0

Damage = Callable[[Path], object]


def _bytes(at: int, what: bytes, part: str = "") -> Damage:
    """Other bytes at one place; from the end where it is below 0."""

    def damage(path: Path) -> None:
        whole = bytearray(Path(f"{path}{part}").read_bytes())
        start = at % len(whole)
        whole[start : start + len(what)] = what
        Path(f"{path}{part}").write_bytes(whole)

    return damage


def _cut(length: Callable[[int], int], part: str = "") -> Damage:
    """Only so much of the file is left."""

    def damage(path: Path) -> None:
        whole = Path(f"{path}{part}").read_bytes()
        Path(f"{path}{part}").write_bytes(whole[: length(len(whole))])

    return damage


def _instead(content: bytes) -> Damage:
    """Another file in its place, without a log."""

    def damage(path: Path) -> None:
        _gone("-wal", "-shm")(path)
        path.unlink()
        path.write_bytes(content)

    return damage


def _gone(*parts: str) -> Damage:
    """Files are missing."""

    def damage(path: Path) -> None:
        for part in parts:
            Path(f"{path}{part}").unlink(missing_ok=True)

    return damage


def _flips(seed: int, count: int, part: str = "") -> Damage:
    """Single bits, anywhere."""

    def damage(path: Path) -> None:
        draw = random.Random(seed)
        whole = bytearray(Path(f"{path}{part}").read_bytes())
        for _ in range(count):
            whole[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        Path(f"{path}{part}").write_bytes(whole)

    return damage


def _swapped(path: Path) -> None:
    """Two pages have changed places."""
    whole = path.read_bytes()
    pages = [whole[i : i + _PAGE] for i in range(0, len(whole), _PAGE)]
    pages[1], pages[-1] = pages[-1], pages[1]
    path.write_bytes(b"".join(pages))


def _sql(*statements: str) -> Damage:
    """What is sound for SQLite and no outbox."""

    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    return damage


def _folded(damage: Damage) -> Damage:
    """First everything in the log is brought into the database."""

    def folded(path: Path) -> None:
        _sql("PRAGMA wal_checkpoint(TRUNCATE)")(path)
        damage(path)

    return folded


# By name. The first lot happens to what a power cut left, before vision starts.
AT_REST: dict[str, Damage] = {
    "empty": _instead(b""),
    "text": _instead(b"this is no database\n" * 400),
    "zeros": _instead(bytes(8 * _PAGE)),
    "noise": _instead(random.Random(1).randbytes(8 * _PAGE)),
    "no magic": _folded(_bytes(0, b"SQLite format 4")),
    "page size 3": _folded(_bytes(16, b"\x00\x03")),
    "half a header": _folded(_cut(lambda _: 50)),
    "half a page": _folded(_cut(lambda _: _PAGE // 2)),
    "one page": _folded(_cut(lambda _: _PAGE)),
    "half the file": _folded(_cut(lambda size: size // 2)),
    "the last bytes cut": _folded(_cut(lambda size: size - 100)),
    "first page zeroed": _folded(_bytes(0, bytes(_PAGE))),
    "schema flipped": _folded(_flips(2, 400)),
    "a table's root zeroed": _folded(_bytes(_PAGE, bytes(_PAGE))),
    "a table's root of noise": _folded(_bytes(_PAGE, random.Random(3).randbytes(_PAGE))),
    "the last page zeroed": _folded(_bytes(-_PAGE, bytes(_PAGE))),
    "the last page of noise": _folded(_bytes(-_PAGE, random.Random(4).randbytes(_PAGE))),
    "pages swapped": _folded(_swapped),
    "cells flipped": _folded(_bytes(_PAGE, b"\x0d\xff\xff\xff\xff\xff\xff\xff")),
    "another layout": _sql("PRAGMA user_version=99"),
    "no rows table": _sql("DROP TABLE rows"),
    "no writer table": _sql("DROP TABLE writer"),
    "nobody writes": _sql("DELETE FROM writer"),
    "another database": _sql("DROP TABLE rows", "DROP TABLE writer", "CREATE TABLE a (b)"),
    "the log of noise": _bytes(0, random.Random(5).randbytes(_PAGE), "-wal"),
    "the log's index of noise": lambda path: Path(f"{path}-shm").write_bytes(
        random.Random(6).randbytes(8 * _PAGE)
    ),
    "the log flipped": _flips(7, 5, "-wal"),
    "the log cut": _cut(lambda size: size // 2, "-wal"),
    "the log empty": _cut(lambda _: 0, "-wal"),
    "the log gone": _gone("-wal", "-shm"),
    **{f"{count} bits flipped": _folded(_flips(count, count)) for count in (1, 8, 64, 512)},
}
# The second lot happens to files in use.
UNDERNEATH: dict[str, Damage] = {
    "removed": _gone("", "-wal", "-shm"),
    "only the database removed": _gone(""),
    "the log removed": _gone("-wal"),
    "replaced by text": _instead(b"this is no database\n" * 400),
    "cut to nothing": _cut(lambda _: 0),
    "cut in half": _cut(lambda size: size // 2),
    "zeroed": _bytes(0, bytes(2 * _PAGE)),
    "of noise": _bytes(0, random.Random(8).randbytes(2 * _PAGE)),
}


# Of a log that is damaged no trace is left: SQLite takes it for one that ends there.
_TRACELESS = frozenset(name for name in AT_REST if name.startswith("the log"))


@dataclass(frozen=True, slots=True)
class _Fate:
    """What one kind of damage came to.

    Args:
        name: of the kind.
        told: health says that an outbox was set aside.
        lost: rows that were stored before and are gone, or are not as they were.
        kept: every row counted after it is stored.
        crash: what a service ended with, None as it should be.
    """

    name: str
    told: bool
    lost: int
    kept: bool
    crash: str | None = None

    @property
    def sound(self) -> bool:
        """Whether counting went on."""
        return self.kept and self.crash is None

    @property
    def silent(self) -> bool:
        """Whether rows went and nobody said so."""
        return self.lost > 0 and not self.told and self.name not in _TRACELESS


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Every kind, then the sink beside all that was stored."""
    folder.mkdir()
    clip = tape(folder / "tape.jsonl", _END_S)
    image, before = _power_cut(folder, clip)
    step = scale.of(full=1, short=6)
    fates: list[_Fate] = []
    stored = set(before)
    with ExitStack() as stack:
        mosquitto = stack.enter_context(broker(folder / "broker", "max_queued_messages 0"))
        held = stack.enter_context(sink(folder / "sink", mosquitto.port))
        site = write_site(folder, clip, mosquitto.port)
        for name, damage in list(AT_REST.items())[::step]:
            state = folder / f"rest-{name}"
            shutil.copytree(image, state)
            damage(state / "outbox.db")
            fates.append(_judge(name, site, state, before, stored))
        for name, damage in list(UNDERNEATH.items())[::step]:
            fates.append(_judge(name, site, folder / f"under-{name}", [], stored, damage))
        exported = held.exported()
        aside = dead_letters(held)
    yield from _rows(fates, Counter(exported), stored, aside)


def _power_cut(folder: Path, clip: Path) -> tuple[Path, list[bytes]]:
    """What lies on the card after a power cut, log and all, and the rows in it."""
    image, state, records = folder / "image", folder / "first", folder / "first.jsonl"
    before: list[bytes] = []

    def tell(t: float) -> None:
        if t == _CUT_S:
            shutil.copytree(state, image)
            before.extend(rows_of(records))

    watch_tape(write_site(folder, clip), state, folder / "run", records, tell)
    return image, before


def _judge(
    name: str,
    site: Path,
    state: Path,
    before: list[bytes],
    stored: set[bytes],
    underneath: Damage | None = None,
) -> _Fate:
    """Count on with it, look at what is stored, then let the uplink carry that."""
    records, run = Path(f"{state}.jsonl"), Path(f"{state}-run")
    known: list[bytes] = list(before)

    def tell(t: float) -> None:
        if underneath is not None and t == _CUT_S:
            known.extend(rows_of(records))
            underneath(state / "outbox.db")

    crash = _crash(lambda: watch_tape(site, state, run, records, tell))
    after = [row for row in rows_of(records) if row not in known]
    found = _outbox(state)
    stored.update(known, after)
    crash = crash or _crash(lambda: _carry(site, state, run))
    return _Fate(
        name,
        told_trouble(health.read_all(run), Trouble.OUTBOX_RESET),
        len(set(known) - found),
        len(after) > 0 and set(after) <= found,
        crash,
    )


def _outbox(state: Path) -> set[bytes]:
    try:
        with closing(OutboxReader(state / "outbox.db")) as reader:
            return {row.payload for row in reader.rows_after(None, 9999)}
    except (StorageError, UnicodeDecodeError):
        return set()


def _crash(service: Callable[[], None]) -> str | None:
    """What a service ends with, None as it should be."""
    try:
        service()
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends the service
        return repr(error)
    return None


def _carry(site: Path, state: Path, run: Path) -> None:
    """The uplink until the outbox is empty, or patience ends."""
    stop = threading.Event()
    timer = threading.Timer(_DRAIN_S, stop.set)
    timer.start()
    uplink.main(load_site(site), state, stop, drain=True, run=run)
    timer.cancel()


def _rows(
    fates: list[_Fate], exported: Counter[bytes], stored: set[bytes], aside: int
) -> Iterator[Row]:
    stopped = [f"{fate.name} ({fate.crash or 'rows lost'})" for fate in fates if not fate.sound]
    silent = [fate.name for fate in fates if fate.silent]
    told = sum(fate.told for fate in fates)
    strange = sum(count for payload, count in exported.items() if payload not in stored)
    doubled = exported.total() - len(exported)
    yield Row(
        "damaged", "an outbox damaged in whatever way: no crash, and counting goes on",
        f"{len(fates)} of {len(fates)} kinds",
        f"{len(fates) - len(stopped)}{_but(stopped)}", not stopped,
    )  # fmt: skip
    yield Row(
        "damaged-told", "where that cost rows it is told, unless only the log was damaged",
        "untold 0", f"{len(silent)} untold{_but(silent)}; {told} kinds set aside under a new boot",
        not silent,
    )  # fmt: skip
    yield Row(
        "damaged-sink", "what comes from a damaged outbox is what was counted, and comes once",
        "0 strange, 0 doubled, 0 put aside",
        f"{len(exported)} rows held, {strange} strange, {doubled} doubled, {aside} put aside",
        strange == doubled == aside == 0,
    )  # fmt: skip


def _but(names: list[str]) -> str:
    return f" (not: {', '.join(names)})" if names else ""
