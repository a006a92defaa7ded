"""From the broker to the store: collect a batch, commit it, acknowledge it, receipt it.

One thread does all of it in this order, so that nothing is acknowledged that is not on the disk,
and no acknowledgement goes out on another connection than its message came in on.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import MQTTErrorCode

from cloud_sink.broker import Broker, connect, make_client
from cloud_sink.condition import NOT_YET, Condition
from cloud_sink.errors import BrokerError, SinkError, StoreError
from cloud_sink.ingest import Arrival
from cloud_sink.metrics import Metrics
from cloud_sink.schema import LEAVES
from cloud_sink.store import Committed, Store
from edge_agent.records import encode, topic

FILTERS = tuple(topic("+", "+", "+", leaf) for leaf in LEAVES)
_TICK_S = 0.25
_ANSWER_S = 10.0
_LEAVE_S = 2.0
# The first wait before connecting again is at most so long, and no wait is longer.
_BACKOFF_S = (0.5, 30.0)
# A link that held so long was a good one: the next wait is a short one again.
_GOOD_S = 5.0

_log = logging.getLogger("cloud_sink")


@dataclass(frozen=True, slots=True)
class Batching:
    """When a batch is committed: whichever comes first.

    Args:
        messages: it holds so many messages, >= 1.
        size: it holds so many bytes, >= 1.
        idle_s: nothing came for so long.
        age_s: its first message has waited for so long.
    """

    messages: int = 1000
    size: int = 8 * 1024 * 1024
    idle_s: float = 0.002
    age_s: float = 0.1


_BATCHING = Batching()


class Subscriber:
    """The owner of the link to the broker.

    Args:
        broker: where it is.
        name: our client id; the broker keeps our session under it.
        store: where messages go.
        condition: what `/healthz` reads.
        metrics: what `/metrics` reads.
        batching: when to commit.
    """

    def __init__(
        self,
        broker: Broker,
        name: str,
        store: Store,
        condition: Condition,
        metrics: Metrics,
        batching: Batching = _BATCHING,
    ) -> None:
        self._broker = broker
        self._store = store
        self._condition = condition
        self._metrics = metrics
        self._batching = batching
        self._client = make_client(broker, name)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._batch: list[tuple[Arrival, int, int]] = []
        self._size = 0
        self._reasons: set[str] = set()
        self._last_receipt: MQTTMessageInfo | None = None
        self._refused: str | None = None
        self._subscribed = False

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then store, acknowledge and receipt what has come."""
        delays = _delays()
        while not stop.is_set():
            began = time.monotonic()
            try:
                self._store.probe()
                self._stored(None)
                self._open(stop)
                self._pump(stop)
            except (BrokerError, StoreError) as error:
                self._trouble(error)
                if time.monotonic() - began > _GOOD_S:
                    delays = _delays()
                self._wait(stop, next(delays))
        self._leave()

    def _open(self, stop: threading.Event) -> None:
        """Connect and subscribe; BrokerError where that fails."""
        self._refused, self._subscribed = None, False
        self._batch, self._size = [], 0
        try:
            connect(self._client, self._broker)
        except OSError as error:
            raise BrokerError(f"{self._broker}: {error}") from None
        deadline = time.monotonic() + _ANSWER_S
        while not self._subscribed and not stop.is_set():
            self._turn(_TICK_S)
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"{self._broker}: no answer within {_ANSWER_S:g} s"
                    " (a broker that knows only MQTT 3.1.1 needs --protocol 3)"
                )
        if self._subscribed:
            self._linked(None)

    def _pump(self, stop: threading.Event) -> None:
        began = 0.0
        while not stop.is_set():
            known = len(self._batch)
            self._turn(self._batching.idle_s if known else _TICK_S)
            self._drain()
            if not self._batch:
                continue
            if not known:
                began = time.monotonic()
            idle = len(self._batch) == known
            if idle or self._full() or time.monotonic() - began > self._batching.age_s:
                self._flush()

    def _turn(self, timeout_s: float) -> None:
        """Let paho read, write and keep alive once; BrokerError where the link is gone."""
        self._condition.beat = time.monotonic()
        code = self._client.loop(timeout_s)
        if self._refused is not None:
            raise BrokerError(f"{self._broker}: {self._refused}")
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            # What has come is stored all the same; it comes again and is known then.
            self._flush()
            raise BrokerError(f"{self._broker}: {code.name} ({int(code)})")

    def _drain(self) -> None:
        """Take what lies ready in the socket; `loop` reads one packet a turn."""
        known = -1
        while known != len(self._batch) and not self._full():
            known = len(self._batch)
            self._client.loop_read()

    def _full(self) -> bool:
        return len(self._batch) >= self._batching.messages or self._size >= self._batching.size

    def _flush(self) -> None:
        """Commit, then acknowledge, then receipt: in that order only."""
        batch, self._batch, self._size = self._batch, [], 0
        if not batch:
            return
        began = time.perf_counter()
        try:
            done = self._store.commit([arrival for arrival, _, _ in batch])
        except StoreError:
            self._metrics.commit_failed()
            raise
        self._metrics.committed(done, time.perf_counter() - began)
        self._note_dead(done)
        if self._client.socket() is None:
            return
        for _, mid, qos in batch:
            self._client.ack(mid, qos)
        for address, receipt in done.receipts:
            name = topic(address.tenant, address.store, address.unit, "cmd/ack")
            self._last_receipt = self._client.publish(name, encode(receipt), qos=1)
        self._metrics.receipted(len(done.receipts))

    def _leave(self) -> None:
        """Store and acknowledge what has come, and go; the broker keeps the session."""
        try:
            self._flush()
        except StoreError as error:
            _log.error("store: %s; what it did not take stays at the broker", error)
        deadline = time.monotonic() + _LEAVE_S
        while self._receipts_wait() and time.monotonic() < deadline:
            if self._client.loop(_TICK_S) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                break
        if self._client.disconnect() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            _log.info("broker: left, the session stays")

    def _receipts_wait(self) -> bool:
        last = self._last_receipt
        unsent = last is not None and last.rc == 0 and not last.is_published()
        return unsent or self._client.want_write()

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            self._condition.beat = time.monotonic()
            stop.wait(min(1.0, max(0.0, deadline - time.monotonic())))

    def _trouble(self, error: SinkError) -> None:
        """Say it once, and let go of the link: a store that is full must not take more."""
        if isinstance(error, StoreError):
            self._stored(str(error))
            self._linked("let go until the store takes messages again")
        else:
            self._linked(str(error))
        if self._client.socket() is not None:
            self._client.disconnect()
            self._client.loop(0)

    def _linked(self, trouble: str | None) -> None:
        if trouble is None:
            _log.info("broker: subscribed at %s", self._broker)
        elif self._condition.broker is None or self._condition.broker == NOT_YET:
            _log.warning("broker: %s; trying again until it is there", trouble)
        self._condition.broker = trouble
        self._metrics.connected(trouble is None)

    def _stored(self, trouble: str | None) -> None:
        if trouble is None and self._condition.store is not None:
            _log.info("store: takes messages again")
        elif trouble is not None and self._condition.store is None:
            _log.error("store: %s; nothing is acknowledged, trying again", trouble)
        self._condition.store = trouble

    def _note_dead(self, done: Committed) -> None:
        """One line for each kind of dead letter; how many is told by /v1/dead-letters."""
        reasons = {reason for outcome, reason in done.outcomes if outcome == "dead"}
        for reason in sorted(reasons - self._reasons):
            _log.warning("dead letters: the first one that is %s; more are only counted", reason)
        self._reasons |= reasons

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: Any, _props: Any) -> None:
        if code.is_failure:
            self._refused = f"refused: {code}"
        else:
            client.subscribe([(name, 1) for name in FILTERS])

    def _on_subscribe(
        self, _client: Client, _data: Any, _mid: int, codes: list[Any], _props: Any
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        if refused:
            self._refused = f"may not subscribe to {FILTERS[0]} and its like: {refused[0]}"
        self._subscribed = not refused

    def _on_disconnect(
        self, _client: Client, _data: Any, flags: Any, code: Any, _props: Any
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._refused = f"closed by the broker: {code}"

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            name = message.topic
        except UnicodeDecodeError:
            name = ""
        arrival = Arrival(name, bytes(message.payload), time.time(), message.retain)
        self._batch.append((arrival, message.mid, message.qos))
        self._size += len(message.payload)


def _delays() -> Iterator[float]:
    """Back-off with full jitter, seconds, so that a fleet of sinks does not come back at once."""
    ceiling, most = _BACKOFF_S
    while True:
        yield random.uniform(0.1, ceiling)  # noqa: S311 - no secret
        ceiling = min(most, ceiling * 2)
