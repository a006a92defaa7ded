"""Counts on disk until the sink has them: one SQLite file, one commit for each window.

Vision writes (`Outbox`), the uplink reads and purges (`OutboxReader`), each from a process of its
own. The file is in WAL mode, so that neither waits for the other's reads, and a row that `append`
returned survives a power cut (``synchronous=FULL``). Only vision sets a damaged file aside
(`set_aside`); the reader notices that the file is another and reopens it.
"""

from edge_agent.outbox.reader import Key, OutboxReader, Row
from edge_agent.outbox.writer import Outbox, set_aside

__all__ = ["Key", "Outbox", "OutboxReader", "Row", "set_aside"]
