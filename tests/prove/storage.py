"""The card and the disks: full and back, damaged, worn, and an outbox that is too small."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from subprocess import Popen

from edge_agent import health
from edge_agent.records import Trouble, decode_receipt
from tests.cloud_sink.sink_world import Sink
from tests.prove import damages, wear
from tests.prove.disks import card, fill, small_disk
from tests.prove.field import sums, tape, told_trouble, undisturbed, watch_tape, write_site
from tests.prove.row import Row, Scale
from tests.prove.unit import (
    Listener,
    broker,
    compare,
    counted,
    dead_letters,
    drain,
    end,
    rows_of,
    service,
    sink,
    until,
)

# Of tapes that are long: frames a second.
_FPS = 2.0
# Rows of an outbox that may have been sent.
_SENT = 20
# From one full disk to the next.
_CYCLE_S = 250.0
# The sink's counter of messages.
_TAKEN = "shelflight_sink_messages_total"


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Disks of the unit, the broker and the sink; then the outbox itself."""
    # Services that run in this process complain of what is done to them; that is not the news.
    logging.getLogger("shelflight").addHandler(logging.NullHandler())
    with card(folder / "ext4", mib=16) as one:
        yield _unit_full(scale, folder / "full", one.path)
    yield _sink_full(folder / "sink-full")
    yield _broker_full(folder / "broker-full")
    yield from damages.prove(scale, folder / "damaged")
    yield from _overflow(scale, folder / "overflow")
    yield from wear.prove(scale, folder / "wear")


def _unit_full(scale: Scale, folder: Path, disk: Path) -> Row:
    """The unit's own disk fills up and is freed, again and again, the last time under an uplink."""
    times = scale.of(full=4, short=1)
    folder.mkdir()
    clip = tape(folder / "tape.jsonl", _CYCLE_S * times, _FPS)
    records, state, run = folder / "records.jsonl", disk / "state", folder / "run"
    told: list[bool] = []
    filler: list[Path] = []
    with ExitStack() as stack:
        mosquitto = stack.enter_context(broker(folder / "broker"))
        held = stack.enter_context(sink(folder / "sink", mosquitto.port))
        site = write_site(folder, clip, mosquitto.port, {"fps": _FPS})
        expected = undisturbed(site, folder)

        def tell(t: float) -> None:
            cycle, phase = divmod(t, _CYCLE_S)
            if phase == 50:
                filler.append(fill(disk))
            elif phase == 200 and cycle == times - 1:
                stack.enter_context(service("uplink", site, state))
                until(lambda: counted(held, _TAKEN, outcome="accepted"), "rows at the sink", 30)
            elif phase == 220:
                told.append(told_trouble(health.read_all(run), Trouble.DISK_FULL))
                filler.pop().unlink()

        watch_tape(site, state, run, records, tell)
        until(lambda: held.exported()[-1:] == rows_of(records)[-1:], "the last row", 30)
        exported = held.exported()
        arrived = compare(rows_of(records), exported)
    (last,) = [each for each in health.read_all(run) if each.merged is not None]
    conserved = sums(exported) == expected
    return Row(
        "disk-full", "the unit's card fills up and is freed: nothing is lost, the trouble is told",
        "0 lost, 0 doubled, sums as undisturbed, told each time",
        f"{times} times, told {sum(told)}; {last.merged} windows merged in RAM; {arrived}; "
        f"sums {'equal' if conserved else 'differ'}",
        arrived.whole and conserved and sum(told) == times and bool(last.merged)
        and Trouble.DISK_FULL not in last.troubles,
    )  # fmt: skip


def _sink_full(folder: Path) -> Row:
    """The sink's disk is full: it must not receipt what it could not commit."""
    folder.mkdir()
    clip = tape(folder / "tape.jsonl", 250)
    records, state, run = folder / "records.jsonl", folder / "state", folder / "run"
    heard: list[bool] = []
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", kib=6144))
        mosquitto = stack.enter_context(broker(folder / "broker"))
        held = stack.enter_context(sink(disk / "sink", mosquitto.port))
        stack.enter_context(
            Listener(mosquitto.port, "cmd/ack", lambda told: heard.append(_held(held.db, told)))
        )
        site = write_site(folder, clip, mosquitto.port)
        uplink = stack.enter_context(service("uplink", site, state))
        until(lambda: "is there" in (folder / "uplink.log").read_text(), "the link", 30)
        filler: list[Path] = []

        def tell(t: float) -> None:
            if t == 100:
                until(lambda: heard, "a receipt", 30)
                filler.append(fill(disk))

        watch_tape(site, state, run, records, tell)
        until(lambda: _store_fails(held), "the sink says that its disk is full", 30)
        before = len(held.exported())
        filler.pop().unlink()
        end(uplink)
        drain(site, state, 60)
        arrived = compare(rows_of(records), held.exported())
        aside = dead_letters(held)
    return Row(
        "sink-full", "a sink whose disk is full receipts nothing that it has not committed",
        "0 receipts too early, 0 lost, 0 doubled",
        f"{heard.count(False)} of {len(heard)} receipts too early; {before} rows held when it was "
        f"full; then {arrived}",
        arrived.whole and aside == 0 and all(heard) and 0 < before < arrived.rows,
    )  # fmt: skip


def _held(db: Path, payload: bytes) -> bool:
    """Whether another process finds in the database what a receipt says."""
    receipt = decode_receipt(payload)
    spans = ((1, receipt.seq), *receipt.have) if receipt.seq else receipt.have
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=10)) as database:
        return all(
            database.execute(
                "SELECT count(*) FROM messages WHERE boot = ? AND seq BETWEEN ? AND ?",
                (receipt.boot, first, last),
            ).fetchone()[0] == last - first + 1
            for first, last in spans
        )  # fmt: skip


def _store_fails(held: Sink) -> bool:
    return held.get("/healthz").json()["store"]["ok"] is False


def _broker_full(folder: Path) -> Row:
    """The broker cannot keep what it acknowledged, and is killed."""
    folder.mkdir()
    clip = tape(folder / "tape.jsonl", 150)
    records, state, run = folder / "records.jsonl", folder / "state", folder / "run"
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(folder / "disk", kib=256))
        keeps = (
            "user root", "persistence true", f"persistence_location {disk}/",
            "autosave_on_changes true", "autosave_interval 5", "max_queued_messages 0",
        )  # fmt: skip
        mosquitto = stack.enter_context(broker(folder / "broker", *keeps))
        held = stack.enter_context(sink(folder / "sink", mosquitto.port))
        site = write_site(folder, clip, mosquitto.port)
        taken: list[bytes] = []
        with Listener(mosquitto.port, "counts", taken.append), service("uplink", site, state):
            until(lambda: "is there" in (folder / "uplink.log").read_text(), "the link", 30)
            held.end()
            filler = fill(disk)
            watch_tape(site, state, run, records)
            until(lambda: len(taken) >= len(rows_of(records)), "all rows at the broker", 30)
            mosquitto.kill()
            mosquitto.start()
            filler.unlink()
            held.start()
        drain(site, state, 60)
        arrived = compare(rows_of(records), held.exported())
    return Row(
        "broker-full", "a broker that could not keep what it took, and was killed, loses nothing",
        "0 lost, 0 doubled", str(arrived), arrived.whole,
    )  # fmt: skip


def _overflow(scale: Scale, folder: Path) -> Iterator[Row]:
    """Far more windows than the outbox may hold."""
    if not scale.short:
        yield _too_small("no broker", scale, folder / "broker", published=False)
    yield _too_small("a broker and no sink", scale, folder / "sink", published=True)


def _too_small(away: str, scale: Scale, folder: Path, published: bool) -> Row:
    """An outbox of 100 rows; what comes to it while nobody takes its rows, or some were sent."""
    folder.mkdir(parents=True)
    seconds = scale.of(full=1000, short=200)
    clip = tape(folder / "tape.jsonl", seconds, _FPS)
    records, state, run = folder / "records.jsonl", folder / "state", folder / "run"
    with ExitStack() as stack:
        mosquitto = stack.enter_context(broker(folder / "broker", "max_queued_messages 0"))
        held = stack.enter_context(sink(folder / "sink", mosquitto.port))
        site = write_site(
            folder, clip, mosquitto.port, {"fps": _FPS},
            uplink={"max_unreceipted": _SENT}, outbox={"max_rows": 100},
        )  # fmt: skip
        expected = undisturbed(_roomy(folder, clip), folder)
        held.end()
        uplinks: list[Popen[bytes]] = []
        taken: list[bytes] = []
        stack.enter_context(Listener(mosquitto.port, "counts", taken.append))

        def tell(t: float) -> None:
            if t == 50 and published:
                uplinks.append(stack.enter_context(service("uplink", site, state)))
                until(lambda: len(taken) >= _SENT, "rows that the broker took", 30)

        watch_tape(site, state, run, records, tell)
        told = health.read_all(run)
        held.start()
        for uplink in uplinks:
            end(uplink)
        drain(site, state, 60)
        exported = held.exported()
        aside = dead_letters(held)
    merged = sum(each.merged or 0 for each in told)
    conserved = sums(exported) == expected
    return Row(
        "overflow", f"an outbox that is full ({away}) merges windows and drops none",
        "sums as undisturbed, the merge told",
        f"{seconds} windows a zone in {len(exported)} messages, {merged} merged; sums "
        f"{'equal' if conserved else 'differ'}",
        conserved and merged > 0 and aside == 0 and told_trouble(told, Trouble.OUTBOX_FULL),
    )  # fmt: skip


def _roomy(folder: Path, clip: Path) -> Path:
    """The same site with room for everything."""
    (folder / "roomy").mkdir()
    return write_site(folder / "roomy", clip, camera={"fps": _FPS})
