"""Rows as CSV (RFC 4180); what was never measured is an empty cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

_CHUNK = 64 * 1024


def csv_chunks(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A header and the rows, in pieces of some 64 KiB, so that a year needs no more memory."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(row)
        if out.tell() > _CHUNK:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()
