"""Leave out channels, and put in what others were solved to make up for them.

A channel can go where it is seen by convolutions alone. Which ones go is found out by
`models.quantize.slim`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from models.quantize.graph import Array, Graph, attribute, set_attribute
from models.quantize.rewrite import weights_of
from models.quantize.units import Unit, units

# Operators that treat each channel by itself.
_CHANNELWISE = ("Sigmoid", "Mul", "Clip")


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """Where a unit's channels go.

    Args:
        unit: the unit that makes them.
        depthwise: convolutions that hand each of them on by itself.
        readers: convolutions that mix them, each with the place of the first of them in its input.
    """

    unit: Unit
    depthwise: tuple[NodeProto, ...]
    readers: tuple[tuple[NodeProto, int], ...]


def reaches(graph: Graph) -> list[Reach]:
    """Of every unit whose channels are seen by convolutions alone, in order."""
    shapes = graph.shapes()
    found = []
    for unit in units(graph):
        if attribute(unit.conv, "group", 1) == 1 and unit.product is not None:
            one = _reach(graph, unit, shapes)
            if one is not None:
                found.append(one)
    return found


def _reach(graph: Graph, unit: Unit, shapes: Mapping[str, tuple[int, ...]]) -> Reach | None:
    takers = graph.takers()
    depthwise: dict[str, NodeProto] = {}
    readers: dict[str, tuple[NodeProto, int]] = {}
    waiting = [(unit.name, 0)]
    known: set[str] = set()
    while waiting:
        name, first = waiting.pop()
        if name in known:
            continue
        known.add(name)
        if name in graph.outputs:
            return None
        for taker in takers.get(name, []):
            if taker.op_type == "Conv" and attribute(taker, "group", 1) == 1:
                readers[taker.name] = (taker, first)
            elif taker.op_type == "Conv" and first == 0:
                depthwise[taker.name] = taker
                waiting.append((taker.output[0], first))
            elif taker.op_type in _CHANNELWISE:
                waiting.append((taker.output[0], first))
            elif taker.op_type == "Concat" and attribute(taker, "axis") == 1:
                before = [shapes[one][1] for one in taker.input[: list(taker.input).index(name)]]
                waiting.append((taker.output[0], first + sum(before)))
            else:
                return None
    return Reach(unit, tuple(depthwise.values()), tuple(readers.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """New weights of a pointwise convolution.

    Args:
        weights: float16 [out, in]: what a recipe can hold, and finer than int8.
        bias: float32 [out].
    """

    weights: NDArray[np.float16]
    bias: NDArray[np.float32]


def pruned(
    graph: Graph, dropped: Mapping[str, tuple[int, ...]], solved: Mapping[str, Solved]
) -> Graph:
    """The graph without some channels.

    Args:
        graph: rewritten; left as it is.
        dropped: channels by the unit's name (its convolution's output).
        solved: new weights by the convolution's name, of the sizes that remain.

    Raises:
        KeyError: there is no such unit, or its channels cannot go.
    """
    made = graph.copy()
    by_name = {one.unit.name: one for one in reaches(made)}
    gone: dict[str, list[int]] = {}
    for name, channels in dropped.items():
        reach = by_name[name]
        for conv in (reach.unit.conv, *reach.depthwise):
            _drop(made, conv, channels, axis=0)
        for reader, first in reach.readers:
            gone.setdefault(reader.name, []).extend(first + channel for channel in channels)
    convs = {node.name: node for node in made.nodes if node.op_type == "Conv"}
    for name, places in gone.items():
        _drop(made, convs[name], sorted(places), axis=1)
    for name, one in solved.items():
        _set(made, convs[name], one.weights.astype(np.float32)[:, :, None, None], one.bias)
    return made


def _drop(graph: Graph, conv: NodeProto, channels: Sequence[int], axis: int) -> None:
    """Output channels (axis 0) or input channels (axis 1)."""
    weights, bias = weights_of(graph, conv)
    group = attribute(conv, "group", 1)
    if group > 1:
        set_attribute(conv, "group", group - len(channels))
    kept = np.delete(bias, channels) if axis == 0 else bias
    _set(graph, conv, np.delete(weights, channels, axis=axis), kept)


def _set(graph: Graph, conv: NodeProto, weights: Array, bias: Array) -> None:
    names = [f"{conv.output[0]}_pw", f"{conv.output[0]}_pb"]
    graph.constants[names[0]] = np.ascontiguousarray(weights)
    graph.constants[names[1]] = bias
    del conv.input[1:]
    conv.input.extend(names)
