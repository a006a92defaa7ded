"""Run a graph that is being worked on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import onnxruntime as ort
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from models.quantize.graph import Graph

_ERRORS_ONLY = 3


def session(content: bytes, threads: int, profile: str | None = None) -> ort.InferenceSession:
    """A session on the processor.

    Args:
        content: a model file.
        threads: of one inference.
        profile: prefix of a file that each kernel's time is written to at the end.

    Raises:
        ModelError: onnxruntime refuses the model.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise ModelError(f"onnxruntime refuses what was made: {error}") from error


def outputs(
    graph: Graph, inputs: Sequence[NDArray[Any]], threads: int, watch: Sequence[str] = ()
) -> Iterator[list[NDArray[Any]]]:
    """What the graph gives out for each input: its outputs, then the watched tensors."""
    content = graph.model(watch).SerializeToString()
    ready = session(content, threads)
    (name,) = graph.inputs
    for tensor in inputs:
        yield ready.run(None, {name: tensor})
