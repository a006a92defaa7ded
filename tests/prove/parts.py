"""Which parts there are, in the order they run; a part is a module with a `prove`."""

from __future__ import annotations

from importlib import import_module

from tests.prove.row import Prove

# Number and title as docs/proof.md shows them, module.
PARTS: dict[str, tuple[str, str]] = {
    "telemetry": ("1 Closed telemetry", "tests.prove.telemetry"),
    "small": ("2 Small counts", "tests.prove.small"),
    "ledger": ("3 Ledger", "tests.prove.ledger"),
    "egress": ("4 Egress", "tests.prove.egress"),
    "retention": ("5 Zero retention", "tests.prove.retention"),
    "kills": ("6 Faults: killed processes", "tests.prove.kills"),
    "sync": ("6 Faults: power cuts", "tests.prove.sync"),
    "link": ("6 Faults: the link", "tests.prove.link"),
    "storage": ("6 Faults: the card", "tests.prove.storage"),
    "time": ("7 Time", "tests.prove.time"),
    "access": ("8 Access", "tests.prove.access"),
    "long": ("9 Long run", "tests.prove.long"),
}
# It runs beside the others.
LONGEST = "long"


def load(name: str) -> Prove:
    """The part's `prove`."""
    prove: Prove = import_module(PARTS[name][1]).prove
    return prove
