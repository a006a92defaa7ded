"""The shipped systemd units: how exposed they are, whom they run as, what they may do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.prove.confined import FIRMWARE, account, command, settings, system_calls
from tests.prove.hardening import EXPOSURE, UNITS, exposure, install, verified

SERVICES = ("vision", "uplink")


@pytest.fixture(autouse=True)
def _systemd() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("apt-get install systemd")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    install(tmp_path / "place", (FIRMWARE / "allow.txt").read_text())
    return tmp_path / "place"


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    """A folder in which sysusers.d and tmpfiles.d were at work."""
    root = tmp_path / "root"
    for part in ("etc", "var/lib", "run"):
        (root / part).mkdir(parents=True)
    subprocess.run(
        ["systemd-sysusers", f"--root={root}", FIRMWARE / "sysusers.conf"],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    return root


@pytest.mark.parametrize("unit", UNITS)
def test_a_units_exposure_is_held(place: Path, unit: str) -> None:
    assert exposure(place / unit) <= EXPOSURE


def test_systemd_has_nothing_to_say_about_them(place: Path) -> None:
    assert verified(place) == ""


def test_systemd_would_say_what_it_does_not_know(place: Path) -> None:
    unit = place / UNITS[0]
    unit.write_text(unit.read_text().replace("NoNewPrivileges=", "NoNewPrivilges="))
    assert "NoNewPrivilges" in verified(place)


def test_the_jetsons_file_goes_with_vision_and_only_eases_what_cuda_needs(place: Path) -> None:
    folder = place / "shelflight-vision.service.d"
    folder.mkdir()
    shutil.copy(FIRMWARE / "jetson.conf", folder)
    assert exposure(place / UNITS[0]) <= EXPOSURE
    assert set(settings(FIRMWARE / "jetson.conf")) == {
        "After", "BindPaths", "DeviceAllow", "MemoryDenyWriteExecute", "ReadWritePaths",
    }  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_has_a_user_of_its_own_and_shares_a_group(accounts: Path, name: str) -> None:
    known = settings(FIRMWARE / f"shelflight-{name}.service")
    assert known["User"] == [f"shelflight-{name}"]
    assert "shelflight" in known["SupplementaryGroups"][0].split()
    mine = account(accounts, f"shelflight-{name}")
    others = account(accounts, f"shelflight-{'vision' if name == 'uplink' else 'uplink'}")
    assert mine.groups == others.groups
    assert (mine.user, mine.group) != (others.user, others.group)


@pytest.mark.parametrize("name", SERVICES)
def test_no_core_is_dumped_and_nothing_is_written_for_all_to_read(name: str) -> None:
    known = settings(FIRMWARE / f"shelflight-{name}.service")
    assert known["LimitCORE"] == ["1"], "stops cores that go to a program, too"
    assert known["UMask"] == ["0027"]
    assert known["IPAddressDeny"] == ["any"]
    assert "IPAddressAllow" not in known


def test_what_vision_writes_for_a_while_is_in_ram() -> None:
    known = settings(FIRMWARE / "shelflight-vision.service")
    (folders,) = known["TemporaryFileSystem"]
    assert [each.split(":")[0] for each in folders.split()] == ["/tmp", "/var/tmp"]
    # Where both are asked for systemd takes this one, on the card.
    assert "PrivateTmp" not in known


def test_vision_has_no_network_and_is_watched() -> None:
    known = settings(FIRMWARE / "shelflight-vision.service")
    assert known["PrivateNetwork"] == ["yes"]
    assert known["RestrictAddressFamilies"] == ["AF_UNIX"]
    assert (known["Type"], known["NotifyAccess"], known["WatchdogSec"], known["Restart"]) == (
        ["notify"], ["main"], ["30"], ["always"],
    )  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_the_clock_may_be_asked_and_not_set(name: str) -> None:
    calls = system_calls(FIRMWARE / f"shelflight-{name}.service")
    assert {"adjtimex", "clock_adjtime", "openat", "execve"} <= set(calls)
    assert not {"clock_settime", "settimeofday", "ptrace", "mount", "bpf", "setuid"} & set(calls)


@pytest.mark.parametrize("name", SERVICES)
def test_the_command_is_one_that_there_is(name: str) -> None:
    (line,) = settings(FIRMWARE / f"shelflight-{name}.service")["ExecStart"]
    program, *words = line.split()
    assert Path(program).name == "shelflight-agent"
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", *words[:1], "--help"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    options = set(re.findall(r"--[a-z]+", line))
    assert options <= set(re.findall(r"--[a-z]+", done.stdout))


TRIES = {
    "reach the network": "import socket; socket.socket(socket.AF_INET)",
    "speak packets": "import socket; socket.socket(socket.AF_PACKET)",
    "set the clock": "import time; time.clock_settime(0, time.time())",
    "become root": "import os; os.setuid(0)",
    "trace another": "import ctypes, os; l = ctypes.CDLL(None, use_errno=True); "
    "l.ptrace(16, os.getppid(), 0, 0) == 0 or exit(1)",
    "write and run memory": "import mmap; mmap.mmap(-1, 4096, prot=7)",
    "mount": "import ctypes; l = ctypes.CDLL(None); "
    "l.mount(b'x', b'/', b'tmpfs', 0, None) == 0 or exit(1)",
}  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("what", TRIES)
def test_vision_as_its_unit_runs_it_cannot(accounts: Path, tmp_path: Path, what: str) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    unit = FIRMWARE / "shelflight-vision.service"
    python = [sys.executable, "-c", TRIES[what]]
    words = command(unit, account(accounts, "shelflight-vision"), tmp_path, python)
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    assert "Errno" in done.stderr or not done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_vision_as_its_unit_runs_it_has_its_user_and_nothing_else(
    accounts: Path, tmp_path: Path
) -> None:
    for folder in (tmp_path, *list(tmp_path.parents)[:2]):
        folder.chmod(0o755)
    unit, who = FIRMWARE / "shelflight-vision.service", account(accounts, "shelflight-vision")
    python = [sys.executable, "-c", "print(open('/proc/self/status').read())"]
    done = subprocess.run(
        command(unit, who, tmp_path, python), capture_output=True, text=True, timeout=30, check=True
    )
    status = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(who.user)] * 4
    assert status["Gid"].split() == [str(who.group)] * 4
    assert [int(each) for each in status["Groups"].split()] == list(who.groups)
    assert (status["NoNewPrivs"], status["Seccomp"], status["Umask"]) == ("1", "2", "0027")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_the_services_share_nobody_else_may_look_into(accounts: Path) -> None:
    subprocess.run(
        ["systemd-tmpfiles", f"--root={accounts}", "--create", FIRMWARE / "tmpfiles.conf"],
        check=True, capture_output=True, timeout=20,
    )  # fmt: skip
    (shared,) = account(accounts, "shelflight-uplink").groups
    state, run = accounts / "var/lib/shelflight", accounts / "run/shelflight"
    assert [oct(path.stat().st_mode & 0o7777) for path in (state, run)] == ["0o2770", "0o3770"]
    assert {state.stat().st_gid, run.stat().st_gid} == {shared}
