"""Where model files lie, and whether one is the file that the manifest names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from edge_agent.errors import ModelError
from edge_agent.manifest.entry import ModelEntry

# Enough of a hash to tell two files apart by eye.
_SHOWN = 12


def models_directory() -> Path:
    """Where model files lie: $SHELFLIGHT_MODELS, else a cache folder of the user."""
    named = os.environ.get("SHELFLIGHT_MODELS")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "shelflight" / "models"


def model_path(entry: ModelEntry, directory: Path | None = None) -> Path:
    """Where the entry's file lies or will lie."""
    return (models_directory() if directory is None else directory) / entry.file


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(entry: ModelEntry, path: Path) -> None:
    """Make sure that the file is the one the manifest names.

    Raises:
        ModelError: it is missing, unreadable or another file; the message says what to do.
    """
    pull = f"run: python -m models pull {entry.name}"
    try:
        found = digest(path)
    except FileNotFoundError:
        raise ModelError(f"model {entry.name} is not at {path}; {pull}") from None
    except OSError as error:
        raise ModelError(f"model {entry.name} at {path} cannot be read: {error}") from error
    if found != entry.sha256:
        raise ModelError(
            f"{path} is not model {entry.name}: its SHA-256 is {found[:_SHOWN]}…, the manifest "
            f"says {entry.sha256[:_SHOWN]}…; delete it, then {pull}"
        )
