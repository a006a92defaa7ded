"""Whether a unit's ledger and the sink's store hold the same: the unit cannot have sent more.

Each counts message says the SHA-256 of the one before it (``prev``), and a unit's health says that
of the newest one that was receipted: where the sink holds the same bytes under that number, it
holds the same as the unit's ledger, all the way back.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from cloud_sink.tables import reading
from edge_agent.records import digest

_PAYLOADS = (
    "SELECT boot, seq, payload FROM boots JOIN messages USING (tenant, store, unit, boot)"
    " WHERE tenant = ? AND store = ? AND unit = ? ORDER BY boots.id, seq"
)
_PAYLOAD = (
    "SELECT payload FROM messages"
    " WHERE tenant = ? AND store = ? AND unit = ? AND boot = ? AND seq = ?"
)
_UNITS = "SELECT tenant, store, unit, health FROM units ORDER BY tenant, store, unit"


class Verdict(Enum):
    """What a unit's head is to the store."""

    SAME = "same"
    MISSING = "missing"  # receipted once and not here: this store lost it, or was begun anew
    DIFFERS = "differs"  # other bytes under the same number: one side was changed


@dataclass(frozen=True, slots=True)
class Unit:
    """Whose ledger."""

    tenant: str
    store: str
    unit: str


@dataclass(frozen=True, slots=True)
class Account:
    """One unit's ledger as this store sees it.

    Args:
        unit: whose.
        messages: how many are held.
        broken: (boot, seq) of those whose predecessor is not held, or that should say one.
        head: (boot, seq, digest) of the newest one held.
        verdict: of the unit's head; None = it has told none yet.
    """

    unit: Unit
    messages: int
    broken: tuple[tuple[str, int], ...]
    head: tuple[str, int, str] | None
    verdict: Verdict | None

    @property
    def sound(self) -> bool:
        """Whether both sides hold the same, without a gap."""
        return not self.broken and self.verdict in (None, Verdict.SAME)


def accounts(path: Path) -> list[Account]:
    """Every unit's account; `serve` may go on meanwhile.

    Raises:
        UsageError: no such database.
        StoreError: it cannot be read.
    """
    with reading(path) as db:
        return [
            _account(
                db, Unit(tenant, store, unit), None if health is None else orjson.loads(health)
            )
            for tenant, store, unit, health in db.execute(_UNITS).fetchall()
        ]


def told(path: Path, as_json: bool) -> int:
    """Print a line a unit; 0 where all are sound, else 1."""
    found = accounts(path)
    for one in found:
        print(_as_json(one) if as_json else _as_text(one))
    return 0 if all(one.sound for one in found) else 1


def _as_text(one: Account) -> str:
    name = f"{one.unit.tenant}/{one.unit.store}/{one.unit.unit}"
    gaps = "".join(f"; before boot {boot} seq {seq} one is missing" for boot, seq in one.broken)
    verdict = "it told no head yet" if one.verdict is None else one.verdict.value
    return f"{name}: {one.messages} messages, head {verdict}{gaps}"


def _as_json(one: Account) -> str:
    head = None if one.head is None else dict(zip(("boot", "seq", "digest"), one.head, strict=True))
    verdict = None if one.verdict is None else one.verdict.value
    return orjson.dumps(
        {
            "tenant": one.unit.tenant,
            "store": one.unit.store,
            "unit": one.unit.unit,
            "messages": one.messages,
            "broken": one.broken,
            "head": head,
            "verdict": verdict,
            "sound": one.sound,
        }
    ).decode()


def compare(db: sqlite3.Connection, unit: Unit, health: Any) -> Verdict | None:
    """The verdict on the head that a unit's health tells; None where it tells none."""
    head = None if health is None else health.get("ledger")
    if head is None:
        return None
    place = (unit.tenant, unit.store, unit.unit, head["boot"], head["seq"])
    found = db.execute(_PAYLOAD, place).fetchone()
    if found is None:
        return Verdict.MISSING
    return Verdict.SAME if digest(bytes(found[0])) == head["digest"] else Verdict.DIFFERS


def _account(db: sqlite3.Connection, unit: Unit, health: Any) -> Account:
    held: set[bytes] = set()
    links: list[tuple[str, int, bytes | None]] = []
    head = None
    for boot, seq, payload in db.execute(_PAYLOADS, (unit.tenant, unit.store, unit.unit)):
        text = digest(bytes(payload))
        held.add(bytes.fromhex(text))
        head = (boot, seq, text)
        message = orjson.loads(payload)
        if "prev" in message:
            prev = message["prev"]
            links.append((boot, seq, None if prev is None else bytes.fromhex(prev)))
    # Only the first row of an outbox follows none, and an outbox begins with a boot.
    broken = tuple(
        (boot, seq)
        for boot, seq, prev in links
        if (prev not in held if prev is not None else seq > 1)
    )
    return Account(unit, len(held), broken, head, compare(db, unit, health))
