"""The link between unit, broker and sink: broken in every way, slow, three days behind."""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from edge_agent.outbox import Outbox
from edge_agent.records import Window, decode_counts, decode_receipt, encode
from tests.prove.field import UNIT, tape, watch_tape, write_site
from tests.prove.row import Row, Scale
from tests.prove.unit import (
    Arrived,
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
from tests.prove.wire import Wire, wires

_SEED = 20
_WINDOW_S = 60.0
# So many hours in so many seconds.
_BACKLOG_H, _BACKLOG_S = 72, 60.0
_LIVE_EVERY_S = 1.0
_SLOW_BYTES_S = 8000.0  # 64 kbit/s
_BOOT, _LIVE_BOOT = "00000000000000aa", "00000000000000bb"
# Two of the looks that a unit, and the sink, take at whether the link is silent.
_POLL_S = 0.5
_SINK_KEEPALIVE_S = 20.0


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """Broken links, links of which half is left, and three days of backlog."""
    yield from _storm(scale, folder / "storm")
    yield from _halves(scale, folder / "halves")
    yield from _backlog(folder / "backlog", scale.of(full=_BACKLOG_H, short=_BACKLOG_H // 3))
    if not scale.short:
        yield from _slow(folder / "slow")


def _storm(scale: Scale, folder: Path) -> Iterator[Row]:
    seconds = scale.of(full=90, short=8)
    folder.mkdir()
    pace = 20
    clip = tape(folder / "tape.jsonl", pace * seconds)
    records, state = folder / "records.jsonl", folder / "state"
    with ExitStack() as stack:
        mosquitto = stack.enter_context(broker(folder / "broker", "max_queued_messages 0"))
        of_unit, of_sink = stack.enter_context(wires(mosquitto.port))
        held = stack.enter_context(sink(folder / "sink", of_sink.port))
        site = write_site(
            folder, clip, of_unit.port, {"pace": pace}, uplink={"keepalive_s": 5, "receipt_s": 1}
        )
        vision = stack.enter_context(service("vision", site, state, "--records", str(records)))
        uplink = stack.enter_context(service("uplink", site, state))
        until(records.exists, "vision is at work", 30)
        faults = _break(of_unit, of_sink, 4 * seconds, vision.poll)
        end(uplink)
        drain(site, state, 60)
        arrived = compare(rows_of(records), held.exported())
        known = counted(held, "shelflight_sink_messages_total", outcome="duplicate")
        aside = dead_letters(held)
    kinds = ", ".join(f"{count} {name}" for name, count in sorted(faults.items()))
    yield Row(
        "link", "a link that breaks in every way loses and doubles no count", "0 lost, 0 doubled",
        f"{arrived}, {known} came again and were known; faults: {kinds}",
        arrived.whole and aside == 0 and known > 0 and vision.returncode == 0,
    )  # fmt: skip


def _break(of_unit: Wire, of_sink: Wire, most_s: float, over: Callable[[], object]) -> Counter[str]:
    """Faults in a random order that is the same each time, until vision has told everything."""
    draw = random.Random(_SEED)
    done: Counter[str] = Counter()
    deadline = time.monotonic() + most_s
    while over() is None and time.monotonic() < deadline:
        wire = of_sink if draw.random() < 0.2 else of_unit
        name = draw.choice(list(_FAULTS))
        _FAULTS[name](wire, draw)
        done[name] += 1
        time.sleep(draw.uniform(0.02, 0.3))
    of_unit.heal()
    of_sink.heal()
    return done


def _stall(wire: Wire, draw: random.Random) -> None:
    wire.stall()
    time.sleep(draw.uniform(0.1, 1.5))
    wire.resume()


def _late(wire: Wire, draw: random.Random) -> None:
    wire.delay_s = draw.choice([0.0, 0.02, 0.1])


def _thin(wire: Wire, draw: random.Random) -> None:
    wire.bytes_s = draw.choice([None, 20_000.0, 100_000.0])


_FAULTS: dict[str, Callable[[Wire, random.Random], object]] = {
    "cut": lambda wire, _draw: wire.cut(),
    "reset": lambda wire, _draw: wire.reset(),
    "stalled": _stall,
    "half-open": lambda wire, _draw: wire.halve(leave_client=False),
    "said twice": lambda wire, _draw: wire.echo(),
    "late": _late,
    "throttled": _thin,
}


def _halves(scale: Scale, folder: Path) -> Iterator[Row]:
    """What is left of a link when the broker's side is gone without a word."""
    keepalive_s = scale.of(full=30, short=5)
    folder.mkdir()
    clip = tape(folder / "tape.jsonl", 20)
    records, state = folder / "records.jsonl", folder / "state"
    with ExitStack() as stack:
        mosquitto = stack.enter_context(broker(folder / "broker"))
        of_unit, of_sink = stack.enter_context(wires(mosquitto.port))
        held = stack.enter_context(sink(folder / "sink", of_sink.port))
        site = write_site(folder, clip, of_unit.port, uplink={"keepalive_s": keepalive_s})
        with service("uplink", site, state):
            until(lambda: "is there" in (folder / "uplink.log").read_text(), "the link", 30)
            of_unit.halve(leave_client=True)
            if not scale.short:
                of_sink.halve(leave_client=True)
            watch_tape(site, state, folder / "run", records)
            rows = rows_of(records)
            with suppress(TimeoutError):  # then they are told as lost
                until(lambda: len(held.exported()) == len(rows), "the rows", 3 * keepalive_s + 20)
        arrived = compare(rows, held.exported())
    yield _noticed("the unit's", of_unit, keepalive_s, arrived)
    if not scale.short:
        yield _noticed("the sink's", of_sink, _SINK_KEEPALIVE_S, arrived)


def _noticed(whose: str, wire: Wire, keepalive_s: float, arrived: Arrived) -> Row:
    most_s = 2 * keepalive_s + _POLL_S
    (noticed_s,) = wire.noticed or (float("inf"),)
    return Row(
        "half-open", f"a link of which only {whose} side is left is noticed, and nothing is lost",
        f"{most_s:g} s (2 keepalives of {keepalive_s:g} s and a poll)",
        f"{noticed_s:.1f} s; {arrived}", noticed_s <= most_s and arrived.whole,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Backlog:
    """An outbox that nobody has asked for days.

    Args:
        state: its folder.
        rows, size: how many, and their payloads' bytes together.
        later: what is counted while it drains.
    """

    state: Path
    rows: int
    size: int
    later: tuple[tuple[Window, ...], ...]


def _fill(folder: Path, hours: int) -> _Backlog:
    """Rows as vision makes them of an hour, again and again; and some more for later."""
    folder.mkdir(exist_ok=True)
    hour = folder / "hour.jsonl"
    clip = tape(folder / "hour-tape.jsonl", 3600, fps=1, every_s=60)
    site = write_site(folder, clip, camera={"fps": 1}, window_s=_WINDOW_S)
    watch_tape(site, folder / "hour", folder / "run", hour)
    told = [decode_counts(payload).windows for payload in rows_of(hour)]
    rows = round(hours * 3600 / _WINDOW_S)
    state = folder / "state"
    state.mkdir()
    outbox = Outbox.open(state / "outbox.db", UNIT, _BOOT, 20_000)
    size = sum(len(encode(outbox.append(_at(told[i % len(told)], i)))) for i in range(rows))
    outbox.close()
    later = tuple(_at(windows, rows + i) for i, windows in enumerate(told))
    return _Backlog(state, rows, size, later)


def _at(windows: tuple[Window, ...], minute: int) -> tuple[Window, ...]:
    return tuple(replace(window, start=_WINDOW_S * minute) for window in windows)


class _Live:
    """New rows while the backlog is carried, and when the sink had them."""

    def __init__(self, backlog: _Backlog) -> None:
        self._windows = iter(backlog.later)
        self._outbox = Outbox.open(backlog.state / "outbox.db", UNIT, _LIVE_BOOT, 20_000)
        self._rows = backlog.rows
        self.stored: dict[int, float] = {}
        self.held: dict[int, float] = {}
        self.carried = 0
        self.drained_at: float | None = None

    def append(self) -> None:
        """One more row."""
        counts = self._outbox.append(next(self._windows))
        self.stored[counts.seq] = time.monotonic()

    def heard(self, payload: bytes) -> None:
        """What the sink has now, by its receipt."""
        now, receipt = time.monotonic(), decode_receipt(payload)
        if receipt.boot == _BOOT:
            self.carried = max(self.carried, receipt.seq)
            if receipt.seq == self._rows and self.drained_at is None:
                self.drained_at = now
        else:
            for seq in range(1, receipt.seq + 1):
                self.held.setdefault(seq, now)

    def waits(self) -> list[float]:
        """Seconds from the unit's disk to the sink's, of each row that arrived."""
        return [self.held[seq] - at for seq, at in self.stored.items() if seq in self.held]

    def close(self) -> None:
        """Let go of the outbox."""
        self._outbox.close()


def _backlog(folder: Path, hours: int) -> Iterator[Row]:
    backlog = _fill(folder, hours)
    live = _Live(backlog)
    with ExitStack() as stack:
        stack.callback(live.close)
        mosquitto = stack.enter_context(broker(folder / "broker"))
        held = stack.enter_context(sink(folder / "sink", mosquitto.port))
        site = write_site(folder, folder / "none", mosquitto.port)
        stack.enter_context(Listener(mosquitto.port, "cmd/ack", live.heard))
        began = time.monotonic()
        stack.enter_context(service("uplink", site, backlog.state))
        while live.drained_at is None and time.monotonic() - began < 120:
            live.append()
            time.sleep(_LIVE_EVERY_S)
        until(lambda: len(live.held) == len(live.stored), "the newest row at the sink", 60)
        arrived = len(held.exported())
        aside = dead_letters(held)
    seconds = (live.drained_at or float("inf")) - began
    most_s = _BACKLOG_S * hours / _BACKLOG_H
    whole = arrived == backlog.rows + len(live.stored) and aside == 0
    yield Row(
        "backlog", f"{hours} hours of windows ({backlog.rows} rows) drain into a real sink",
        f"{most_s:g} s",
        f"{seconds:.1f} s, {backlog.size / 1e6:.1f} MB, {arrived} rows held, each once",
        seconds <= most_s and whole,
    )  # fmt: skip
    waits = live.waits()
    yield Row(
        "live", "a row counted while the backlog drains reaches the sink", "60 s, one window",
        f"{len(waits)} rows, one each {_LIVE_EVERY_S:g} s: p50 {statistics.median(waits):.1f} s, "
        f"max {max(waits):.1f} s", len(waits) == len(live.stored) and max(waits) <= 60,
    )  # fmt: skip


def _slow(folder: Path) -> Iterator[Row]:
    """64 kbit/s: what it can carry is used, and rows keep their order."""
    backlog = _fill(folder, 1)
    live = _Live(backlog)
    with ExitStack() as stack:
        stack.callback(live.close)
        mosquitto = stack.enter_context(broker(folder / "broker"))
        wire = stack.enter_context(Wire(mosquitto.port))
        wire.bytes_s = _SLOW_BYTES_S
        stack.enter_context(sink(folder / "sink", mosquitto.port))
        stack.enter_context(Listener(mosquitto.port, "cmd/ack", live.heard))
        site = write_site(folder, folder / "none", wire.port)
        began = time.monotonic()
        stack.enter_context(service("uplink", site, backlog.state))
        live.append()
        until(lambda: live.held, "the newest row at the sink", 120)
    seconds = (live.drained_at or float("inf")) - began
    used = backlog.size / seconds / _SLOW_BYTES_S
    days_min = _BACKLOG_H * seconds / 60
    yield Row(
        "slow", "a link of 64 kbit/s is used to the full, and nothing is sent twice over it",
        "80 %", f"{used:.0%}: {backlog.rows / seconds:.2f} rows a second, {_BACKLOG_H} hours in "
        f"{days_min:.0f} min, oldest first", used >= 0.8,
    )  # fmt: skip
