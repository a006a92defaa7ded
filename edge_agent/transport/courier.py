"""Carries rows to the broker and receipts back, over as many connections as it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum

from edge_agent.clock import Clock
from edge_agent.config import Broker, UnitConfig, UplinkConfig
from edge_agent.errors import LinkError, RecordError, StorageError
from edge_agent.outbox import Key, OutboxReader, Row
from edge_agent.records import Head, Health, Receipt, State, decode_receipt
from edge_agent.transport.backoff import Backoff
from edge_agent.transport.delivery import PARK_S, Delivery, Verdict
from edge_agent.transport.link import Acknowledged, Down, Event, Link, Received, Up
from edge_agent.transport.sessions import Sessions

log = logging.getLogger("shelflight.uplink")

# From the TCP connection to the broker's answers to CONNECT and SUBSCRIBE.
_ANSWER_S = 10.0
# How long a clean stop waits for the broker to take the offline message.
_FAREWELL_S = 2.0
# A purge or a read that failed is tried again after this.
_STORAGE_RETRY_S = 5.0


class Phase(Enum):
    """Where the connection is."""

    AWAY = "away"  # waiting for the next attempt
    ANSWERING = "answering"  # connected, not yet welcome
    ONLINE = "online"


class Courier:
    """The owner of the connection.

    Args:
        config: how to reach the broker and how much may be out.
        unit: whose rows.
        reader: of the outbox.
        sessions: numbers for birth and will.
        clock: time.
        uniform: draws a number between two, for the back-off.
        drain: purge as soon as everything is receipted.

    Attributes:
        phase: where the connection is.
        garbage: messages to the unit that were no receipts, since start.
        refused: rows that a broker answered not to take, since start.
        withheld: rows and healths that are not what may leave, since start.
        barred: rows that were left out for good because of that, since start.
    """

    def __init__(
        self,
        config: UplinkConfig,
        unit: UnitConfig,
        reader: OutboxReader,
        sessions: Sessions,
        clock: Clock,
        uniform: Callable[[float, float], float],
        drain: bool = False,
    ) -> None:
        self._config = config
        self._broker = config.broker or Broker()
        self._unit = unit
        self._reader = reader
        self._generation = reader.generation
        self._sessions = sessions
        self._clock = clock
        self._drain = drain
        self._backoff = Backoff(config.backoff_s, uniform)
        self._delivery = Delivery(config.max_inflight, config.max_unreceipted, config.receipt_s)
        self._link: Link | None = None
        self._session = 0
        # Whether the clock was right once, and whether the connection was made before that.
        self._dated = False
        self._undated_link = False
        # What the client has: row by message number; None for a birth.
        self._mids: dict[int, Key | None] = {}
        self._max_inflight = config.max_inflight
        self._deadline = clock.monotonic()
        self._storage_at = clock.monotonic()
        self._reasons: set[str] = set()  # said since the broker was there last
        self._storage_told = False
        self.phase = Phase.AWAY
        self.garbage = 0
        self.refused = 0
        self.withheld = 0
        self.barred = 0

    @property
    def late(self) -> bool:
        """Whether the sink owes receipts."""
        return self._delivery.late

    def waiting(self) -> int:
        """Rows of the outbox without a receipt; 0 where it cannot be read."""
        try:
            return max(0, self._reader.count() - self._delivery.receipted)
        except StorageError as error:
            self._storage_trouble(error)
            return 0

    def head(self) -> Head | None:
        """How far the unit's ledger goes; None where nothing has left, or it cannot be read."""
        try:
            return self._reader.head()
        except StorageError as error:
            self._storage_trouble(error)
            return None

    def left(self) -> tuple[int, int]:
        """What the outbox still holds, looked at only as far as needed.

        Returns:
            How many rows were found, and how many of these the broker will not take: (0, 0) = it
            is empty; equal = only such rows are left.
        """
        parked = self._delivery.parked
        try:
            rows = self._reader.rows_after(None, len(parked) + 1)
        except StorageError as error:
            self._storage_trouble(error)
            return 1, 0
        return len(rows), sum(row.key in parked for row in rows)

    def step(self, timeout_s: float) -> None:
        """Do what can be done now, waiting at most so long for the broker."""
        if self.phase is Phase.AWAY:
            self._connect(timeout_s)
            return
        if self._undated_link and self._clock.synced():
            self._redial()
            return
        if self.phase is Phase.ONLINE:
            self._send()
        assert self._link is not None
        for event in self._link.pump(timeout_s):
            self._handle(event)
        now = self._clock.monotonic()
        if self.phase is Phase.ANSWERING and now >= self._deadline:
            self._lost(f"no answer within {_ANSWER_S:g} s")
        if self.phase is Phase.ONLINE:
            overdue = self._delivery.tick(now)
            if overdue:
                log.warning("%d rows have no receipt yet: sent again", overdue)
        self._purge()

    def report(self, health: Health) -> bool:
        """Publish how the unit is doing; False while the broker is away, or where it may not."""
        if self._link is None or self.phase is not Phase.ONLINE:
            return False
        try:
            self._link.publish(health)
        except RecordError as error:
            self._withhold("what a service says of its health", error)
            return False
        return True

    def stop(self) -> None:
        """Purge what is receipted, say offline, disconnect."""
        if self.phase is Phase.ONLINE:
            self._farewell()
        if self._link is not None:
            self._link.close()
        self._purge(everything=True)
        self._link = None
        self.phase = Phase.AWAY
        self._reader.close()

    def _connect(self, timeout_s: float) -> None:
        now = self._clock.monotonic()
        if now < self._deadline:
            self._purge()
            self._clock.sleep(min(timeout_s, self._deadline - now))
            return
        self._session = self._sessions.next()
        # A unit without a battery starts in 1970, when no certificate is valid yet. What was
        # right once stays near enough, so that nobody brings an old certificate back by keeping
        # the time servers away.
        self._dated = self._dated or self._clock.synced()
        try:
            self._link = Link(
                self._config, self._broker, self._unit, self._state(online=False), self._dated
            )
        except LinkError as error:
            self._lost(str(error))
            return
        self._undated_link = self._broker.tls and not self._dated
        self._deadline = self._clock.monotonic() + _ANSWER_S
        self.phase = Phase.ANSWERING

    def _handle(self, event: Event) -> None:
        if isinstance(event, Up):
            self._up(event)
        elif isinstance(event, Acknowledged):
            self._acknowledged(event)
        elif isinstance(event, Received):
            self._received(event.payload)
        elif isinstance(event, Down) and self._link is not None:
            self._lost(event.reason)

    def _up(self, event: Up) -> None:
        assert self._link is not None
        self.phase = Phase.ONLINE
        self._max_inflight = min(self._config.max_inflight, event.receive_max or 65_535)
        self._mids[self._link.publish(self._state(online=True))] = None
        self._reasons.clear()
        log.info("the broker %s is there: %d rows to send", self._broker.url, self.waiting())

    def _acknowledged(self, event: Acknowledged) -> None:
        key = self._mids.pop(event.mid, None)
        if key is None:
            return
        self._backoff.reset()
        if event.refused is None:
            self._delivery.acknowledged(key, self._clock.monotonic())
            return
        self._delivery.refused(key)
        self.refused += 1
        if _is_power_of_two(self.refused):
            log.error(
                "the broker does not take boot %s seq %d: %s; %d refused so far, they are sent "
                "again later",
                key.boot, key.seq, event.refused, self.refused,
            )  # fmt: skip

    def _received(self, payload: bytes) -> None:
        receipt = _receipt(payload)
        if receipt is None:
            self.garbage += 1
            if _is_power_of_two(self.garbage):
                log.warning("no receipt, passed over: %d so far", self.garbage)
            return
        if self._delivery.receipt(receipt, self._clock.monotonic()):
            self._backoff.reset()

    def _redial(self) -> None:
        """The clock is right now: a broker that was believed without its dates must show them."""
        log.info("the clock is set: connecting again, to look at the certificate's dates too")
        now = self._clock.monotonic()
        self._hang_up()
        self._deadline = now
        self._delivery.disconnected(now)

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.close()
        self._link = None
        self._undated_link = False
        self.phase = Phase.AWAY
        self._mids.clear()

    def _lost(self, reason: str) -> None:
        """The connection is no more: wait for the next attempt."""
        now = self._clock.monotonic()
        self._hang_up()
        wait = self._backoff.next()
        self._deadline = now + wait
        self._say_away(reason)
        parked = self._delivery.disconnected(now)
        if parked is not None:
            log.error(
                "the broker breaks the connection over boot %s seq %d: left out for %g min",
                parked.boot, parked.seq, PARK_S / 60,
            )  # fmt: skip

    def _say_away(self, reason: str) -> None:
        """Once when it goes, once for each other reason why it does not come back."""
        if reason in self._reasons:
            return
        if self._reasons:
            log.info("the broker %s is still away (%s)", self._broker.url, reason)
        else:
            log.warning(
                "the broker %s is away (%s): counts wait on disk, %d rows now; "
                "trying again at least every %g s",
                self._broker.url, reason, self.waiting(), self._config.backoff_s,
            )  # fmt: skip
        self._reasons.add(reason)

    def _send(self) -> None:
        """Publish rows in order until there is no room, no row, or one has to wait."""
        while (room := self._room()) > 0:
            rows = self._rows(self._delivery.after, room)
            if not rows or not all(self._publish(row) for row in rows):
                return

    def _publish(self, row: Row) -> bool:
        verdict = self._delivery.verdict(row.key)
        if verdict is Verdict.SKIP:
            self._delivery.skipped(row.key)
        if verdict is not Verdict.SEND:
            return verdict is Verdict.SKIP
        assert self._link is not None
        try:
            mid = self._link.publish(row)
        except RecordError as error:
            self._bar(row.key)
            self._withhold(f"boot {row.key.boot} seq {row.key.seq}", error)
            return True
        self._mids[mid] = row.key
        self._delivery.sent(row.key, self._clock.monotonic())
        return self._room() > 0

    def _room(self) -> int:
        others = sum(key is None for key in self._mids.values())
        return self._delivery.room(others + self._config.max_inflight - self._max_inflight)

    def _rows(self, after: Key | None, limit: int) -> list[Row]:
        if self._clock.monotonic() < self._storage_at:
            return []
        try:
            rows = self._reader.rows_after(after, limit)
            if self._reader.generation != self._generation:
                # Another file: `after` meant nothing there.
                self._generation = self._reader.generation
                self._delivery.reset()
                rows = self._reader.rows_after(None, limit)
        except StorageError as error:
            self._storage_trouble(error)
            return []
        self._storage_told = False
        return rows

    def _purge(self, everything: bool = False) -> None:
        now = self._clock.monotonic()
        if now < self._storage_at:
            return
        settled = self._drain and self._delivery.out == 0
        keys = self._delivery.purgeable(now, everything or settled)
        if not keys:
            return
        try:
            self._reader.forget(keys)
        except StorageError as error:
            self._storage_trouble(error)
            return
        self._delivery.purged(keys)

    def _storage_trouble(self, error: StorageError) -> None:
        self._storage_at = self._clock.monotonic() + _STORAGE_RETRY_S
        if not self._storage_told:
            self._storage_told = True
            log.warning("%s; trying again, nothing is lost by it", error)

    def _farewell(self) -> None:
        """Say offline and wait a little for the broker to have it."""
        mid: int | None = None
        deadline = self._clock.monotonic() + _FAREWELL_S
        while self._link is not None and self._clock.monotonic() < deadline:
            if mid is None and len(self._mids) < self._max_inflight:
                mid = self._link.publish(self._state(online=False))
                self._mids[mid] = None
            for event in self._link.pump(_FAREWELL_S / 10):
                self._handle(event)
                if isinstance(event, Acknowledged) and event.mid == mid:
                    return

    def _bar(self, key: Key) -> None:
        """Leave a row out for good, or for an hour where that cannot be noted."""
        self._delivery.withheld(key, self._clock.monotonic())
        try:
            self._reader.bar(key)
        except StorageError as error:
            self._storage_trouble(error)
        else:
            self._delivery.parked.pop(key, None)
            self.barred += 1

    def _withhold(self, what: str, error: RecordError) -> None:
        self.withheld += 1
        if _is_power_of_two(self.withheld):
            log.error(
                "%s stays on the unit, for it is not what may leave: %s; %d withheld so far, "
                "looked at again when vision starts",
                what, error, self.withheld,
            )  # fmt: skip

    def _state(self, online: bool) -> State:
        return State(self._unit.id, self._session, online)


def _receipt(payload: bytes) -> Receipt | None:
    """What a message to ``cmd/ack`` says, None when it is no receipt."""
    try:
        receipt = decode_receipt(payload)
    except (RecordError, RecursionError, OverflowError):
        return None
    sound = isinstance(receipt.boot, str) and isinstance(receipt.seq, int)
    return receipt if sound else None


def _is_power_of_two(number: int) -> bool:
    """When to log what may come a thousand times: at 1, 2, 4, 8 ..."""
    return number & (number - 1) == 0
