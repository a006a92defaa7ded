"""What a day of counting writes to the card, read where the card's blocks are written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from edge_agent.config import load_site
from edge_agent.outbox import OutboxReader
from edge_agent.transport import Courier, Sessions
from tests.prove.disks import Card, card
from tests.prove.field import TapeClock, tape, watch_tape, write_site
from tests.prove.row import Row, Scale
from tests.prove.unit import Arrived, broker, compare, rows_of, sink

_WINDOW_S, _DAY_S = 60.0, 86_400.0
_MOST_MB = 50.0
_FPS = 0.2
# A window in real time: longer than ext4's commit interval (5 s), so that it writes by itself.
_REAL_S = 6.0
_PATIENCE_S, _POLL_S = 20.0, 0.25
# The first windows make the log grow to the length that it keeps for good.
_WARM = 45


def prove(scale: Scale, folder: Path) -> Iterator[Row]:
    """A day as fast as it goes, and some windows of it in real time beside that."""
    folder.mkdir()
    windows = scale.of(full=1440, short=60)
    each, arrived = _measure(folder / "fast", windows, real=False)
    real = "" if scale.short else _beside(folder / "real")
    day_mb = each * _DAY_S / _WINDOW_S / 1e6
    yield Row(
        "wear", f"what a unit writes to its card in a day ({_WINDOW_S:g} s windows, 3 zones)",
        f"{_MOST_MB:g} MB",
        f"{day_mb:.1f} MB at the block layer: {each / 1024:.1f} KiB a window over {windows} "
        f"windows, the file system settled after each{real}; {arrived}",
        day_mb <= _MOST_MB and arrived.whole,
    )  # fmt: skip


def _beside(folder: Path) -> str:
    """The same for windows that come as slowly as ext4 needs to write by itself."""
    each, _ = _measure(folder, 8, real=True)
    return f" ({each / 1024:.1f} KiB a window where it settles by itself, {_REAL_S:g} s apart)"


def _measure(folder: Path, windows: int, real: bool) -> tuple[float, Arrived]:
    """Bytes a window, and whether all of them arrived.

    What is written when a card is mounted, and when it is let go, is written once in months: it
    does not count.
    """
    folder.mkdir()
    clip = tape(folder / "tape.jsonl", (_WARM + windows) * _WINDOW_S, _FPS, every_s=120)
    records = folder / "records.jsonl"
    with ExitStack() as stack:
        one = stack.enter_context(card(folder / "disk", mib=64))
        mosquitto = stack.enter_context(broker(folder / "broker"))
        held = stack.enter_context(sink(folder / "sink", mosquitto.port))
        site = write_site(
            folder, clip, mosquitto.port, {"fps": _FPS}, _WINDOW_S,
            thresholds={"gap_s": 10}, uplink={"receipt_s": 3600},
        )  # fmt: skip
        unit = _Unit(site, one, real)
        watch_tape(site, unit.state, folder / "run", records, unit.tell, unit.clock)
        each = unit.bytes_each()
        unit.stop()
        arrived = compare(rows_of(records), held.exported())
    return each, arrived


class _Unit:
    """A unit whose state lies on the card, both services in the tape's time.

    Purges hang on time as well as on rows, so the uplink gets the same clock as vision.

    Args:
        site: its site file.
        one: the card.
        real: wait so long for each window that the file system writes by itself.
    """

    def __init__(self, site: Path, one: Card, real: bool) -> None:
        self.clock = TapeClock()
        self.state = one.path / "state"
        self.state.mkdir()
        self._card, self._real = one, real
        known = load_site(site)
        self._uplink = Courier(
            known.uplink,
            known.unit,
            OutboxReader(self.state / "outbox.db"),
            Sessions(self.state / "uplink.session", self.clock.wall),
            self.clock,
            lambda low, _high: low,
        )
        self._windows = 0
        self._next_s = _WINDOW_S + 1 / _FPS
        self._first = self._last = 0

    def tell(self, t: float) -> None:
        """The frame after each window: carry its row, let the file system write."""
        if t < self._next_s:
            return
        self._next_s += _WINDOW_S
        self._windows += 1
        self._carry()
        if self._real and self._windows > _WARM:
            time.sleep(_REAL_S)
        else:
            self._card.settle()
        self._last = self._card.written()
        if self._windows == _WARM:
            self._first = self._last

    def bytes_each(self) -> float:
        """Of the windows after the first ones."""
        return (self._last - self._first) / (self._windows - _WARM)

    def stop(self) -> None:
        """Carry what came last, and end."""
        self._carry()
        self._uplink.stop()

    def _carry(self) -> None:
        """Until the sink has it, and what is due is purged."""
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            self._uplink.step(_POLL_S)
            if self._uplink.waiting() == 0:
                return
        raise TimeoutError(f"window {self._windows} never came to the sink")
