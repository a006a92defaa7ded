"""The outbox keeps every count, in order, through kills, full disks and damaged files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from outbox_world import BOOT, NEXT_BOOT, ROOT, RULES, UNIT, child, window

from edge_agent.errors import RecordError, StorageDamaged, StorageError
from edge_agent.outbox import Key, Outbox, OutboxReader, read_ledger, set_aside
from edge_agent.records import MAX_PAYLOAD_BYTES, Quality, Window, decode_counts, encode


def opened(path: Path, boot: str = BOOT, max_rows: int = 1000, **terms: int) -> Outbox:
    return Outbox.open(path, UNIT, boot, max_rows, **terms)


def keys(reader: OutboxReader) -> list[tuple[str, int]]:
    return [(row.key.boot, row.key.seq) for row in reader.rows_after(None, 10_000)]


class Desk:
    """One outbox file; whatever was opened on it is closed at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: list[Outbox | OutboxReader] = []

    def opened(self, boot: str = BOOT, max_rows: int = 1000, **terms: int) -> Outbox:
        outbox = opened(self.path, boot, max_rows, **terms)
        self._open.append(outbox)
        return outbox

    def reader(self) -> OutboxReader:
        reader = OutboxReader(self.path)
        self._open.append(reader)
        return reader

    def close(self) -> None:
        for each in self._open:
            each.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "outbox.db")
    yield desk
    desk.close()


def test_a_row_is_stored_exactly_as_it_is_returned(desk: Desk) -> None:
    outbox = desk.opened()
    first = outbox.append((window(0), window(0, "shelf", 3, reaches=2)))
    second = outbox.append((window(1),))
    assert (first.unit, first.boot, first.seq, second.seq) == (UNIT, BOOT, 1, 2)
    rows = desk.reader().rows_after(None, 10)
    assert [row.payload for row in rows] == [encode(first), encode(second)]
    assert [decode_counts(row.payload) for row in rows] == [first, second]


def test_every_boot_counts_from_one_and_boots_keep_their_order(desk: Desk) -> None:
    for boot in ("ff00000000000000", "0000000000000000"):
        outbox = desk.opened(boot)
        outbox.append((window(0),))
        outbox.append((window(1),))
        outbox.close()
    assert keys(desk.reader()) == [
        ("ff00000000000000", 1),
        ("ff00000000000000", 2),
        ("0000000000000000", 1),
        ("0000000000000000", 2),
    ]


def test_a_boot_opened_again_goes_on_even_when_its_rows_are_purged(desk: Desk) -> None:
    outbox = desk.opened()
    outbox.append((window(0),))
    outbox.append((window(1),))
    reader = desk.reader()
    reader.forget([row.key for row in reader.rows_after(None, 10)])
    outbox.close()
    again = desk.opened()
    assert again.append((window(2),)).seq == 3


def test_positions_never_come_back_so_a_reader_misses_nothing(desk: Desk) -> None:
    outbox, reader = desk.opened(), desk.reader()
    outbox.append((window(0),))
    (seen,) = reader.rows_after(None, 10)
    reader.forget([seen.key])
    assert reader.count() == 0
    outbox.append((window(1),))
    outbox.close()
    desk.opened(NEXT_BOOT).append((window(2),))
    assert [row.key.seq for row in reader.rows_after(seen.key, 10)] == [2, 1]
    assert [row.key.seq for row in reader.rows_after(seen.key, 1)] == [2]


def test_a_full_outbox_merges_its_oldest_rows_and_says_so(desk: Desk) -> None:
    outbox = desk.opened(max_rows=2)
    outbox.append((window(0, pass_bys=1),))
    outbox.append((window(1, pass_bys=2), window(1, "shelf")))
    newest = outbox.append((window(2, pass_bys=4), window(2, "new")))
    assert newest.seq == 2, "numbered anew, without a gap"
    assert outbox.merged == 2
    rows = desk.reader().rows_after(None, 10)
    merged = decode_counts(rows[0].payload)
    table, shelf = merged.windows
    assert (table.pass_bys, table.length_s, table.merged) == (3, 120.0, 2)
    assert (shelf.zone, shelf.merged) == ("shelf", 1)
    assert [decode_counts(row.payload).seq for row in rows] == [1, 2]
    assert rows[1].payload == encode(newest)


def test_rows_that_may_have_been_published_are_never_merged(desk: Desk) -> None:
    outbox = desk.opened(max_rows=4, published=3)
    before = [outbox.append((window(minute),)) for minute in range(3)]
    for minute in range(3, 12):
        outbox.append((window(minute),))
    rows = desk.reader().rows_after(None, 10)
    assert [row.payload for row in rows[:3]] == [encode(counts) for counts in before]
    assert len(rows) == 4
    (last,) = decode_counts(rows[3].payload).windows
    assert (last.pass_bys, last.merged) == (9, 9)


def test_the_longer_ago_the_coarser(desk: Desk) -> None:
    outbox = desk.opened(max_rows=8)
    for minute in range(24):
        outbox.append((window(minute),))
    rows = desk.reader().rows_after(None, 100)
    merged = [decode_counts(row.payload).windows[0].merged for row in rows]
    assert merged == sorted(merged, reverse=True)
    assert sum(merged) == 24
    assert merged[-1] == 1


def test_merged_rows_are_still_a_chain(desk: Desk) -> None:
    outbox = desk.opened(max_rows=4)
    for minute in range(12):
        outbox.append((window(minute),))
    ledger = read_ledger(desk.path)
    assert len(ledger.entries) <= 4
    assert ledger.broken() == []


def test_room_that_the_uplink_made_is_used_again(desk: Desk) -> None:
    outbox, reader = desk.opened(max_rows=2), desk.reader()
    outbox.append((window(0),))
    outbox.append((window(1),))
    assert outbox.append((window(2),)).seq == 2, "the first two became one"
    reader.forget([reader.rows_after(None, 1)[0].key])
    assert outbox.append((window(3),)).seq == 3
    assert keys(reader) == [(BOOT, 2), (BOOT, 3)]


def test_a_row_that_left_in_the_middle_counts_as_room(desk: Desk) -> None:
    outbox, reader = desk.opened(max_rows=3), desk.reader()
    for minute in range(3):
        outbox.append((window(minute),))
    reader.forget([reader.rows_after(None, 3)[1].key])
    assert outbox.append((window(3),)).seq == 4
    assert outbox.merged == 0


def test_rows_of_two_boots_never_become_one(desk: Desk) -> None:
    last = desk.opened(max_rows=1)
    before = last.append((window(0),))
    last.close()
    outbox = desk.opened(NEXT_BOOT, max_rows=1)
    assert outbox.append((window(1),)).seq == 1
    assert outbox.append((window(2),)).seq == 1
    rows = desk.reader().rows_after(None, 10)
    assert rows[0].payload == encode(before)
    assert len(rows) == 2


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(window(1, clock=Quality.UNSYNCED), id="another clock"),
        pytest.param(window(1, definitions=replace(RULES, stop_s=8)), id="other rules"),
        pytest.param(window(1, "shelf"), id="another zone"),
    ],
)
def test_what_cannot_be_told_as_one_stands_beside(desk: Desk, other: Window) -> None:
    outbox = desk.opened(max_rows=1)
    outbox.append((window(0),))
    assert outbox.append((other,)).windows == (window(0), other)


def test_a_clock_that_goes_back_while_the_outbox_is_full_loses_nothing(desk: Desk) -> None:
    outbox = desk.opened(max_rows=1)
    outbox.append((window(9),))
    (merged,) = outbox.append((window(9), window(3))).windows
    assert (merged.pass_bys, merged.observed_s, merged.merged) == (3, 180.0, 3)


def test_a_merge_that_would_not_fit_one_message_becomes_a_row(desk: Desk) -> None:
    many = tuple(window(0, f"zone-{i}") for i in range(200))
    outbox = desk.opened(max_rows=1)
    assert len(encode(outbox.append(many))) > MAX_PAYLOAD_BYTES / 2
    added = outbox.append(tuple(replace(each, zone=f"{each.zone}x") for each in many))
    assert added.seq == 2
    assert outbox.merged == 0


def test_more_zones_than_one_message_holds_are_refused_and_leave_no_gap(desk: Desk) -> None:
    outbox = desk.opened()
    with pytest.raises(RecordError, match="so many zones"):
        outbox.append(tuple(window(0, f"zone-{i}") for i in range(400)))
    assert outbox.append((window(0),)).seq == 1


def test_the_group_may_write_for_the_uplink_is_another_user(desk: Desk) -> None:
    before = os.umask(0o027)
    try:
        outbox = desk.opened()
        outbox.append((window(0),))
        modes = {path.name: path.stat().st_mode & 0o777 for path in desk.path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"outbox.db": 0o660, "outbox.db-wal": 0o660, "outbox.db-shm": 0o660}


def test_garbage_in_the_file_is_told_as_damage(desk: Desk) -> None:
    desk.path.write_bytes(os.urandom(20_000))
    with pytest.raises(StorageDamaged, match=r"outbox\.db"):
        desk.opened()
    with pytest.raises(StorageDamaged):
        desk.reader().rows_after(None, 1)


def filled(desk: Desk) -> None:
    outbox = desk.opened()
    for minute in range(200):
        outbox.append((window(minute),))
    outbox.close()


def test_a_file_cut_off_in_the_middle_of_a_page_is_told_as_damage(desk: Desk) -> None:
    filled(desk)
    with desk.path.open("r+b") as file:
        file.truncate(desk.path.stat().st_size // 2 + 1000)
    with pytest.raises(StorageDamaged):
        desk.opened()


def test_bytes_turned_over_in_the_middle_are_told_as_damage(desk: Desk) -> None:
    filled(desk)
    with desk.path.open("r+b") as file:
        file.seek(8 * 4096)
        file.write(b"\xff" * 4096)
    with pytest.raises(StorageDamaged):
        desk.opened(NEXT_BOOT)


def test_damage_that_comes_while_counting_is_told_at_the_next_append(desk: Desk) -> None:
    outbox = desk.opened(max_rows=1)
    outbox.append((window(0),))
    with sqlite3.connect(desk.path) as vandal:
        vandal.execute("UPDATE rows SET payload = x'7b7d'")
    vandal.close()
    with pytest.raises(StorageDamaged, match="row 1 of boot"):
        outbox.append((window(1),))


def test_pages_lost_while_counting_are_told_as_damage(desk: Desk) -> None:
    filled(desk)
    outbox = desk.opened()
    size = desk.path.stat().st_size
    with desk.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))

    def count_on() -> None:
        for minute in range(1000):
            outbox.append((window(minute),))

    with pytest.raises(StorageDamaged):
        count_on()


def test_another_programs_database_is_no_outbox(desk: Desk) -> None:
    with sqlite3.connect(desk.path) as other:
        other.execute("CREATE TABLE photos (id INTEGER)")
    other.close()
    with pytest.raises(StorageDamaged, match="no outbox"):
        desk.opened()


def test_a_file_deleted_or_replaced_under_it_is_told_as_damage(desk: Desk, tmp_path: Path) -> None:
    outbox = desk.opened()
    desk.path.unlink()
    with pytest.raises(StorageDamaged, match="removed or replaced"):
        outbox.append((window(0),))
    outbox.close()
    fresh = desk.opened()
    shutil.copy(desk.path, tmp_path / "copy")
    (tmp_path / "copy").rename(desk.path)
    with pytest.raises(StorageDamaged, match="removed or replaced"):
        fresh.append((window(0),))


def test_a_deleted_log_is_told_as_damage(desk: Desk) -> None:
    outbox = desk.opened()
    Path(f"{desk.path}-wal").unlink()
    with pytest.raises(StorageDamaged):
        outbox.append((window(0),))


def spoil(desk: Desk, *statements: str) -> None:
    """What a damaged card did to a file that SQLite itself finds sound."""
    with closing(sqlite3.connect(desk.path, isolation_level=None)) as vandal:
        for statement in statements:
            vandal.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("DROP TABLE rows", id="no rows"),
        pytest.param("DROP TABLE writer", id="no writer"),
        pytest.param("DELETE FROM writer", id="nobody writes"),
        pytest.param("UPDATE rows SET payload = substr(payload, 1, 40)", id="half a row"),
        pytest.param("UPDATE rows SET payload = 'text'", id="another row"),
    ],
)
def test_what_sqlite_finds_sound_and_is_no_outbox_is_told_on_opening(
    desk: Desk, statement: str
) -> None:
    outbox = desk.opened()
    outbox.append((window(0),))
    outbox.close()
    spoil(desk, statement)
    with pytest.raises(StorageDamaged):
        desk.opened()


@pytest.mark.parametrize("length", [0, 4096 + 100])
def test_a_file_that_is_no_whole_pages_is_damaged(desk: Desk, length: int) -> None:
    outbox = desk.opened()
    outbox.append((window(0),))
    outbox.close()
    with desk.path.open("r+b") as file:
        file.truncate(length)
    with pytest.raises(StorageDamaged, match=f"{length} bytes are no whole pages"):
        desk.opened()


def test_a_schema_that_is_no_text_is_damage(desk: Desk) -> None:
    outbox = desk.opened()
    outbox.append((window(0),))
    outbox.close()
    whole = bytearray(desk.path.read_bytes())
    whole[whole.index(b"TABLE writer") + len(b"TABLE ")] = 0xF7
    desk.path.write_bytes(whole)
    with pytest.raises(StorageDamaged):
        desk.opened()


def test_a_file_that_is_cut_off_in_use_is_told_at_the_next_append(desk: Desk) -> None:
    outbox = desk.opened()
    outbox.append((window(0),))
    spoil(desk, "PRAGMA wal_checkpoint(TRUNCATE)")
    outbox.append((window(1),))
    with desk.path.open("r+b") as file:
        file.truncate(4096)
    with pytest.raises(StorageDamaged, match="cut off"):
        outbox.append((window(2),))


def test_a_folder_in_the_way_is_an_error_but_no_damage(desk: Desk) -> None:
    desk.path.mkdir()
    with pytest.raises(StorageError) as caught:
        desk.opened()
    assert type(caught.value) is StorageError


def test_a_damaged_file_is_set_aside_whole_and_counting_goes_on(desk: Desk) -> None:
    filled(desk)
    reader = desk.reader()
    assert reader.count() == 200
    garbage = os.urandom(9000)
    desk.path.write_bytes(garbage)
    Path(f"{desk.path}-wal").write_bytes(b"log")
    aside = set_aside(desk.path, 1_700_000_000)
    assert aside.read_bytes() == garbage
    assert Path(f"{aside}-wal").read_bytes() == b"log"
    outbox = desk.opened(NEXT_BOOT)
    assert outbox.append((window(0),)).seq == 1
    assert keys(reader) == [(NEXT_BOOT, 1)]
    assert reader.generation == 2


def test_setting_aside_twice_in_a_second_overwrites_nothing(desk: Desk) -> None:
    asides = []
    for content in (b"one", b"two", b"three"):
        desk.path.write_bytes(content)
        asides.append(set_aside(desk.path, 7))
    assert [aside.read_bytes() for aside in asides] == [b"one", b"two", b"three"]


def test_the_reader_waits_for_a_file_that_is_not_there_yet(desk: Desk) -> None:
    reader = desk.reader()
    assert reader.rows_after(None, 10) == []
    assert reader.count() == 0
    reader.forget([Key(1, BOOT, 1)])
    assert not desk.path.exists()
    desk.opened().append((window(0),))
    assert keys(reader) == [(BOOT, 1)]
    assert reader.generation == 1


def test_a_key_of_another_file_purges_nothing(desk: Desk) -> None:
    desk.opened().append((window(0),))
    reader = desk.reader()
    reader.forget([Key(1, NEXT_BOOT, 1), Key(1, BOOT, 2), Key(9, BOOT, 1)])
    assert reader.count() == 1


def test_an_outbox_without_room_for_a_row_is_a_mistake(desk: Desk) -> None:
    with pytest.raises(ValueError, match="max_rows"):
        desk.opened(max_rows=0)


WRITER = f"""
import sys
from pathlib import Path
from outbox_world import window
from edge_agent.outbox import Outbox
outbox = Outbox.open(Path(sys.argv[1]), "{UNIT}", sys.argv[2], 100_000)
minute = 0
while True:
    print(outbox.append((window(minute, pass_bys=minute % 7),)).seq, flush=True)
    minute += 1
"""


def test_a_writer_killed_at_any_moment_loses_nothing_it_was_told_is_safe(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{Path(__file__).parent}")
    for boot, rows in ((BOOT, 40), (NEXT_BOOT, 150)):
        with child("-c", WRITER, str(desk.path), boot) as writer:
            assert writer.stdout is not None
            promised = [int(next(writer.stdout)) for _ in range(rows)]
            writer.kill()
            promised += [int(line) for line in writer.stdout]
        desk.opened("00000000000000cc").close()
        stored = [seq for of, seq in keys(desk.reader()) if of == boot]
        assert stored == list(range(1, len(stored) + 1))
        assert promised == stored[: len(promised)]
        assert len(stored) - len(promised) <= 1


FULL_DISK = f"""
import sys
from pathlib import Path
from outbox_world import window
from edge_agent.errors import StorageFull
from edge_agent.outbox import Outbox, OutboxReader
path = Path(sys.argv[1]) / "outbox.db"
ballast = path.with_name("ballast")
outbox = Outbox.open(path, "{UNIT}", "{BOOT}", 100_000)
for minute in range(20):
    outbox.append((window(minute),))
with ballast.open("wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
stored, failed = 20, 0
while failed < 3:
    try:
        outbox.append((window(stored),))
        stored += 1
    except StorageFull:
        failed += 1
try:
    Outbox.open(path.with_name("other.db"), "{UNIT}", "{BOOT}", 10)
    raise SystemExit("a new outbox fits on a full disk")
except StorageFull:
    pass
reader = OutboxReader(path)
assert reader.count() == stored
ballast.unlink()
assert outbox.append((window(stored),)).seq == stored + 1
assert [row.key.seq for row in reader.rows_after(None, 10_000)] == list(range(1, stored + 2))
print("went on after", stored)
"""


def test_a_full_disk_is_told_and_counting_goes_on_when_there_is_room(tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("apt-get install util-linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    private = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--map-root-user", "--mount"]
    run = subprocess.run(
        [*private, "sh", "-c", 'mount -t tmpfs -o size=512k tmpfs "$1" && "$2" -c "$3" "$1"',
         "sh", str(disk), sys.executable, FULL_DISK],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"},
    )  # fmt: skip
    if "mount:" in run.stderr or "unshare:" in run.stderr:
        pytest.skip(f"needs the right to mount in a namespace of its own: {run.stderr.strip()}")
    assert run.returncode == 0, run.stderr
    assert "went on after" in run.stdout


def test_a_window_costs_no_more_than_thirty_kilobytes_of_writing(desk: Desk) -> None:
    def written() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))

    outbox, reader = desk.opened(), desk.reader()
    minutes = 300
    before = written()
    for minute in range(minutes):
        outbox.append(tuple(window(minute, f"zone-{i}") for i in range(3)))
        if minute % 64 == 63:
            reader.forget([row.key for row in reader.rows_after(None, 64)])
    assert (written() - before) / minutes <= 30 * 1024
    assert Path(f"{desk.path}-wal").stat().st_size <= 1024 * 1024


class OutboxLife(RuleBasedStateMachine):
    """Vision and the uplink at work in any order, restarts included."""

    MAX_ROWS = 6

    def __init__(self) -> None:
        super().__init__()
        fast = "/dev/shm" if Path("/dev/shm").is_dir() else None  # flushes cost nothing there
        self.folder = tempfile.TemporaryDirectory(dir=fast)
        self.path = Path(self.folder.name) / "outbox.db"
        self.reader = OutboxReader(self.path)
        self.boots = 0
        self.minute = 0
        self.put_in = 0
        self.taken_out = 0
        self.newest: dict[str, int] = {}
        self.outbox = self.next_boot()

    def next_boot(self) -> Outbox:
        self.boots += 1
        self.boot = f"{self.boots:016x}"
        return opened(self.path, self.boot, self.MAX_ROWS, published=2)

    @rule(pass_bys=st.integers(0, 5), zone=st.sampled_from(["table", "shelf"]))
    def append(self, pass_bys: int, zone: str) -> None:
        counts = self.outbox.append((window(self.minute, zone, pass_bys),))
        self.minute += 1
        self.put_in += pass_bys
        self.newest[self.boot] = counts.seq

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        rows = self.reader.rows_after(None, 2)
        chosen = [row for row in rows if data.draw(st.booleans())]
        self.reader.forget([row.key for row in chosen])
        self.taken_out += sum(
            each.pass_bys for row in chosen for each in decode_counts(row.payload).windows
        )

    @rule()
    def restart_vision(self) -> None:
        self.outbox.close()
        self.outbox = self.next_boot()

    @precondition(lambda self: self.boot in self.newest)
    @rule()
    def reopen(self) -> None:
        self.outbox.close()
        self.outbox = opened(self.path, self.boot, self.MAX_ROWS, published=2)

    @rule()
    def restart_uplink(self) -> None:
        self.reader.close()

    @invariant()
    def nothing_is_lost(self) -> None:
        rows = self.reader.rows_after(None, 1000)
        inside = sum(each.pass_bys for row in rows for each in decode_counts(row.payload).windows)
        assert inside + self.taken_out == self.put_in

    @invariant()
    def seq_has_no_gaps(self) -> None:
        seqs: dict[str, list[int]] = {}
        for row in read_ledger(self.path).entries:
            seqs.setdefault(row.boot, []).append(row.seq)
        # Rows of an earlier boot may become fewer; those of this one are numbered up to the newest.
        if self.boot in self.newest:
            assert seqs[self.boot][-1] == self.newest[self.boot]
        for found in seqs.values():
            assert found == list(range(1, len(found) + 1))

    @invariant()
    def the_ledger_is_one_chain(self) -> None:
        assert read_ledger(self.path).broken() == []

    @invariant()
    def it_stays_bounded(self) -> None:
        assert self.reader.count() <= self.MAX_ROWS + self.boots

    def teardown(self) -> None:
        self.outbox.close()
        self.reader.close()
        self.folder.cleanup()


OutboxLife.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
test_any_life_of_an_outbox_conserves_the_sums = OutboxLife.TestCase
