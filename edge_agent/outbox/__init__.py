"""Counts on disk until the sink has them, and the ledger of what left: one SQLite file.

Vision writes (`Outbox`), one commit for each window; the uplink reads and notes what has left
(`OutboxReader`), each from a process of its own. The file is in WAL mode, so that neither waits for
the other's reads, and a row that `append` returned survives a power cut (``synchronous=FULL``).
Only vision sets a damaged file aside (`set_aside`); the reader notices that the file is another and
reopens it. Each row says the digest of the one before it: that chain is the unit's ledger.
"""

from edge_agent.outbox.asides import set_aside, set_aside_before, taken_over
from edge_agent.outbox.chain import Entry
from edge_agent.outbox.database import Stage
from edge_agent.outbox.ledger import Checkpoint, Ledger, read_ledger
from edge_agent.outbox.reader import Key, OutboxReader, Row
from edge_agent.outbox.salvage import Wreck
from edge_agent.outbox.writer import Correction, Outbox

__all__ = [
    "Checkpoint",
    "Correction",
    "Entry",
    "Key",
    "Ledger",
    "Outbox",
    "OutboxReader",
    "Row",
    "Stage",
    "Wreck",
    "read_ledger",
    "set_aside",
    "set_aside_before",
    "taken_over",
]
