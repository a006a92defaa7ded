"""1 Closed telemetry: the JSON Schemas are the only way out, and the uplink can encode no more."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

import edge_agent
from edge_agent.errors import RecordError
from edge_agent.outbox import Row
from edge_agent.records import MAX_PAYLOAD_BYTES, Counts, decode_counts, encode
from edge_agent.transport.closed import check_of
from edge_agent.transport.seal import seal
from tests.prove.mutations import (
    LEAVES,
    Mutant,
    attempts,
    drawn,
    example,
    fields,
    fits,
    mutants,
    sealed,
)
from tests.prove.planted import BOOT, UNIT, row_of, through_a_broker
from tests.prove.row import Row as Claim
from tests.prove.row import Scale
from tests.schema_changes import breaking, unsound
from tests.schema_edits import ADDITIVE, BREAKING, RELEASED, edited

SHIPPED = Path(edge_agent.__file__).parent / "schemas"

# What mypy is asked, a line each: the first three fit, of the others none does.
_TYPED = """
from typing import Any
from edge_agent.outbox import Row
from edge_agent.records import Counts, Health, Receipt, State, Window
from edge_agent.transport.link import Link
def publish(
    link: Link, row: Row, state: State, health: Health,
    counts: Counts, receipt: Receipt, window: Window, known: dict[str, Any],
) -> None:
    link.publish(row)
    link.publish(state)
    link.publish(health)
"""
_UNTYPED = (
    "b'picture'", "'free text'", "known", "counts", "row.payload", "window", "receipt",
    "(row, state)", "[row]", "row.key", "None", "1.5", "row, 'a/topic'", "row, b'more'",
)  # fmt: skip


def prove(scale: Scale, folder: Path) -> Iterator[Claim]:
    """Everything that must not leave, by every way there is."""
    yield from _fuzz(scale)
    yield _typed(folder)
    yield _sized()
    yield from through_a_broker(scale, folder)
    yield from _gated()


def _fuzz(scale: Scale) -> Iterator[Claim]:
    tally = Tally()
    for leaf in LEAVES:
        for mutant in mutants(leaf, every=not scale.short):
            tally.try_(mutant)
    told = sum(len(fields(leaf, every=not scale.short)) for leaf in LEAVES)
    tried = len(tally.tried)
    _draw(tally, scale.of(8000, 300))
    outside = tally.outside
    yield Claim(
        "telemetry-fuzz",
        "what is outside of its schema is not published: wrong types, fields more and fewer, "
        "coordinates, pictures, free text, impossible numbers at every field",
        "0 got through",
        f"{tally.tries} mutations of {tried} fields, {outside} outside of the schema, "
        f"{len(tally.through)} got through{_first(tally.through)} (the records' own types alone "
        f"would let {tally.by_records} of them pass)",
        not tally.through and outside > 1000 and tried == told,
    )
    yield Claim(
        "telemetry-agree",
        "what the unit takes of a message, the sink's validator of the schema takes too",
        "0 differ",
        f"{tally.tries} messages, {len(tally.differ)} differ{_first(tally.differ)}",
        not tally.differ,
    )


class Tally:
    """What became of mutants."""

    def __init__(self) -> None:
        self.tries = self.outside = self.by_records = 0
        self.through: list[str] = []
        self.differ: list[str] = []
        self.tried: set[tuple[str | int, ...]] = set()

    def try_(self, mutant: Mutant) -> None:
        """Every way out for one."""
        self.tries += 1
        if mutant.how == "missing":
            self.tried.add((mutant.leaf, *mutant.path))
        what = f"{mutant.how} at {mutant.leaf}/{'/'.join(map(str, mutant.path))}"
        fitting = fits(mutant.leaf, mutant.payload)
        # The unit may ask for more than the schema (1.0 is no whole number to it), never for less.
        if not fitting and _taken(mutant):
            self.differ.append(what)
        if fitting:
            return
        self.outside += 1
        for attempt in attempts(mutant):
            if attempt.built:
                self.by_records += not fits(mutant.leaf, attempt.payload)
            payload = sealed(attempt, mutant.leaf)
            if payload is not None and not fits(mutant.leaf, payload):
                self.through.append(what)


def _taken(mutant: Mutant) -> bool:
    """Whether the unit's own reading of the schema takes it."""
    try:
        message = json.loads(mutant.payload)
    except (ValueError, RecursionError):
        return False
    return check_of(mutant.leaf)(message) is None


def _draw(tally: Tally, examples: int) -> None:
    """More of them by chance, the same ones each time."""

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        phases=(Phase.generate,), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(drawn())
    def run(mutant: Mutant) -> None:
        tally.try_(mutant)

    run()


def _typed(folder: Path) -> Claim:
    """By mypy before it runs, by the link when it does."""
    lines = [*_TYPED.splitlines(), *(f"    link.publish({what})" for what in _UNTYPED)]
    file = folder / "typed.py"
    file.write_text("\n".join(lines) + "\n")
    said = subprocess.run(
        (sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent",
         "--no-error-summary", "--cache-dir", str(folder / "mypy"), str(file)),
        capture_output=True, text=True, timeout=120,
        cwd=SHIPPED.parents[1],
    )  # fmt: skip
    refused = {int(line.split(":")[1]) for line in said.stdout.splitlines() if ": error:" in line}
    wanted = set(range(len(lines) - len(_UNTYPED) + 1, len(lines) + 1))
    return Claim(
        "telemetry-types",
        "mypy lets a link publish stored rows, states and healths, and nothing else",
        f"{len(wanted)} of {len(wanted)} refused, 0 of 3 records",
        f"{len(refused & wanted)} of {len(wanted)} refused, {len(refused - wanted)} of 3 records"
        + (f": {said.stderr[:200]}" if said.stderr else ""),
        refused == wanted,
    )


def _sized() -> Claim:
    """The largest that fits leaves, a byte more does not."""
    counts = decode_counts(json.dumps(example("counts")).encode())
    (window,) = counts.windows
    size = len(encode(Counts(UNIT.id, BOOT, 1, (window, window))))
    size -= len(encode(Counts(UNIT.id, BOOT, 1, (window,))))
    most = (MAX_PAYLOAD_BYTES - 200) // size
    verdicts = []
    for windows in (most, most + 1):
        row = row_of(Counts(UNIT.id, BOOT, 1, (window,) * windows))
        verdicts.append((len(row.payload), _leaves(row)))
    (small, first), (large, second) = verdicts
    return Claim(
        "telemetry-size",
        f"no message larger than {MAX_PAYLOAD_BYTES} bytes leaves",
        "the larger one stays",
        f"{small} bytes {'leave' if first else 'stay'}, {large} bytes "
        f"{'leave' if second else 'stay'}",
        first and not second and small <= MAX_PAYLOAD_BYTES < large,
    )


def _leaves(row: Row) -> bool:
    try:
        seal(UNIT, row)
    except RecordError:
        return False
    return True


def _gated() -> Iterator[Claim]:
    names = sorted(path.name for path in RELEASED.glob("*.schema.json"))
    wrong = []
    for name in names:
        old, new = (json.loads((of / name).read_text()) for of in (RELEASED, SHIPPED))
        wrong += [f"{name}{line}" for line in breaking(old, new)]
    for path in SHIPPED.glob("*.schema.json"):
        wrong += [f"{path.name}{line}" for line in unsound(json.loads(path.read_text()))]
    yield Claim(
        "telemetry-schemas",
        "the schemas that ship may follow those last released within v1, and are closed",
        "0 breaking changes",
        f"{len(names)} schemas, {len(wrong)} breaking changes{_first(wrong)}",
        not wrong and len(names) == len(LEAVES) + 1,
    )
    refused = sum(bool(edited(leaf, edit)) for leaf, edit, _ in BREAKING.values())
    passed = sum(not edited(leaf, edit) for leaf, edit in ADDITIVE.values())
    yield Claim(
        "telemetry-gate",
        "the gate refuses breaking changes and lets additive ones pass",
        f"{len(BREAKING)} of {len(BREAKING)} refused, {len(ADDITIVE)} of {len(ADDITIVE)} passed",
        f"{refused} of {len(BREAKING)} refused, {passed} of {len(ADDITIVE)} passed",
        refused == len(BREAKING) and passed == len(ADDITIVE),
    )


def _first(found: list[str]) -> str:
    return f", first: {found[0]}" if found else ""
