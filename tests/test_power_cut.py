"""What real writes leave behind when the power goes and nothing was closed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.prove.disk import Disk, Fate, read_journal
from tests.prove.take import build_shim

COMMITS = """
import os, sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA journal_mode=WAL")
database.execute("PRAGMA synchronous=" + sys.argv[2])
database.execute("CREATE TABLE rows (number)")
database.execute("INSERT INTO rows VALUES (7)")
os._exit(0)
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory, gcc):
    return build_shim(tmp_path_factory.mktemp("shim"))


def journalled(shim: Path, folder: Path, code: str, *words: str) -> Disk:
    """The disk after a program of its own that ended without closing anything."""
    watched = {
        "LD_PRELOAD": str(shim),
        "JOURNAL_FILE": str(folder.with_suffix(".journal")),
        "JOURNAL_ROOTS": str(folder),
    }
    folder.mkdir()
    subprocess.run(
        (sys.executable, "-c", code, *words), env={**os.environ, **watched}, check=True, timeout=60
    )
    disk = Disk()
    for note in read_journal(folder.with_suffix(".journal")):
        disk.take(note)
    return disk


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", True), ("OFF", False)])
def test_a_commit_survives_a_cut_only_where_sqlite_syncs(tmp_path, shim, synchronous, kept):
    folder = tmp_path / "unit"
    disk = journalled(shim, folder, COMMITS, str(folder / "outbox.db"), synchronous)
    cut = tmp_path / "cut"
    cut.mkdir()
    for name, content in disk.files(folder, Fate.DROPPED, Random(0)).items():
        (cut / name).write_bytes(content)
    database = sqlite3.connect(cut / "outbox.db")
    try:
        found = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        assert bool(found) == kept
        if kept:
            assert database.execute("SELECT number FROM rows").fetchall() == [(7,)]
    finally:
        database.close()


def test_the_journal_applied_whole_is_what_lies_there(tmp_path, shim):
    folder = tmp_path / "unit"
    disk = journalled(shim, folder, COMMITS, str(folder / "outbox.db"), "FULL")
    whole = disk.files(folder, Fate.KEPT, Random(0))
    assert set(whole) == {"outbox.db", "outbox.db-wal"}
    assert all((folder / name).read_bytes() == content for name, content in whole.items())


SESSIONS = """
import os, sys
from pathlib import Path
from edge_agent.transport import Sessions
sessions = Sessions(Path(sys.argv[1]), lambda: 1000.0)
used = [sessions.next() for _ in range(200)]
os._exit(0)
"""


def test_a_session_number_that_was_used_is_not_used_again_after_a_power_cut(tmp_path, shim):
    folder = tmp_path / "unit"
    disk = journalled(shim, folder, SESSIONS, str(folder / "uplink.session"))
    files = disk.files(folder, Fate.DROPPED, Random(0))
    assert int(files.get("uplink.session", b"0")) >= 1199
