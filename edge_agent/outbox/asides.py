"""Damaged outboxes that lie aside: how they get there, and which were taken over."""

from __future__ import annotations

import re
from pathlib import Path

from edge_agent.errors import StorageError

_PARTS = ("", "-wal", "-shm")
# Beside a damaged outbox of which all that can be read was taken over.
_TAKEN = ".taken"


def set_aside(path: Path, stamp: int) -> Path:
    """Rename a damaged outbox with its log, so that a new one can be opened at ``path``.

    Args:
        path: of the outbox, closed by this process.
        stamp: becomes part of the name: seconds since 1970; counted up where that name is taken.

    Returns:
        Where the database is now; its ``-wal`` and ``-shm`` lie beside it.

    Raises:
        StorageError: it cannot be renamed.
    """
    while any(Path(f"{path}.damaged-{stamp}{end}").exists() for end in (*_PARTS, _TAKEN)):
        stamp += 1
    aside = Path(f"{path}.damaged-{stamp}")
    try:
        for end in _PARTS:
            part = Path(f"{path}{end}")
            if part.exists():
                part.rename(f"{aside}{end}")
    except OSError as error:
        raise StorageError(f"{path}: cannot be set aside: {error.strerror}") from error
    return aside


def set_aside_before(path: Path) -> list[Path]:
    """Damaged outboxes of which nothing was taken over yet, oldest first."""
    name = re.compile(re.escape(path.name) + r"\.damaged-\d+")
    found = [one for one in path.parent.glob(f"{path.name}.damaged-*") if name.fullmatch(one.name)]
    return sorted(one for one in found if not Path(f"{one}{_TAKEN}").exists())


def taken_over(aside: Path) -> None:
    """Note that nothing more is to be had of a damaged outbox.

    Raises:
        StorageError: that cannot be noted; its rows come again, and the sink knows them.
    """
    try:
        Path(f"{aside}{_TAKEN}").touch()
    except OSError as error:
        raise StorageError(f"{aside}: {error.strerror}") from error
