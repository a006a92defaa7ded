"""The statements that write one judged message; they run inside the store's transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import asdict
from typing import Any

import orjson

from cloud_sink.ingest import Accepted, Address, Arrival, DeadLetter, Key, StateSeen
from cloud_sink.tables import ESTIMATED, JSON_COLUMNS, LATER_COLUMNS, RULE_COLUMNS, WINDOW_COLUMNS
from edge_agent.records import MAX_PAYLOAD_BYTES, Window

_COLUMNS = (
    "tenant", "store", "unit", "boot", "seq", *WINDOW_COLUMNS, *RULE_COLUMNS, *LATER_COLUMNS,
)  # fmt: skip
_INSERT_WINDOW = " ".join(
    [
        "INSERT INTO windows (",
        ", ".join(_COLUMNS),
        ") VALUES (",
        ", ".join("?" * len(_COLUMNS)),
        ")",
    ]
)
# Of a dead letter's topic, characters: a sound one is shorter.
_TOPIC_KEPT = 300

Row = tuple[str, str, str, str, int]


class Rows:
    """Reads and writes of single rows; answers `ingest.Held`.

    Args:
        db: the writer's connection.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def payload(self, key: Key) -> bytes | None:
        """The payload stored for that row, None if there is none."""
        found = self._db.execute(
            "SELECT payload FROM messages"
            " WHERE tenant = ? AND store = ? AND unit = ? AND boot = ? AND seq = ?",
            _row(key),
        ).fetchone()
        return None if found is None else bytes(found[0])

    def aside(self, key: Key, payload: bytes) -> bool:
        """Whether this very message lies among the dead letters."""
        found = self._db.execute(
            "SELECT 1 FROM dead_letters WHERE tenant = ? AND store = ? AND unit = ? AND boot = ?"
            " AND seq = ? AND payload = ?",
            (*_row(key), payload),
        ).fetchone()
        return found is not None

    def accept(self, arrival: Arrival, outcome: Accepted) -> None:
        """Store a message and its windows."""
        row = _row(outcome.key)
        self._db.execute(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, arrival.at, arrival.payload)
        )
        self._db.executemany(
            _INSERT_WINDOW, [(*row, *_columns(window)) for window in outcome.windows]
        )

    def put_aside(self, arrival: Arrival, letter: DeadLetter) -> None:
        """Store a dead letter, cut to what a sound message may be long, and count it."""
        row = (None,) * 5 if letter.key is None else _row(letter.key)
        kept = arrival.payload[:MAX_PAYLOAD_BYTES]
        self._db.execute(
            "INSERT INTO dead_letters VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                arrival.at,
                arrival.topic[:_TOPIC_KEPT],
                letter.reason.value,
                letter.detail,
                len(arrival.payload),
                kept,
                *row,
            ),
        )
        self._db.execute(
            "INSERT INTO dead_counts VALUES (?, 1)"
            " ON CONFLICT (reason) DO UPDATE SET count = count + 1",
            (letter.reason.value,),
        )

    def forget_dead(self, keep: int) -> None:
        """Drop the oldest dead letters; their number stays in dead_counts."""
        self._db.execute(
            "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?", (keep,)
        )

    def state(self, arrival: Arrival, seen: StateSeen) -> None:
        """Note a birth or will, unless one of a later session is known: a will can be late."""
        self._db.execute(
            "INSERT INTO units (tenant, store, unit, session, online, state_at)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " session = excluded.session, online = excluded.online, state_at = excluded.state_at"
            " WHERE session IS NULL OR session <= excluded.session",
            (*_place(seen.address), seen.session, seen.online, arrival.at),
        )

    def health(self, arrival: Arrival, address: Address) -> None:
        """Keep the latest health as it came."""
        self._db.execute(
            "INSERT INTO units (tenant, store, unit, health, health_at)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " health = excluded.health, health_at = excluded.health_at",
            (*_place(address), arrival.payload.decode(), arrival.at),
        )

    def seen(self, address: Address, at: float) -> None:
        """Note that the unit spoke."""
        self._db.execute(
            "INSERT INTO units (tenant, store, unit, last_seen) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen",
            (*_place(address), at),
        )

    def spans(self, address: Address, boot: str) -> str | None:
        """The spans held of a boot as they were written, None for a new one."""
        found = self._db.execute(
            "SELECT spans FROM boots WHERE tenant = ? AND store = ? AND unit = ? AND boot = ?",
            (*_place(address), boot),
        ).fetchone()
        return None if found is None else str(found[0])

    def write_spans(self, address: Address, boot: str, at: float, spans: str) -> None:
        """Write the spans held of a boot; a new boot takes its place in order of arrival."""
        self._db.execute(
            "INSERT INTO boots VALUES (NULL, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET spans = excluded.spans",
            (*_place(address), boot, at, spans),
        )


def _place(address: Address) -> tuple[str, str, str]:
    return address.tenant, address.store, address.unit


def _row(key: Key) -> Row:
    return *_place(key.address), key.boot, key.seq


def _columns(window: Window) -> tuple[object, ...]:
    """In the order of the columns of `tables`: windows, rules, later."""
    rules, later = window.definitions, _later(window)
    return (
        window.zone, window.start, window.length_s, window.observed_s, window.clock.value,
        window.pass_bys, window.stops, window.engaged,
        window.reaches, window.picks, window.put_backs,
        window.dwell_s, window.bridged_s, window.censored, window.censored_dwell_s, window.merged,
        rules.stop_s, rules.engage_s, rules.gap_s, rules.k, rules.version,
        *(later.get(name) for name in LATER_COLUMNS),
    )  # fmt: skip


def _later(window: Window) -> dict[str, Any]:
    """By column; what is missing was not told."""
    known: dict[str, Any] = {
        "reached": window.reached,
        "empty_handed": window.empty_handed,
        "abstained": window.abstained,
        "bound_s": window.bound_s,
    }
    known |= _prefixed("staff", window.staff)
    for name in ESTIMATED:
        known |= _prefixed(name, getattr(window.estimates, name, None))
    for name in JSON_COLUMNS:
        value = getattr(window, name)
        known[name] = None if value is None else orjson.dumps(value).decode()
    return known


def _prefixed(prefix: str, value: Any) -> dict[str, Any]:
    return {} if value is None else {f"{prefix}_{k}": v for k, v in asdict(value).items()}
