"""Hailo-8 and Hailo-8L (.hef files): a seam. Nothing of ours has run on one yet.

For who writes it: `open_model` returns an `edge_agent.runtimes.Runtime`.

- HailoRT's Python package is ``hailo_platform`` (Raspberry Pi OS: apt package hailo-all). A
  ``VDevice`` makes an ``InferModel`` of the file; configured once, it gives bindings. All of it
  lives as long as the runtime, the bindings' buffers are made once.
- Input: uint8 [1, height, width, 3], as the compiler was told with the model's normalisation built
  in; the manifest's entry says ``dtype: uint8``, ``layout: NHWC``. Set the input's format so.
- Outputs: asked for as float32, so that HailoRT undoes the quantisation; new arrays at each call,
  in the order of the ONNX file that was compiled. A .hef keeps the outputs' names: sort by those.
- Compile without HailoRT's own suppression: the decoders here take raw heads.
- ``threads`` means nothing; ``taken`` is ("hailo",). A call that times out raises ModelError.
- The chip is one for all: detector and pose share one ``VDevice`` (its round-robin scheduler).
- Then docs/hardware.md, check 12, and its tests in `test_runtimes_accelerators.py`.
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
        f"model {entry.name}: {path.name} is compiled for a Hailo chip, which this version cannot "
        "run yet. It needs HailoRT with its Python package hailo_platform (on Raspberry Pi OS: "
        "sudo apt install hailo-all) and edge_agent/runtimes/hailo.py filled in as it says; until "
        "then name an .onnx model in models.detector"
    )
