"""Sony IMX500 (Raspberry Pi AI Camera, .rpk files): a seam. Nothing of ours has run on one yet.

The sensor runs the model itself: a picture and the outputs for it arrive together, no input is
ever handed over. A `Runtime` cannot say that, so the work is the camera's. For who writes it:

- ``picamera2.devices.IMX500(path)`` loads the .rpk into the sensor (a minute the first time) and
  names the camera to open; ``get_outputs(metadata, add_batch=True)`` of a frame's metadata gives
  its outputs as arrays, None for frames that the sensor skipped.
- `edge_agent.camera.picamera` opens that camera and hands out, with each frame, its outputs; it
  drops frames without any. Privacy: with no one needing pixels (no pose, no reach), ask for the
  metadata only and no picture ever reaches the unit's memory.
- The detector's ``prepare`` gives an empty array, its ``runtime`` the outputs that came with the
  frame, its ``decode`` reads them as ever; the sensor sees its own crop of the picture, and
  ``convert_inference_coords`` says which: boxes must be put back into fractions of the frame.
- The model fits into 8 MB with all its buffers, int8, compiled by Sony's converter
  (``imxconv-pt``), packaged on the Pi (``imx500-package``).
- Then docs/hardware.md, check 13, and its tests in `test_runtimes_accelerators.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry


def open_model(
    entry: ModelEntry, path: Path, _threads: int, _providers: tuple[str, ...]
) -> NoReturn:
    """Say what is missing.

    Raises:
        ModelError: always.
    """
    raise ModelError(
        f"model {entry.name}: {path.name} is packaged for the IMX500 camera, which this version "
        "cannot run yet. It needs its firmware and tools (on Raspberry Pi OS: sudo apt install "
        "imx500-all) and edge_agent/runtimes/imx500.py filled in as it says; until then name an "
        ".onnx model in models.detector"
    )
