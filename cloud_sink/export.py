"""The store's content as files: for spreadsheets, and to compare with what units wrote."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from cloud_sink.counts import WINDOW
from cloud_sink.csv_text import csv_chunks
from cloud_sink.errors import UsageError
from cloud_sink.tables import reading

_WINDOWS = " ".join(
    ["SELECT", ", ".join(WINDOW), "FROM windows ORDER BY tenant, store, unit, zone, start, id"]
)
# A unit's boots in the order in which they first came, rows in the order in which they were made.
_PAYLOADS = (
    "SELECT payload FROM boots JOIN messages USING (tenant, store, unit, boot)"
    " ORDER BY tenant, store, unit, boots.id, seq"
)


def export(path: Path, kind: str, out: Path | None) -> None:
    """Write everything that is stored; `serve` may go on meanwhile.

    Args:
        path: the database.
        kind: one of `FORMATS`.
        out: a file, put in place when it is whole; None = standard output.

    Raises:
        UsageError: no such database, or ``out`` cannot be written.
        StoreError: the database cannot be read.
    """
    with reading(path) as db:
        chunks = FORMATS[kind](db)
        if out is None:
            _write(sys.stdout.buffer, chunks)
        else:
            _write_file(out, chunks)


def _csv(db: sqlite3.Connection) -> Iterator[bytes]:
    for text in csv_chunks(WINDOW, db.execute(_WINDOWS)):
        yield text.encode()


def _jsonl(db: sqlite3.Connection) -> Iterator[bytes]:
    for (payload,) in db.execute(_PAYLOADS):
        # A raw line break can only stand between JSON's tokens (RFC 8259, section 7).
        yield bytes(payload).replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


FORMATS: Mapping[str, Callable[[sqlite3.Connection], Iterator[bytes]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
}


def _write(stream: BinaryIO, chunks: Iterator[bytes]) -> None:
    for chunk in chunks:
        stream.write(chunk)
    stream.flush()


def _write_file(out: Path, chunks: Iterator[bytes]) -> None:
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as stream:
            _write(stream, chunks)
        os.replace(part, out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UsageError(f"--out {out}: {error}") from None
