"""Runs a module with an SQLite that never syncs: `python -m tests.prove.careless edge_agent …`.

What a proof of durability must find to be lost.
"""

from __future__ import annotations

import runpy
import sqlite3
import sys
from functools import partial
from typing import Any


class Careless(sqlite3.Connection):
    """A connection that turns every wish to sync into its opposite."""

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        """As asked, but for how it syncs."""
        wish = sql.upper().replace(" ", "")
        return super().execute(
            "PRAGMA synchronous=OFF" if wish.startswith("PRAGMASYNCHRONOUS=") else sql, *more
        )


if __name__ == "__main__":
    sqlite3.connect = partial(sqlite3.connect, factory=Careless)  # type: ignore[assignment]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
