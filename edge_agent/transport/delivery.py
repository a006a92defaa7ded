"""Which row is sent next, which are out, which go again, which may be purged.

No socket, no file, no clock: keys and seconds come in, verdicts go out.

    on disk --sent--> out --receipt--> receipted --purged--> gone
                      |  ^
      disconnected or |  | sent again
      receipt overdue '--'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from edge_agent.outbox import Key
from edge_agent.records import Receipt

# Rows are purged so many at a time, or this long after the first of them was receipted: a purge
# rewrites the pages that its rows lie on, and ten rows share no fewer of them than sixty. What a
# restart finds unpurged is sent again, and known to the sink.
PURGE_ROWS = 64
PURGE_S = 3600.0
# The wait for a receipt doubles each time in vain, up to this.
RECEIPT_MOST_S = 900.0
# A row that was the first without an acknowledgement when the connection broke, so often in
# succession, is sent with no other beside it; twice more and it is the row that breaks it (a
# broker closes the connection on a message it will never take).
_SUSPECT = 2
_GUILTY = 4
# ... and is left out for so long.
PARK_S = 3600.0


class Verdict(Enum):
    """What to do with the next row of the outbox."""

    SEND = "send"
    SKIP = "skip"  # it is out, done, or left out: look at the one after it
    WAIT = "wait"  # nothing after it may be sent now either


@dataclass(slots=True)
class _Out:
    """A row that was sent and has no receipt.

    Args:
        since: when it was sent, later when the broker acknowledged it: on a slow link the rows
            before it take longer than a receipt.
        again: to be sent once more.
    """

    since: float
    again: bool = False


class Delivery:
    """The uplink's account of rows.

    A row is out until a receipt covers it; the broker's acknowledgement only frees its place in
    flight. At most ``max_unreceipted`` rows of the file were ever sent: out, left out, or receipted
    and not yet purged, and they are the oldest, which the outbox relies on (see
    `edge_agent.outbox.Outbox`).

    Args:
        max_inflight: rows sent and not acknowledged by the broker.
        max_unreceipted: rows of the file that were sent.
        receipt_s: a row without a receipt for so long is sent again.

    Attributes:
        after: the row that was looked at last; the next one to look at is the one after it.
        parked: rows left out because the broker breaks the connection over them, or because
            they may not leave.
    """

    def __init__(self, max_inflight: int, max_unreceipted: int, receipt_s: float) -> None:
        self._max_inflight = max_inflight
        self._max_unreceipted = max_unreceipted
        self._receipt_s = receipt_s
        self._purge_rows = min(PURGE_ROWS, max(1, max_unreceipted // 4))
        self._inflight: dict[Key, None] = {}
        self._out: dict[Key, _Out] = {}
        self._receipted: dict[Key, float] = {}
        self._strikes: dict[Key, int] = {}
        self._in_vain = 0
        self.parked: dict[Key, float] = {}
        self.after: Key | None = None

    @property
    def out(self) -> int:
        """Rows sent and not receipted."""
        return len(self._out)

    @property
    def receipted(self) -> int:
        """Rows receipted and not purged."""
        return len(self._receipted)

    @property
    def late(self) -> bool:
        """Whether rows had to be sent again for want of a receipt, and none came since."""
        return self._in_vain > 0

    def room(self, others: int = 0) -> int:
        """How many rows may be in flight beside those that are, and ``others`` of another kind."""
        if any(self._suspect(key) for key in self._inflight):
            return 0
        return max(0, self._max_inflight - others - len(self._inflight))

    def verdict(self, key: Key) -> Verdict:
        """What to do with the row after `after`."""
        if key in self._inflight or key in self._receipted or key in self.parked:
            return Verdict.SKIP
        out = self._out.get(key)
        if out is None and self._sent() >= self._max_unreceipted:
            return Verdict.WAIT
        if out is not None and not out.again:
            return Verdict.SKIP
        return Verdict.WAIT if self._suspect(key) and self._inflight else Verdict.SEND

    def skipped(self, key: Key) -> None:
        """Go on to the row after this one."""
        self.after = key

    def sent(self, key: Key, now: float) -> None:
        """The row was handed to the client."""
        self.after = key
        self._inflight[key] = None
        self._out[key] = _Out(now)

    def withheld(self, key: Key, now: float) -> None:
        """The row may not leave: it is left out, looked at again later."""
        self.after = key
        self._out.pop(key, None)
        self._strikes.pop(key, None)
        self.parked[key] = now + PARK_S

    def acknowledged(self, key: Key, now: float) -> None:
        """The broker has it: its place in flight is free, and the wait for its receipt begins."""
        self._inflight.pop(key, None)
        self._strikes.pop(key, None)
        if key in self._out:
            self._out[key].since = now

    def refused(self, key: Key) -> None:
        """The broker answered that it does not take it; it goes again when its receipt is due."""
        self._inflight.pop(key, None)

    def disconnected(self, now: float) -> Key | None:
        """Everything without a receipt goes again, from the oldest.

        Returns:
            The row that is left out from now on because it breaks every connection, if any.
        """
        first = next((key for key in self._inflight if key in self._out), None)
        self._inflight.clear()
        self._again(self._out.values())
        if first is None:
            return None
        self._strikes[first] = self._strikes.get(first, 0) + 1
        if self._strikes[first] < _GUILTY:
            return None
        del self._out[first]
        self.parked[first] = now + PARK_S
        return first

    def receipt(self, receipt: Receipt, now: float) -> int:
        """Note what the sink holds.

        Only rows that were sent can be done: a receipt for more is of no use and does no harm.

        Returns:
            How many rows are done by it.
        """
        done = [
            key
            for key in (*self._out, *self.parked)
            if key.boot == receipt.boot and receipt.covers(key.seq)
        ]
        for key in done:
            self._out.pop(key, None)
            self.parked.pop(key, None)
            self._strikes.pop(key, None)
            self._receipted[key] = now
        if done:
            self._in_vain = 0
        return len(done)

    def tick(self, now: float) -> int:
        """Mark what must go again; to be called while connected.

        Returns:
            How many rows go again for want of a receipt.
        """
        for key in [key for key, until in self.parked.items() if until <= now]:
            del self.parked[key]
            self._strikes[key] = _SUSPECT
            self._out[key] = _Out(now, again=True)
            self.after = None
        # A row in flight is passed over when the others are sent; marked, it would be forgotten.
        taken = [out for key, out in self._out.items() if key not in self._inflight]
        if not taken or taken[0].again or now - taken[0].since < self._patience_s():
            return 0
        overdue = [out for out in taken if now - out.since >= self._receipt_s]
        self._in_vain += 1
        self._again(overdue)
        return len(overdue)

    def purgeable(self, now: float, everything: bool = False) -> list[Key]:
        """The receipted rows, if it is time to purge them; `purged` when that is done."""
        oldest = next(iter(self._receipted.values()), now)
        due = len(self._receipted) >= self._purge_rows or now - oldest >= PURGE_S
        return list(self._receipted) if due or everything else []

    def purged(self, keys: list[Key]) -> None:
        """These rows are no longer in the file."""
        for key in keys:
            self._receipted.pop(key, None)

    def reset(self) -> None:
        """The file is another; what the client holds is still acknowledged under its old keys."""
        self._out.clear()
        self._receipted.clear()
        self._strikes.clear()
        self.parked.clear()
        self._in_vain = 0
        self.after = None

    def _sent(self) -> int:
        # What was left out was sent too: the broker may have passed it on before it broke off.
        return len(self._out) + len(self._receipted) + len(self.parked)

    def _suspect(self, key: Key) -> bool:
        return self._strikes.get(key, 0) >= _SUSPECT

    def _patience_s(self) -> float:
        # The exponent is bounded: a float overflows after a thousand doublings.
        grown = self._receipt_s * 2.0 ** min(self._in_vain, 32)
        return max(self._receipt_s, min(grown, RECEIPT_MOST_S))

    def _again(self, rows: Iterable[_Out]) -> None:
        for row in rows:
            row.again = True
        self.after = None
