"""CUDA, a provider of onnxruntime: NVIDIA boards without a TensorRT engine.

Needs the onnxruntime of the board's own CUDA (NVIDIA publishes wheels for each JetPack); the wheel
of the package index for aarch64 has the processor only.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.manifest import ModelEntry

NAME = "CUDAExecutionProvider"
MISSING = "on a Jetson install the onnxruntime-gpu wheel made for its JetPack"


def options(_entry: ModelEntry, _path: Path) -> dict[str, str]:
    """What the provider is told.

    A Jetson shares its memory between processor and GPU: the arena grows by what is asked for, not
    in doubled steps. The exhaustive search for convolution algorithms takes seconds at each start
    for a model of 30 layers; the heuristic takes none.
    """
    return {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"}
