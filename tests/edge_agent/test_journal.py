"""Closed windows become durable rows, whatever happens to the disk."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.journal import Journal, RecordsFile, Terms
from edge_agent.outbox import OutboxReader
from edge_agent.records import Definitions, Quality, Trouble, Window, decode_counts

RULES = Definitions(5, 15, 2)


def batch(index, pass_bys=1):
    return (Window("table", index * 60.0, 60.0, 60.0, Quality.SYNCED, RULES, pass_bys=pass_bys),)


def journal(folder, max_rows=1000, records=None):
    terms = Terms("unit-1", max_rows)
    return Journal(folder / "outbox.db", terms, lambda: 1_700_000_000.0, records)


def payloads(folder):
    with closing(OutboxReader(folder / "outbox.db")) as reader:
        return [row.payload for row in reader.rows_after(None, 9999)]


def rows(folder):
    return [decode_counts(payload) for payload in payloads(folder)]


def visits(counts):
    return sum(window.pass_bys for row in counts for window in row.windows)


def test_each_batch_is_a_row_numbered_from_one(tmp_path):
    with journal(tmp_path) as writing:
        for index in range(3):
            writing.write(batch(index))
        found = rows(tmp_path)
    assert [row.seq for row in found] == [1, 2, 3]
    assert {row.boot for row in found} == {writing.boot}


def test_records_hold_the_payloads_exactly_as_they_lie_in_the_outbox(tmp_path):
    path = tmp_path / "records.jsonl"
    with journal(tmp_path, max_rows=2, records=RecordsFile(path)) as writing:
        for index in range(5):
            writing.write(batch(index))
        found = payloads(tmp_path)
    assert len(found) == 2
    assert path.read_bytes() == b"".join(payload + b"\n" for payload in found)
    assert visits(rows(tmp_path)) == 5
    assert writing.merged == 3


def test_a_new_start_is_a_new_boot_from_one(tmp_path):
    for _ in range(2):
        with journal(tmp_path) as writing:
            writing.write(batch(0))
    first, second = rows(tmp_path)
    assert first.boot != second.boot
    assert (first.seq, second.seq) == (1, 1)


@pytest.mark.parametrize("garbage", [b"not a database at all" * 100, os.urandom(8192)])
def test_a_damaged_outbox_is_set_aside_and_counting_goes_on(tmp_path, garbage):
    (tmp_path / "outbox.db").write_bytes(garbage)
    with journal(tmp_path) as writing:
        writing.write(batch(0))
        assert writing.resets == 1
        assert Trouble.OUTBOX_RESET in writing.troubles
    assert visits(rows(tmp_path)) == 1
    kept = [path for path in tmp_path.iterdir() if path.read_bytes() == garbage]
    assert len(kept) == 1


def test_an_outbox_damaged_while_counting_is_set_aside_too(tmp_path):
    with journal(tmp_path) as writing:
        writing.write(batch(0))
        boot = writing.boot
        for part in tmp_path.iterdir():
            part.write_bytes(b"\x00" * part.stat().st_size)
        for index in range(1, 4):
            writing.write(batch(index))
        assert writing.boot != boot
        assert writing.resets == 1
    assert [row.seq for row in rows(tmp_path)] == [1, 2, 3]


FULL_DISK = textwrap.dedent("""
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from test_journal import batch, journal, rows, visits
    from edge_agent.records import Trouble
    folder = Path(sys.argv[1])
    filler = folder / "filler"
    with journal(folder) as writing:
        writing.write(batch(0))
        with filler.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass
        for index in range(1, 200):
            writing.write(batch(index))
        assert Trouble.DISK_FULL in writing.troubles, "the disk never was full"
        stuck = len(rows(folder))
        filler.unlink()
        writing.write(batch(200))
        assert not writing.troubles, writing.troubles
        found = rows(folder)
    assert [row.seq for row in found] == list(range(1, len(found) + 1))
    assert visits(found) == 201, visits(found)
    assert len(found) == stuck + 1
    print("all", visits(found), "counted in", len(found), "rows")
""")


def test_a_full_disk_holds_counts_until_there_is_room(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("run as root: a small disk is mounted")
    script = tmp_path / "script.py"
    script.write_text(FULL_DISK)
    disk = tmp_path / "disk"
    disk.mkdir()
    here = os.path.dirname(__file__)
    run = f"exec {sys.executable} {script} {disk} {here}"
    words = f"mount -t tmpfs -o size=4m none {disk} && {run}"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("all 201 counted")


def test_a_records_file_that_fills_up_does_not_stop_the_counting(tmp_path, caplog):
    full = Path("/dev/full")
    with journal(tmp_path, records=RecordsFile(full)) as writing:
        for index in range(3):
            writing.write(batch(index))
        assert visits(rows(tmp_path)) == 3
    assert "/dev/full: cannot be written any more" in caplog.text
