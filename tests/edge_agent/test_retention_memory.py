"""What keeps memory from storage: no cores, no plain swap, temporary files in RAM."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.records import Trouble
from edge_agent.retention.memory import leaks, plain_swap
from edge_agent.retention.mounts import Mount, in_ram, read_mounts, writable_folders

TREE = Path(__file__).parents[2]
HEADER = "Filename\tType\tSize\tUsed\tPriority\n"


def board(tmp_path, swaps="", group="0::/\n"):
    """A root with /proc and /sys as a board has them."""
    for folder in ("proc/self", "sys/class/block", "sys/fs/cgroup", "dev"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/swaps").write_text(HEADER + swaps)
    (tmp_path / "proc/self/cgroup").write_text(group)
    return tmp_path


def block(root, name, **files):
    for file, text in files.items():
        path = root / "sys/class/block" / name / file.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_no_swap_is_no_trouble(tmp_path):
    assert not plain_swap(board(tmp_path))


@pytest.mark.parametrize("area", ["/var/swap file 102396 0 -2", "/dev/mmcblk0p3 partition 9 0 -2"])
def test_swap_on_a_card_is_plain(tmp_path, area):
    assert plain_swap(board(tmp_path, area + "\n"))


def test_swap_in_compressed_ram_is_ram_unless_it_is_written_back(tmp_path):
    root = board(tmp_path, "/dev/zram0 partition 9 0 100\n")
    block(root, "zram0", backing_dev="none\n")
    assert not plain_swap(root)
    block(root, "zram0", backing_dev="/dev/mmcblk0p4\n")
    assert plain_swap(root)


def test_encrypted_swap_is_known_by_what_device_mapper_says(tmp_path):
    root = board(tmp_path, "/dev/mapper/swap partition 9 0 -2\n")
    (root / "dev/mapper").mkdir()
    (root / "dev/dm-0").touch()
    (root / "dev/mapper/swap").symlink_to("../dm-0")
    block(root, "dm-0", dm__uuid="LVM-x\n")
    assert plain_swap(root)
    block(root, "dm-0", dm__uuid="CRYPT-PLAIN-swap\n")
    assert not plain_swap(root)


def test_one_plain_area_beside_a_good_one_is_enough(tmp_path):
    root = board(tmp_path, "/dev/zram0 partition 9 0 100\n/var/swap file 9 0 -2\n")
    block(root, "zram0", backing_dev="none\n")
    assert plain_swap(root)


@pytest.mark.parametrize(("limit", "plain"), [("0\n", False), ("max\n", True)])
def test_a_service_that_may_not_be_swapped_out_is_safe_from_swap(tmp_path, limit, plain):
    root = board(tmp_path, "/var/swap file 9 0 -2\n", "0::/system.slice/vision.service\n")
    folder = root / "sys/fs/cgroup/system.slice/vision.service"
    folder.mkdir(parents=True)
    (folder / "memory.swap.max").write_text(limit)
    assert plain_swap(root) is plain


TABLE = """\
22 1 179:2 / / ro,noatime shared:1 - ext4 /dev/root rw
25 22 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=1k
26 25 0:23 / /dev/shm rw,nosuid shared:3 - tmpfs tmpfs rw
27 22 179:2 /var/lib/shelflight /var/lib/shelflight rw,noatime shared:1 - ext4 /dev/root rw
28 22 0:24 / /run/shelf\\040light rw - tmpfs tmpfs rw
29 22 179:1 / /boot rw - vfat /dev/mmcblk0p1 ro
30 22 0:25 / /proc rw - proc proc rw
"""


def table(tmp_path, text=TABLE):
    path = tmp_path / "mountinfo"
    path.write_text(text)
    return read_mounts(path)


def test_a_hardened_unit_may_write_where_something_is_mounted_writable(tmp_path):
    own = [Path("/var/lib/shelflight")]
    assert writable_folders(own, table(tmp_path)) == (
        Path("/var/lib/shelflight"),
        Path("/dev/shm"),
        Path("/run/shelf light"),
    )


def test_on_a_desk_only_the_services_own_folders_count(tmp_path):
    mounts = table(tmp_path, TABLE.replace(" / / ro,", " / / rw,"))
    assert writable_folders([tmp_path, tmp_path], mounts) == (tmp_path.resolve(),)


def test_the_deepest_mount_and_of_two_on_one_point_the_later_decides(tmp_path):
    mounts = table(tmp_path)
    assert in_ram(Path("/run/shelf light/tmp"), mounts)
    assert not in_ram(Path("/var/lib/shelflight/tmp"), mounts)
    assert not in_ram(Path("/run"), mounts)
    over = (*mounts, Mount(Path("/dev/shm"), "ext4", True))
    assert not in_ram(Path("/dev/shm"), over)
    assert not in_ram(Path("/tmp"), ())


def test_a_table_that_cannot_be_read_is_no_mounts(tmp_path):
    assert read_mounts(tmp_path / "nothing") == ()


def sealed(code, run, **environ):
    """What a process of its own says after it was sealed; this one stays as it is."""
    given = {key: value for key, value in os.environ.items() if key != "TMPDIR"}
    script = (
        "import os, pathlib, resource;"
        "from edge_agent.retention import memory, seal;"
        f"run = pathlib.Path({str(run)!r}); before = memory.dumps(); seal(run); {code}"
    )
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, timeout=60,
        env={**given, **environ, "PYTHONPATH": str(TREE)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_sealed_process_gives_no_core_and_neither_do_its_children(tmp_path):
    code = (
        "print(before, memory.dumps(), resource.getrlimit(resource.RLIMIT_CORE));"
        "os.system('ulimit -Hc')"
    )
    assert sealed(code, tmp_path).splitlines() == ["True False (1, 1)", "0"]


def test_temporary_files_are_put_in_ram_and_a_folder_in_ram_is_kept(tmp_path):
    mounts = read_mounts()
    ram = Path("/dev/shm")
    if not in_ram(ram, mounts) or in_ram(tmp_path, mounts):
        pytest.skip("needs a card at /tmp and RAM at /dev/shm")
    show = "print(os.environ['TMPDIR'])"
    assert sealed(show, tmp_path, TMPDIR=str(tmp_path)) == str(ram)
    assert sealed(show, ram, TMPDIR=str(tmp_path)) == str(ram)
    own = ram / f"shelflight-test-{os.getpid()}"
    own.mkdir()
    try:
        assert sealed(show, tmp_path, TMPDIR=str(own)) == str(own)
    finally:
        own.rmdir()


def test_each_way_out_of_memory_is_told_by_a_name_of_its_own(tmp_path, monkeypatch):
    root = board(tmp_path, "/var/swap file 9 0 -2\n")
    monkeypatch.setattr("edge_agent.retention.memory.dumps", lambda: True)
    disk, ram = (Mount(Path("/"), kind, True) for kind in ("ext4", "tmpfs"))
    told = leaks(Path("/tmp"), (disk,), root)
    assert told == {Trouble.CORE_DUMPS_ON, Trouble.SWAP_PLAIN, Trouble.TEMP_ON_DISK}
    monkeypatch.setattr("edge_agent.retention.memory.dumps", lambda: False)
    (root / "proc/swaps").write_text(HEADER)
    assert leaks(Path("/tmp"), (ram,), root) == frozenset()
