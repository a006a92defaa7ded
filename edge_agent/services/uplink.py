"""Outbox to broker: the only process with a network, and it never holds a picture."""

from __future__ import annotations

import logging
import os
import random
import threading
from pathlib import Path

from edge_agent import health
from edge_agent.clock import Clock, SystemClock
from edge_agent.config import Site
from edge_agent.outbox import OutboxReader
from edge_agent.records import Health, Quality, Trouble
from edge_agent.transport import Courier, Sessions
from edge_agent.transport.courier import Phase
from edge_agent.watchdog import Watchdog

log = logging.getLogger("shelflight.uplink")

# How often the outbox is looked at for new rows while nothing else happens.
POLL_S = 0.25
# How often the health files are joined; what they say is published when it is of interest.
HEALTH_S = 10.0
PUBLISH_S = 60.0


class Uplink:
    """One unit's uplink.

    Args:
        site: its configuration.
        state: the folder of the outbox.
        run: the folder of the health files.
        clock: time.
        drain: purge as soon as everything is receipted.
    """

    def __init__(
        self, site: Site, state: Path, run: Path, clock: Clock, drain: bool = False
    ) -> None:
        self._site = site
        self._run = run
        self._clock = clock
        self._started = clock.monotonic()
        self._courier = Courier(
            site.uplink,
            site.unit,
            OutboxReader(state / "outbox.db"),
            Sessions(state / "uplink.session", clock.wall),
            clock,
            random.SystemRandom().uniform,
            drain,
        )
        self._report_at = self._started
        self._publish_at = self._started
        self._published: tuple[Trouble, ...] = ()
        self._own: tuple[Trouble, ...] = ()
        self._health = health.HealthFile(run, "uplink", log)

    def step(self) -> None:
        """Carry what can be carried, then say how it goes if it is time."""
        self._courier.step(POLL_S)
        if self._clock.monotonic() >= self._report_at or self._troubles() != self._own:
            self._report()

    def drained(self) -> bool:
        """Whether the outbox is empty, or holds only rows that the broker will not take."""
        rows, parked = self._courier.left()
        return rows == parked

    def stop(self) -> int:
        """Say goodbye.

        Returns:
            How many of the outbox's first rows the broker will not take, or may not have.
        """
        _, parked = self._courier.left()
        self._courier.stop()
        return parked + self._courier.barred

    def _report(self) -> None:
        now = self._clock.monotonic()
        self._report_at = now + HEALTH_S
        self._own = self._troubles()
        own = Health(
            unit=self._site.unit.id,
            at=self._clock.wall(),
            uptime_s=round(now - self._started, 3),
            clock=Quality.SYNCED if self._clock.synced() else Quality.UNSYNCED,
            waiting=self._courier.waiting(),
            ledger=self._courier.head(),
            troubles=self._own,
        )
        self._health.write(own)
        whole = health.joined(health.read_all(self._run), own.unit, own.at) or own
        if whole.troubles == self._published and now < self._publish_at:
            return
        if self._courier.report(whole):
            self._published = whole.troubles
            self._publish_at = now + PUBLISH_S

    def _troubles(self) -> tuple[Trouble, ...]:
        found = []
        if self._courier.phase is not Phase.ONLINE:
            found.append(Trouble.BROKER_ABSENT)
        if self._courier.late:
            found.append(Trouble.RECEIPTS_LATE)
        return tuple(found)


def main(
    site: Site,
    state: Path,
    stop: threading.Event,
    drain: bool = False,
    clock: Clock | None = None,
    run: Path | None = None,
) -> int:
    """Run until `stop` is set or, to drain, until the outbox is empty.

    Args:
        site: the unit's configuration.
        state: the folder of ``outbox.db`` and of ``uplink.session``.
        stop: set it to end.
        drain: end as soon as every row is receipted and purged.
        clock: time.
        run: the folder of the health files; None = ``state``.

    Returns:
        0; after draining 1 where rows are left that the broker will not take.
    """
    for folder in (state, run or state):
        folder.mkdir(parents=True, exist_ok=True)
    clock = clock or SystemClock()
    uplink = Uplink(site, state, run or state, clock, drain)
    watchdog = Watchdog.of(os.environ, os.getpid())
    watchdog.ready()
    while not stop.is_set() and not (drain and uplink.drained()):
        uplink.step()
        watchdog.beat(clock.monotonic())
    watchdog.stopping()
    stuck = uplink.stop()
    if drain and stuck:
        log.error("%d rows or more stay in %s: the broker does not take them", stuck, state)
        return 1
    return 0
