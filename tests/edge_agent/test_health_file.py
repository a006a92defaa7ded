"""Health files: written whole, read with doubt, joined to what one unit has to say."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from outbox_world import BOOT, UNIT

from edge_agent import health
from edge_agent.errors import StorageError
from edge_agent.records import MAX_PAYLOAD_BYTES, Health, Quality, Trouble, encode


def vision(at: float, **known: object) -> Health:
    values = {"uptime_s": 100.0, "boot": BOOT, "analysed": 500, "fps": 4.9, "merged": 0, **known}
    return Health(UNIT, at, clock=Quality.UNSYNCED, **values)  # type: ignore[arg-type]  # its fields


def uplink(at: float, **known: object) -> Health:
    values = {"uptime_s": 40.0, "waiting": 7, **known}
    return Health(UNIT, at, clock=Quality.SYNCED, **values)  # type: ignore[arg-type]  # its fields


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    told = vision(1000.0, troubles=(Trouble.DISK_FULL,))
    health.write(tmp_path / "vision.health.json", told)
    health.write(tmp_path / "uplink.health.json", uplink(1001.0))
    assert health.read_all(tmp_path) == [uplink(1001.0), told]
    assert sorted(os.listdir(tmp_path)) == ["uplink.health.json", "vision.health.json"]


def test_the_services_of_a_unit_are_told_as_one() -> None:
    stalled = vision(1000.0, troubles=(Trouble.CAMERA_STALLED,))
    whole = health.joined([uplink(1001.0, troubles=(Trouble.RECEIPTS_LATE,)), stalled], UNIT, 1002)
    assert whole is not None
    assert (whole.at, whole.uptime_s, whole.clock) == (1001.0, 40.0, Quality.SYNCED)
    assert (whole.boot, whole.fps, whole.waiting) == (BOOT, 4.9, 7)
    assert whole.troubles == (Trouble.CAMERA_STALLED, Trouble.RECEIPTS_LATE)


def test_a_service_that_fell_silent_is_unknown_not_well() -> None:
    whole = health.joined([vision(1000.0), uplink(2000.0)], UNIT, 2001.0)
    assert whole == uplink(2000.0)
    assert health.joined([vision(1000.0)], UNIT, 2001.0) is None
    assert health.joined([vision(9000.0)], UNIT, 2001.0) is None  # before the clock went back


def test_another_units_file_is_not_ours() -> None:
    other = Health("another", 1000.0, 1.0, Quality.SYNCED)
    assert health.joined([other], UNIT, 1000.0) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"[" * 60_000,
        b'{"v":1}',
        b'{"v":2,"unit":"a","at":1,"uptime_s":1,"clock":"synced"}',
        b'{"v":1,"unit":"a","at":"now","uptime_s":1,"clock":"synced"}',
        b'{"v":1,"unit":"a","at":NaN,"uptime_s":1,"clock":"synced"}',
        b'{"v":1,"unit":"a","at":1,"uptime_s":1,"clock":"synced","fps":1e999}',
        b'{"v":1,"unit":"a","at":1,"uptime_s":1,"clock":"synced","boot":"the bold man"}',
        b'{"v":1,"unit":"a","at":1,"uptime_s":1,"clock":"synced","troubles":["free text"]}',
        b'{"v":1,"unit":"a","at":1,"uptime_s":1,"clock":"synced","seen":"a man"}',
        encode(vision(1.0))[:-5],
        encode(vision(1.0)) + b" " * MAX_PAYLOAD_BYTES,
    ],
)
def test_garbage_beside_it_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vision.health.json").write_bytes(content)
    health.write(tmp_path / "uplink.health.json", uplink(1.0))
    assert health.read_all(tmp_path) == [uplink(1.0)]


def test_a_folder_that_is_not_there_has_nothing_to_say(tmp_path: Path) -> None:
    assert health.read_all(tmp_path / "nowhere") == []
    with pytest.raises(StorageError, match="cannot be written"):
        health.write(tmp_path / "nowhere" / "vision.health.json", vision(1.0))


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "vision.health.json"
    told = [vision(float(at), analysed=10**at) for at in range(1, 13)]
    health.write(path, told[0])
    done = threading.Event()

    def write() -> None:
        for _ in range(60):
            for each in told:
                health.write(path, each)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while not done.is_set():
            (seen,) = health.read_all(tmp_path)
            assert seen in told
    finally:
        writer.join()
