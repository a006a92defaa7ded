"""Where model files lie, and whether one is the file that the manifest names."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from edge_agent.errors import ModelError
from edge_agent.manifest.entry import ModelEntry, Supply

# Enough of a hash to tell two files apart by eye.
_SHOWN = 12
_SHA256 = re.compile(r"[0-9a-f]{64}")
# Both packages are of one distribution. Asking the import system for `models` would find any folder
# of that name in the current directory.
PACKAGE = Path(__file__).resolve().parents[2] / "models"


def models_directory() -> Path:
    """Where model files lie: $SHELFLIGHT_MODELS, else a cache folder of the user."""
    named = os.environ.get("SHELFLIGHT_MODELS")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "shelflight" / "models"


def model_path(entry: ModelEntry, directory: Path | None = None) -> Path:
    """Where the entry's file lies or will lie: a built-in one always in the package."""
    if entry.supply is Supply.BUILT_IN:
        return PACKAGE / "built_in" / entry.file
    return (models_directory() if directory is None else directory) / entry.file


def recipe_path(entry: ModelEntry) -> Path | None:
    """The committed recipe of a model that is made here; None for all others."""
    return PACKAGE / entry.recipe if entry.recipe is not None else None


def record_path(path: Path) -> Path:
    """Where the hash of a model that was made here is recorded, as sha256sum writes it."""
    return path.with_name(path.name + ".sha256")


def expected_digest(entry: ModelEntry, path: Path) -> str | None:
    """The SHA-256 that the file should have: the manifest's, else the one recorded beside it.

    Returns:
        64 hexadecimal digits; None where nothing was made and recorded yet.
    """
    if entry.sha256 is not None:
        return entry.sha256
    try:
        recorded = record_path(path).read_text(encoding="ascii").split(maxsplit=1)
    except (OSError, UnicodeDecodeError):
        return None
    return recorded[0] if recorded and _SHA256.fullmatch(recorded[0]) else None


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(entry: ModelEntry, path: Path) -> None:
    """Make sure that the file is the one the manifest names, or the one that was made here.

    Raises:
        ModelError: it is missing, unreadable or another file; the message says what to do.
    """
    remedy = _remedy(entry)
    try:
        found = digest(path)
    except FileNotFoundError:
        raise ModelError(f"model {entry.name} is not at {path}; {remedy}") from None
    except OSError as error:
        raise ModelError(f"model {entry.name} at {path} cannot be read: {error}") from error
    expected = expected_digest(entry, path)
    if expected is None:
        raise ModelError(f"{path}: no hash of it is recorded in {record_path(path)}; {remedy}")
    if found != expected:
        says = "the manifest" if entry.sha256 is not None else "the record of its making"
        raise ModelError(
            f"{path} is not model {entry.name}: its SHA-256 is {found[:_SHOWN]}…, {says} "
            f"says {expected[:_SHOWN]}…; delete it, then {remedy}"
        )


def _remedy(entry: ModelEntry) -> str:
    match entry.supply:
        case Supply.BUILT_IN:
            return "it is built in: install the package again"
        case Supply.MADE:
            return f"run: python -m models quantize {entry.made_from}"
        case Supply.PULLED:
            return f"run: python -m models pull {entry.name}"
