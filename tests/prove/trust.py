"""Whom a unit believes: the broker's chain and name always, its dates once the clock is right."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.clock import SystemClock
from edge_agent.config import Broker, Site, UnitConfig, UplinkConfig
from edge_agent.outbox import Outbox
from edge_agent.records import Definitions, Quality, Window, topic
from edge_agent.services import uplink
from tests.prove.authority import Authority, Identity
from tests.prove.guarded import PATIENCE_S, Guarded, Peer, until
from tests.prove.row import Row

UNIT = UnitConfig("shelf-t", "demo", "store-1")
_FUTURE = {"start": "20900101000000Z", "end": "20910101000000Z"}
_PAST = {"start": "20200101000000Z", "end": "20210101000000Z"}


class SettableClock(SystemClock):
    """The machine's clocks, in 1970 until somebody sets the time."""

    def __init__(self, right: bool) -> None:
        self.right = right

    def wall(self) -> float:
        return super().wall() if self.right else self.monotonic()

    def synced(self) -> bool:
        return self.right


class Ears(logging.Handler):
    """What the uplink says."""

    def __init__(self) -> None:
        super().__init__()
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said += record.getMessage() + "\n"


class Case:
    """A unit with rows to send, and the broker of one certificate.

    Args:
        folder: of its own.
        authority: whom the unit believes.
        certificate: the broker's.
        clock: the unit's.
    """

    def __init__(
        self, folder: Path, authority: Authority, certificate: Identity, clock: SettableClock
    ) -> None:
        folder.mkdir()
        self.clock = clock
        self._authority = authority
        self._unit = authority.issue(
            f"unit-{folder.name}", f"/O={UNIT.tenant}/OU={UNIT.store}/CN={UNIT.id}"
        )
        self._sink = authority.issue(f"sink-{folder.name}", "/CN=sink")
        self._state = folder / "state"
        self._state.mkdir()
        self.broker = Guarded(folder / "broker", authority, certificate)
        self.ears = Ears()

    @contextmanager
    def running(self) -> Iterator[Peer]:
        """Broker and uplink at work; a listener with the sink's certificate, whom nothing stops."""
        log = logging.getLogger("shelflight.uplink")
        log.addHandler(self.ears)
        log.propagate, log.level = False, logging.INFO
        stop, site = threading.Event(), self._site()
        thread = threading.Thread(
            target=uplink.main, args=(site, self._state, stop), kwargs={"clock": self.clock}
        )
        with self.broker:
            self.broker.configure([f"{UNIT.tenant}/{UNIT.store}/{UNIT.id}"])
            self.broker.start()
            sink = Peer(self.broker.port, None, self._sink)
            assert sink.connect(), sink.refused
            sink.subscribe(topic("+", "+", "+", "counts"))
            thread.start()
            try:
                yield sink
            finally:
                stop.set()
                thread.join(PATIENCE_S)
                sink.close()
                log.removeHandler(self.ears)
                log.propagate = True

    def count(self, minute: int) -> None:
        """A window of vision's, made durable."""
        outbox = Outbox.open(self._state / "outbox.db", UNIT.id, f"{minute:016x}", 1000)
        try:
            outbox.append((_window(minute),))
        finally:
            outbox.close()

    def refused(self, word: str) -> bool:
        """Whether the unit says that it does not believe the broker, and why."""
        until(lambda: "is away" in self.ears.said, "a complaint of the uplink")
        return word in self.ears.said

    def _site(self) -> Site:
        known = UplinkConfig(
            Broker("localhost", self.broker.port, tls=True), ca=self._authority.ca,
            cert=self._unit.cert, key=self._unit.key, backoff_s=0.2,
        )  # fmt: skip
        return Site(UNIT, uplink=known)


def prove(authority: Authority, folder: Path) -> Iterator[Row]:
    """Refuse who is not the broker; be patient with the clock, not with the chain or the name."""
    yield _impostors(authority, folder)
    yield _in_1970(authority, folder)


def _impostors(authority: Authority, folder: Path) -> Row:
    other = Authority(folder / "other-authority")
    at_home = "DNS:localhost"
    impostors = {
        "another host's": (authority.issue("elsewhere", "/CN=localhost", "DNS:elsewhere"), "name"),
        "another authority's": (other.issue("fake", "/CN=broker", at_home), "verify failed"),
        "self-signed": (other.self_signed("self", "/CN=localhost"), "verify failed"),
        "a unit's": (authority.issue("unit", "/CN=localhost"), "verify failed"),
        "expired": (authority.issue("old", "/CN=broker", at_home, **_PAST), "expired"),
        "not yet valid": (authority.issue("new", "/CN=broker", at_home, **_FUTURE), "not yet"),
    }
    # The last two are only wrong for who knows what time it is.
    judged = [(what, True) for what in impostors] + [(what, False) for what in list(impostors)[:4]]
    believed = []
    for what, right in judged:
        certificate, word = impostors[what]
        name = f"{what.replace(' ', '-')}-{'set' if right else '1970'}".replace("'", "")
        case = Case(folder / name, authority, certificate, SettableClock(right))
        case.count(1)
        with case.running() as sink:
            if not case.refused(word) or sink.heard:
                believed.append(f"{what} ({case.ears.said.strip()})")
    figure = f"{len(judged) - len(believed)} of {len(judged)} certificates refused, no row sent"
    figure += f"; believed: {', '.join(believed)}" if believed else ""
    claim = "a unit talks to nobody but its broker, with its clock set or in 1970"
    return Row("access.broker", claim, "all", figure, not believed)


def _in_1970(authority: Authority, folder: Path) -> Row:
    future = authority.issue("tomorrow", "/CN=broker", "DNS:localhost,IP:127.0.0.1", **_FUTURE)
    valid = authority.issue("today", "/CN=broker", "DNS:localhost,IP:127.0.0.1")
    found: dict[str, bool] = {}
    case = Case(folder / "power-cut", authority, future, SettableClock(False))
    case.count(1)
    with case.running() as sink:
        until(lambda: len(sink.heard) == 1, "a row of a unit in 1970")
        found["counts arrive while the certificate is not yet valid"] = True
        case.clock.right = True
        found["the dates are looked at as soon as the clock is set"] = case.refused("not yet valid")
        case.count(2)
        case.broker.renew(valid)
        case.broker.reload()
        # Sent once in 1970 and, without a receipt, again; and what was counted meanwhile.
        until(lambda: len({said for _, said in sink.heard}) == 2, "what was counted meanwhile")
        found["a valid one is believed again, nothing is lost"] = True
    missed = [what for what, held in found.items() if not held]
    figure = f"{len(found) - len(missed)} of {len(found)}: {'; '.join(missed or found)}"
    claim = "a power cut that sets the clock to 1970 does not lock a unit out"
    return Row("access.1970", claim, "all", figure, not missed)


def _window(minute: int) -> Window:
    return Window(
        "table", 60.0 * minute, 60.0, 60.0, Quality.UNSYNCED, Definitions(5.0, 15.0, 2.0),
        pass_bys=3, stops=2, engaged=1,
    )  # fmt: skip
