"""Runs a program as its systemd unit would, where there is no systemd: `... confined FILE WORD...`.

User and groups, umask, no new privileges, no capabilities, no network, no memory that is written
and run, the system calls and address families that the unit allows, no core dumps. File systems
and devices are left as they are.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"
_ERRNO, _ALLOW = 0x00050000, 0x7FFF0000  # seccomp.h: SCMP_ACT_*
_EPERM = 1
_EQUAL, _MASKED = 4, 7  # SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ
# What MemoryDenyWriteExecute= leaves of these calls: which bits of PROT_WRITE (2) and PROT_EXEC (4)
# are looked at in the third argument, and which of their values pass.
_MEMORY = {"mmap": (6, (0, 2, 4)), "mprotect": (4, (0,)), "pkey_mprotect": (4, (0,))}
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


class _Compare(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


@dataclass(frozen=True, slots=True)
class Account:
    """A user of a unit, by number."""

    user: int
    group: int
    groups: tuple[int, ...]


def settings(unit: Path) -> dict[str, list[str]]:
    """What a unit file sets, all values of each key in order."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text(encoding="utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign and not line.startswith(("#", ";")):
            found.setdefault(key.strip(), []).append(value.strip())
    return found


def system_calls(unit: Path) -> list[str]:
    """The names that its SystemCallFilter= allows, by systemd's own sets."""
    sets = _sets()
    allowed: set[str] = set()
    for value in settings(unit)["SystemCallFilter"]:
        names = set[str]().union(*(_expand(word, sets) for word in value.lstrip("~").split()))
        allowed = allowed - names if value.startswith("~") else allowed | names
    # What systemd lets through in any case, to start the service at all.
    return sorted(allowed | _expand("@default", sets) | {"execve"})


def account(root: Path, name: str) -> Account:
    """A user as sysusers.d made it below a folder."""
    users = {line.split(":")[0]: line.split(":") for line in _lines(root / "etc/passwd")}
    groups = [line.split(":") for line in _lines(root / "etc/group")]
    member = tuple(int(each[2]) for each in groups if name in each[3].split(","))
    return Account(int(users[name][2]), int(users[name][3]), member)


def command(unit: Path, who: Account, folder: Path, words: Iterable[str]) -> list[str]:
    """The command line that runs words as the unit would.

    Args:
        unit: its file.
        who: its user.
        folder: where what was found out about the unit is left for the program.
        words: the program.
    """
    known = settings(unit)
    told = folder / f"{unit.stem}.json"
    families = known["RestrictAddressFamilies"][-1].split()
    told.write_text(
        json.dumps(
            {
                "calls": system_calls(unit),
                "families": [_FAMILIES[name] for name in families],
                "memory": known.get("MemoryDenyWriteExecute") == ["yes"],
                "umask": int(known["UMask"][-1], 8),
                "environment": dict(each.split("=", 1) for each in known.get("Environment", [])),
            }
        )
    )
    told.chmod(0o644)
    alone = ["unshare", "--net"] if known.get("PrivateNetwork") == ["yes"] else []
    # Where the interpreter lies in somebody's home, its user could not even start it.
    lent = [] if _open_to_all(Path(sys.executable)) else ["+dac_read_search"]
    return [
        *alone, "setpriv", "--reuid", str(who.user), "--regid", str(who.group),
        "--groups", ",".join(map(str, who.groups or (who.group,))), "--no-new-privs",
        "--inh-caps", ",".join(["-all", *lent]), "--ambient-caps", ",".join(["-all", *lent]),
        "--bounding-set", ",".join(["-all", *lent]),
        sys.executable, __file__, str(told), *words,
    ]  # fmt: skip


def main() -> None:
    """Give up what the unit gives up, then become the program."""
    told = json.loads(Path(sys.argv[1]).read_text())
    os.umask(told["umask"])
    os.environ |= told["environment"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _filter(told["calls"], _careful(told["families"], told["memory"]))
    os.execv(sys.argv[2], sys.argv[2:])


def _careful(families: Iterable[int], memory: bool) -> dict[str, list[_Compare]]:
    """System calls that are allowed with some arguments only: one of these must hold."""
    rules = {"socket": [_Compare(0, _EQUAL, family, 0) for family in families]}
    if memory:
        for name, (mask, values) in _MEMORY.items():
            rules[name] = [_Compare(2, _MASKED, mask, value) for value in values]
    return rules


def _filter(calls: Iterable[str], careful: dict[str, list[_Compare]]) -> None:
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_ERRNO | _EPERM))
    failed = 0
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and name not in careful:
            failed |= seccomp.seccomp_rule_add_array(context, _ALLOW, number, 0, None)
        for rule in careful.get(name, ()) if number >= 0 else ():
            only = (_Compare * 1)(rule)
            failed |= seccomp.seccomp_rule_add_array(context, _ALLOW, number, 1, only)
    if failed or seccomp.seccomp_load(context):
        raise SystemExit("the filter of system calls could not be set")


def _sets() -> dict[str, list[str]]:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter"], check=True, capture_output=True,
        text=True, timeout=30,
    )  # fmt: skip
    sets: dict[str, list[str]] = {}
    name = ""
    for line in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            sets[name].append(line.strip())
    return sets


def _expand(word: str, sets: dict[str, list[str]]) -> set[str]:
    if not word.startswith("@"):
        return {word}
    return set[str]().union(*(_expand(each, sets) for each in sets[word]))


def _open_to_all(path: Path) -> bool:
    """Whether any user may come to this file and what it stands for."""
    ways = [path, path.resolve()]
    return all(folder.stat().st_mode & 0o001 for way in ways for folder in way.parents)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    main()
