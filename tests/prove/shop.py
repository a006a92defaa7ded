"""A broker with its rightful users, who see whatever comes through."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.records import topic
from tests.prove.authority import Identity
from tests.prove.guarded import Guarded, Peer

# Whose certificate the intruder holds, and whom it reaches for.
OWN = ("demo", "store-1", "shelf-a")
NEIGHBOUR = ("demo", "store-1", "shelf-b")
OTHERS = {
    "its neighbour": NEIGHBOUR,
    "another store's unit": ("demo", "store-2", "shelf-b"),
    "another tenant's unit": ("rival", "store-1", "shelf-b"),
}
# On the list of units; the last one's certificate is revoked.
UNITS = (OWN, *OTHERS.values(), ("demo", "store-1", "shelf-lost"))
LEAVES = ("counts", "state", "health", "cmd/ack")
OUT = LEAVES[:3]
# The watch is nobody in a real shop: it hears all that passes the broker, so that a try that came
# through anywhere is seen.
SINK, WATCH = "sink", "watch"
EARS = f"\nuser CN={WATCH}\ntopic read #\ntopic read $SYS/#\n"


def subject(unit: tuple[str, str, str]) -> str:
    """As openssl writes it."""
    return "/O={}/OU={}/CN={}".format(*unit)


def called(unit: tuple[str, str, str]) -> str:
    """As a unit's uplink calls itself."""
    return "shelflight-{}-{}-{}".format(*unit)


@dataclass(slots=True)
class Shop:
    """The broker with its rightful users: what they hear says whether a try came through.

    Args:
        broker: configured for `UNITS`, running.
        folder: for more authorities.
        identities: of the units, the sink and the watch by name.
    """

    broker: Guarded
    folder: Path
    identities: dict[str, Identity]
    watch: Peer = field(init=False)
    sink: Peer = field(init=False)
    victims: dict[tuple[str, str, str], Peer] = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.watch = self.peer(self.identities[WATCH])
        assert self.watch.connect(), self.watch.refused
        self.watch.subscribe("#", "$SYS/#")
        self.sink = self.peer(self.identities[SINK])
        assert self.sink.connect(), self.sink.refused
        self.sink.subscribe(*(topic("+", "+", "+", leaf) for leaf in OUT))
        self.victims = {unit: self.rightful(unit) for unit in OTHERS.values()}

    def peer(self, identity: Identity | None, **known: Any) -> Peer:
        """Somebody who knocks."""
        return Peer(self.broker.port, self.broker.authority.ca, identity, **known)

    def rightful(self, unit: tuple[str, str, str]) -> Peer:
        """A unit that is who it says, listening to what is said to it."""
        peer = self.peer(self.identities["-".join(unit)], client_id=called(unit))
        assert peer.connect(), peer.refused
        peer.subscribe(topic(*unit, "cmd/#"))
        return peer

    def mark(self) -> bytes:
        """A payload that was never used."""
        self.number += 1
        return b"mark %d" % self.number

    def settle(self) -> None:
        """Until everything that was said before has been heard by whom it may concern.

        The broker is one thread: when what is rightly said now is heard, all before was handed on.
        """
        for unit, peer in self.victims.items():
            mark = self.mark()
            peer.publish(topic(*unit, "counts"), mark)
            self.watch.hears(topic(*unit, "counts"), mark)
            self.sink.publish(topic(*unit, "cmd/ack"), mark)
            peer.hears(topic(*unit, "cmd/ack"), mark)

    def heard(self, payload: bytes) -> bool:
        """Whether it reached anybody."""
        return any(
            payload == said
            for peer in (self.watch, self.sink, *self.victims.values())
            for _, said in peer.heard
        )

    def close(self) -> None:
        """Everybody leaves."""
        for peer in (self.watch, self.sink, *self.victims.values()):
            peer.close()
