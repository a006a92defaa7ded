"""Leave out channels that nothing which is read depends on.

A unit reads persons out of a model that knows 80 classes: many channels serve the others only. A
channel can go where it is seen by convolutions alone; what it gave on average goes into their
biases. Which ones go is measured, see `models.quantize.salience`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
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


def pruned(
    graph: Graph, dropped: Mapping[str, tuple[int, ...]], means: Mapping[str, Array] | None = None
) -> Graph:
    """The graph without some channels.

    Args:
        graph: rewritten; left as it is.
        dropped: channels by the unit's name (its convolution's output).
        means: of each channel of the convolutions' inputs, by tensor, in the whole graph; None =
            what a channel gave is not made up for.

    Raises:
        KeyError: there is no such unit, or its channels cannot go.
    """
    made = graph.copy()
    by_name = {one.unit.name: one for one in reaches(made)}
    gone: dict[str, list[int]] = {}
    for name, channels in dropped.items():
        reach = by_name[name]
        for conv in (reach.unit.conv, *reach.depthwise):
            _drop_rows(made, conv, channels)
        for reader, first in reach.readers:
            gone.setdefault(reader.name, []).extend(first + channel for channel in channels)
    for conv in [node for node in made.nodes if node.name in gone]:
        _drop_columns(made, conv, sorted(gone[conv.name]), means)
    return made


def _drop_rows(graph: Graph, conv: NodeProto, channels: tuple[int, ...]) -> None:
    weights, bias = weights_of(graph, conv)
    _set(graph, conv, np.delete(weights, channels, axis=0), np.delete(bias, channels))
    group = attribute(conv, "group", 1)
    if group > 1:
        set_attribute(conv, "group", group - len(channels))


def _drop_columns(
    graph: Graph, conv: NodeProto, channels: list[int], means: Mapping[str, Array] | None
) -> None:
    weights, bias = weights_of(graph, conv)
    if means is not None:
        lost = weights[:, channels].sum(axis=(2, 3)) @ means[conv.input[0]][channels]
        if len(bias) == len(lost):
            bias = bias + lost.astype(np.float32)
    _set(graph, conv, np.delete(weights, channels, axis=1), bias)


def _set(graph: Graph, conv: NodeProto, weights: Array, bias: Array) -> None:
    names = [f"{conv.output[0]}_pw", f"{conv.output[0]}_pb"]
    graph.constants[names[0]] = np.ascontiguousarray(weights)
    graph.constants[names[1]] = bias
    del conv.input[1:]
    conv.input.extend(names)
