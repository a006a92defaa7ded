"""Whether the uplink's files are there, and whether its key is a secret."""

from __future__ import annotations

import stat
from pathlib import Path

from edge_agent.config.site import UplinkConfig

# How PEM begins a key, of whatever kind.
_KEY = b"PRIVATE KEY-----"


def key_mistakes(uplink: UplinkConfig) -> list[str]:
    """One line for each PEM file that is absent, or holds a key that others may read.

    What this user may not look at is passed over: it is no secret of ours, or well kept.
    """
    files = {"ca": uplink.ca, "cert": uplink.cert, "key": uplink.key}
    said = {key: _mistake(path) for key, path in files.items() if path is not None}
    return [f"uplink.{key}: {text}" for key, text in said.items() if text is not None]


def _mistake(path: Path) -> str | None:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        secret = _KEY in path.read_bytes()
    except PermissionError:
        return None
    except OSError as error:
        return f"{path}: {error.strerror}"
    if secret and mode & stat.S_IRWXO:
        return f"{path}: holds a key that others may read (mode {mode:03o}); chmod o= {path}"
    return None
