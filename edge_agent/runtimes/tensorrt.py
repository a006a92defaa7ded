"""TensorRT, a provider of onnxruntime: engines built once on the board and kept.

An engine belongs to one model, one GPU and one TensorRT; building it takes minutes on a Jetson
Orin Nano. It is kept in the models' folder under the model's hash: TensorRT's own name for a kept
engine comes from the graph, not from its weights, and would find that of a model trained anew.
"""

from __future__ import annotations

import logging
from pathlib import Path

from edge_agent.errors import ModelError
from edge_agent.manifest import ModelEntry, expected_digest, models_directory

_log = logging.getLogger(__name__)

NAME = "TensorrtExecutionProvider"
MISSING = "on a Jetson install the onnxruntime-gpu wheel made for its JetPack (TensorRT is in it)"
# An ONNX file that holds its own scales; TensorRT takes them only when int8 is switched on.
_QUANTIZED = b"QuantizeLinear"
_HASH = 12
# TensorRT's scratch memory while it builds; an Orin Nano shares 4 or 8 GB with everything else.
_WORKSPACE_BYTES = 512 << 20


def options(entry: ModelEntry, path: Path) -> dict[str, str]:
    """What the provider is told; makes the folder for its engines.

    Raises:
        ModelError: the folder cannot be made.
    """
    folder = engines(entry, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"model {entry.name}: no place for its TensorRT engine at {folder}: {error}; make "
            "the models' folder writable or set SHELFLIGHT_MODELS to another"
        ) from error
    if not any(folder.glob("*.engine")):
        _log.warning(
            "model %s: TensorRT builds its engine now; this takes minutes, once (kept in %s)",
            entry.name,
            folder,
        )
    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
        "trt_max_workspace_size": str(_WORKSPACE_BYTES),
        "trt_fp16_enable": "True",
        "trt_int8_enable": str(_QUANTIZED in content),
    }


def engines(entry: ModelEntry, path: Path) -> Path:
    """The folder of a model's engines."""
    made_of = expected_digest(entry, path) or "unverified"
    return models_directory() / "engines" / f"{entry.name}-{made_of[:_HASH]}"
