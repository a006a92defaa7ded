"""The Edge TPU (Coral), a delegate of the TFLite interpreters.

Needs ``libedgetpu.so.1`` (package libedgetpu1-std) and a model that ``edgetpu_compiler`` has put
through; all operators of any other file would run on the processor.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry

# The number is the interface's version.
LIBRARY = "libedgetpu.so.1"
# The operator that the compiler leaves in a file; without it the TPU has no work.
OPERATOR = b"edgetpu-custom-op"


def load(entry: ModelEntry, path: Path, interpreter: Any) -> Any:
    """The delegate for a model.

    Args:
        entry: the model.
        path: its file.
        interpreter: the module whose ``load_delegate`` makes it.

    Raises:
        ModelError: the file is not compiled for the TPU, or the library cannot be loaded.
    """
    if OPERATOR not in _content(entry, path):
        raise ModelError(
            f"model {entry.name}: {path} is not compiled for the Edge TPU, all of it would run "
            "on the processor; compile it with edgetpu_compiler or leave edgetpu out"
        )
    try:
        # First by itself: where it is missing, the half-made delegate would fail again when freed.
        ctypes.CDLL(LIBRARY)
        return interpreter.load_delegate(LIBRARY)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"model {entry.name}: delegate edgetpu ({LIBRARY}) cannot be loaded: {error}; "
            "install libedgetpu1-std and look whether the device is plugged in, or leave it out "
            "of runtime.providers"
        ) from error


def _content(entry: ModelEntry, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {entry.name} at {path} cannot be read: {error}") from error
