"""What a power cut leaves of writes, syncs and names."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.prove.disk import SECTOR, Disk, Fate, Note, Op

FOLDER = Path("/unit")
MADE = (Note(Op.FOLDER, inode=1, names=("/unit",)), Note(Op.CREATE, inode=2, names=("/unit/a",)))
NAMED = (Note(Op.SYNC_BEGINS, inode=1), Note(Op.SYNC_ENDS, inode=1))


def write(offset: int, data: bytes) -> Note:
    return Note(Op.WRITE, inode=2, offset=offset, data=data)


def sync(thread: int = 0) -> tuple[Note, Note]:
    return Note(Op.SYNC_BEGINS, thread, 2), Note(Op.SYNC_ENDS, thread, 2)


def left(*notes: Note, fate: Fate = Fate.DROPPED, seed: int = 0) -> dict[str, bytes]:
    disk = Disk()
    for note in notes:
        disk.take(note)
    return disk.files(FOLDER, fate, Random(seed))


def test_a_write_lasts_from_its_sync_on():
    notes = (*MADE, *NAMED, write(0, b"old"))
    assert left(*notes) == {"a": b""}
    assert left(*notes, *sync()) == {"a": b"old"}
    assert left(*notes, *sync(), write(0, b"new")) == {"a": b"old"}
    assert left(*notes, *sync(), write(0, b"new"), fate=Fate.KEPT) == {"a": b"new"}


def test_what_is_written_while_a_sync_goes_on_is_not_synced_by_it():
    begins, ends = sync(thread=7)
    assert left(*MADE, *NAMED, write(0, b"x"), begins, write(1, b"y"), ends) == {"a": b"x"}


def test_a_sync_that_did_not_return_promises_nothing():
    assert left(*MADE, *NAMED, write(0, b"x"), sync()[0]) == {"a": b""}


def test_a_new_file_has_a_name_from_its_folders_sync_on():
    assert left(*MADE, write(0, b"x"), *sync()) == {}
    assert left(*MADE, write(0, b"x"), *sync(), *NAMED) == {"a": b"x"}


def test_a_rename_and_an_unlink_last_from_the_folders_sync_on():
    renamed = (*MADE, *NAMED, Note(Op.RENAME, names=("/unit/a", "/unit/b")))
    assert set(left(*renamed)) == {"a"}
    assert set(left(*renamed, *NAMED)) == {"b"}
    gone = (*renamed, *NAMED, Note(Op.UNLINK, names=("/unit/b",)))
    assert set(left(*gone)) == {"b"}
    assert left(*gone, *NAMED) == {}


def test_a_file_made_anew_under_the_same_number_is_another():
    again = (Note(Op.UNLINK, names=("/unit/a",)), MADE[1])
    assert left(*MADE, write(0, b"old"), *sync(), *again, *NAMED) == {"a": b""}
    both = (*MADE, *NAMED, write(0, b"one"), *sync())
    assert left(*both, MADE[1]) == {"a": b"one"}, "two processes that open it say both they made it"


def test_scattered_writes_are_kept_by_sectors():
    old, new = b"o" * 4 * SECTOR, b"n" * 4 * SECTOR
    notes = (*MADE, *NAMED, write(0, old), *sync(), write(0, new))
    seen = {left(*notes, fate=Fate.SCATTERED, seed=seed)["a"] for seed in range(100)}
    sectors = {content[i : i + SECTOR] for content in seen for i in range(0, len(old), SECTOR)}
    assert sectors == {old[:SECTOR], new[:SECTOR]}
    assert len(seen) == 2**4


def test_a_sector_beyond_the_end_leaves_zeros_before_it():
    notes = (*MADE, *NAMED, write(0, b"x" * 2 * SECTOR))
    seen = {left(*notes, fate=Fate.SCATTERED, seed=seed)["a"] for seed in range(50)}
    assert bytes(SECTOR) + b"x" * SECTOR in seen


def test_a_truncation_waits_for_its_sync_too():
    notes = (*MADE, *NAMED, write(0, b"abc"), *sync(), Note(Op.TRUNCATE, inode=2, offset=1))
    assert left(*notes) == {"a": b"abc"}
    assert left(*notes, *sync()) == {"a": b"a"}
