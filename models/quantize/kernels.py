"""What each layer costs on this processor, in float and in int8, measured layer by layer."""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from models.quantize.graph import Graph
from models.quantize.insert import insert
from models.quantize.recipe import empty_recipe
from models.quantize.run import session
from models.quantize.units import Unit

_RUNS = 12
# Kernels by what onnxruntime's profiler calls them. The rest turns one layout or number format
# into another.
_CONVS = ("Conv", "QLinearConv", "FusedConv")
_ACTIVATIONS = ("QuickGelu", "Sigmoid", "Mul", "QLinearSigmoid", "QLinearMul")
# Of turning a tensor of n values from float to int8 or back, layout included: ns per value,
# measured with onnxruntime 1.31 on an AVX2 core, and microseconds of the extra kernels.
INTO_INT8_NS, OUT_OF_INT8_NS, TURN_US = 0.45, 0.6, 6.0

Shape = tuple[int, ...]
# By what makes units alike: sizes of the weights, of what comes in and out, and whether SiLU
# follows.
Known = dict[tuple[object, ...], "Cost"]


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one unit, one thread.

    Args:
        conv, silu: in float.
        conv8, silu8: in int8.
    """

    conv: float
    silu: float
    conv8: float
    silu8: float


def measure(
    graph: Graph, some: list[Unit], shapes: Mapping[str, Shape], known: Known,
    report: Callable[[], None],
) -> dict[str, Cost]:  # fmt: skip
    """The cost of each unit alone, by name; units alike are measured once.

    Args:
        graph: in float.
        some: its units.
        shapes: of its tensors.
        known: what was measured before, and is added to.
        report: is told after each unit.
    """
    costs = {}
    for unit in some:
        weights = graph.constants[unit.conv.input[1]]
        key = (weights.shape, shapes[unit.conv.input[0]], shapes[unit.name], unit.product is None)
        if key not in known:
            alone = _alone(graph, unit, shapes)
            known[key] = Cost(*_times(alone), *_times(_quantized(alone)))
        costs[unit.name] = known[key]
        report()
    return costs


def kernel_time_us(content: bytes, feed: Mapping[str, Shape], rounds: int) -> dict[str, float]:
    """Microseconds by kind of kernel, one thread: of each kernel the fastest of all runs.

    The fastest says what a kernel costs when nobody else wants the processor.
    """
    best: dict[tuple[str, ...], float] = {}
    for _ in range(rounds):
        for key, took in _profile(content, feed).items():
            best[key] = min(took, best.get(key, np.inf))
    total: dict[str, float] = defaultdict(float)
    for (kind, *_), took in best.items():
        total[kind] += took
    return dict(total)


def _profile(content: bytes, feed: Mapping[str, Shape]) -> dict[tuple[str, ...], float]:
    with tempfile.TemporaryDirectory() as folder:
        ready = session(content, 1, os.path.join(folder, "kernels"))
        inputs = {name: np.full(shape, 0.5, np.float32) for name, shape in feed.items()}
        for _ in range(_RUNS):
            ready.run(None, inputs)
        events = json.loads(Path(ready.end_profiling()).read_text(encoding="utf-8"))
    best: dict[tuple[str, ...], float] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            what = event["args"]
            key = (what["op_name"], event["name"], str(what.get("node_index")))
            best[key] = min(event["dur"], best.get(key, np.inf))
    return best


def _times(graph: Graph) -> tuple[float, float]:
    shapes = graph.shapes()
    feed = {name: shapes[name] for name in graph.inputs}
    found = kernel_time_us(graph.model().SerializeToString(), feed, 1)
    return (
        sum(took for kind, took in found.items() if kind in _CONVS),
        sum(took for kind, took in found.items() if kind in _ACTIVATIONS),
    )


def _alone(graph: Graph, unit: Unit, shapes: Mapping[str, Shape]) -> Graph:
    """A graph of one unit, between a ReLU and a MaxPool that keep it from the model's ends."""
    source = unit.conv.input[0]
    conv = helper.make_node("Conv", ["before", *unit.conv.input[1:]], [unit.name])
    conv.attribute.extend(unit.conv.attribute)
    nodes = [helper.make_node("Relu", ["given"], ["before"]), conv]
    nodes += [node for node in (unit.sigmoid, unit.product) if node is not None]
    nodes.append(helper.make_node("Relu", [unit.output], ["taken"]))
    constants = [
        numpy_helper.from_array(graph.constants[name], name) for name in unit.conv.input[1:]
    ]
    made = helper.make_graph(
        nodes,
        "unit",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, shapes[source])],
        [helper.make_tensor_value_info("taken", TensorProto.FLOAT, shapes[unit.name])],
        constants,
    )
    return Graph(helper.make_model(made))


def _quantized(graph: Graph) -> Graph:
    """The same unit in int8, with ranges that only time is measured by."""
    (conv,) = (node for node in graph.nodes if node.op_type == "Conv")
    names = {name for node in graph.nodes for name in (*node.input, *node.output)}
    ranges = dict.fromkeys(names, (-1.0, 7.0))
    return insert(
        graph, replace(empty_recipe("", "", 0, "", None), int8=(conv.output[0],), ranges=ranges)
    )
