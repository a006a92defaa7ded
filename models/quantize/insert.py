"""Put QuantizeLinear and DequantizeLinear (QDQ) around what runs in int8.

Activations are uint8 with one scale a tensor, weights int8 with one scale a channel, biases int32.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from onnx import NodeProto, helper

from models.quantize.graph import Array, Graph
from models.quantize.recipe import Recipe
from models.quantize.rewrite import weights_of

Range = tuple[float, float]

# Operators that run in int8 if all they take is int8; they have no weights of their own.
_FOLLOWERS = ("Sigmoid", "Mul", "Add", "Concat", "MaxPool", "Resize")
# Those that hand values on as they are: in and out must have one scale.
_CARRIERS = ("MaxPool", "Resize")
_STEPS = 255
_MOST = 127
# AVX2's vpmaddubsw adds two products of uint8 and int8 into 16 bits and saturates: two
# neighbouring weights of one sign may not sum up to more than 32767 / 255.
_PAIR = 128
# A sigmoid's output, so that a step is 2^-8: what onnxruntime's kernel and TFLite take.
SIGMOID_RANGE = (0.0, 255 / 256)


def in_int8(graph: Graph, convs: Collection[str]) -> set[str]:
    """Outputs of all nodes that run in int8, given the convolutions that do."""
    return followers(steps(graph), convs) - set(graph.outputs)


def steps(graph: Graph) -> list[tuple[str, str, list[str]]]:
    """Each node's output, operator and data inputs: what `followers` reads, again and again."""
    return [(node.output[0], node.op_type, graph.data_inputs(node)) for node in graph.nodes]


def followers(order: Sequence[tuple[str, str, list[str]]], convs: Collection[str]) -> set[str]:
    """Convolutions that were chosen, and what runs in int8 because all that it takes does."""
    found: set[str] = set()
    for output, kind, data in order:
        if kind == "Conv":
            chosen = output in convs
        else:
            chosen = kind in _FOLLOWERS and found.issuperset(data)
        if chosen:
            found.add(output)
    return found


def insert(graph: Graph, recipe: Recipe) -> Graph:
    """The mixed graph: what the recipe names in int8, the rest in float.

    Args:
        graph: rewritten and clamped; left as it is.
        recipe: its int8 and ranges are read.
    """
    saturating, convs = absorb_clamps(graph, recipe.int8)
    chosen = in_int8(saturating, convs)
    ranges = ranges_of(saturating, chosen, recipe.ranges)
    return _Inserter(saturating, chosen, ranges).made()


def absorb_clamps(graph: Graph, convs: Collection[str]) -> tuple[Graph, set[str]]:
    """Leave out each clamp behind an int8 convolution: below its range int8 saturates anyway.

    Returns:
        Another graph, and the convolutions by what they give out in it.
    """
    made = graph.copy()
    makers = made.makers()
    names = set(convs)
    for clip in [node for node in made.nodes if node.op_type == "Clip"]:
        if clip.input[0] in names:
            conv = makers[clip.input[0]]
            names.remove(conv.output[0])
            conv.output[0] = clip.output[0]
            names.add(conv.output[0])
            made.nodes = [node for node in made.nodes if node is not clip]
    missing = names - set(made.makers())
    if missing:
        raise KeyError(missing.pop())
    return made, names


def quantized_tensors(graph: Graph, chosen: Collection[str]) -> list[str]:
    """Tensors that need a range, in order."""
    names: dict[str, None] = {}
    for node in graph.nodes:
        if node.output[0] in chosen:
            names.update(dict.fromkeys([*graph.data_inputs(node), node.output[0]]))
    return list(names)


def ranges_of(
    graph: Graph, chosen: Collection[str], ranges: Mapping[str, Range]
) -> dict[str, Range]:
    """The range of each tensor, with those tied together that share a scale."""
    found = {name: ranges[name] for name in quantized_tensors(graph, chosen) if name in ranges}
    for node in graph.nodes:
        if node.output[0] not in chosen:
            continue
        if node.op_type == "Sigmoid":
            found[node.output[0]] = SIGMOID_RANGE
        elif node.op_type in _CARRIERS:
            found[node.output[0]] = found[node.input[0]]
    return found


def scale_and_zero(low: float, high: float) -> tuple[np.float32, np.uint8]:
    """Of uint8 over a range that is widened to hold zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / _STEPS, 1e-8)
    return np.float32(scale), np.uint8(np.clip(round(-low / scale), 0, _STEPS))


def weight_scales(weights: Array) -> Array:
    """One scale an output channel, such that no kernel saturates; float32 [channels].

    Args:
        weights: [out, in, height, width].
    """
    channels = weights.shape[0]
    scales = np.abs(weights).reshape(channels, -1).max(axis=1) / _MOST
    if weights.shape[1] > 1:
        # In the order in which kernels see them: the picture's channels last.
        flat = weights.transpose(0, 2, 3, 1).reshape(channels, -1)
        flat = np.pad(flat, ((0, 0), (0, flat.shape[1] % 2)))
        pairs = flat.reshape(channels, -1, 2)
        above = np.clip(pairs, 0, None).sum(axis=2).max(axis=1)
        below = np.clip(-pairs, 0, None).sum(axis=2).max(axis=1)
        scales = np.maximum(scales, np.maximum(above, below) / _PAIR)
    found: Array = np.maximum(scales, 1e-9).astype(np.float32)
    return found


class _Inserter:
    """One pass over a graph."""

    def __init__(
        self,
        graph: Graph,
        chosen: Collection[str],
        ranges: Mapping[str, Range],
    ) -> None:
        self._graph = graph.copy()
        self._chosen = chosen
        self._ranges = ranges
        self._makers = self._graph.makers()
        self._taken = set(quantized_tensors(self._graph, chosen))

    def made(self) -> Graph:
        out: list[NodeProto] = []
        for name in self._graph.inputs:
            if name in self._taken:
                out += self._bridge(name)
        for node in self._graph.nodes:
            made = self._rewired(node)
            if node.output[0] in self._chosen and node.op_type == "Conv":
                out += self._weights(node, made)
            out.append(made)
            if node.output[0] in self._taken:
                out += self._bridge(node.output[0])
        self._graph.nodes = out
        return self._graph

    def _rewired(self, node: NodeProto) -> NodeProto:
        """The node, taking int8 where it runs in int8 and wherever nothing else is there."""
        made = copy.deepcopy(node)
        for place, name in enumerate(node.input):
            maker = self._makers.get(name)
            made_in_int8 = maker is not None and maker.output[0] in self._chosen
            if name in self._taken and (node.output[0] in self._chosen or made_in_int8):
                made.input[place] = f"{name}_dq"
        return made

    def _bridge(self, name: str) -> list[NodeProto]:
        scale, zero = scale_and_zero(*self._ranges[name])
        self._graph.constants[f"{name}_scale"] = np.array(scale)
        self._graph.constants[f"{name}_zero"] = np.array(zero)
        terms = [f"{name}_scale", f"{name}_zero"]
        return [
            helper.make_node("QuantizeLinear", [name, *terms], [f"{name}_q"], name=f"{name}_Q"),
            helper.make_node(
                "DequantizeLinear", [f"{name}_q", *terms], [f"{name}_dq"], name=f"{name}_DQ"
            ),
        ]

    def _weights(self, node: NodeProto, made: NodeProto) -> list[NodeProto]:
        out, source = node.output[0], node.input[0]
        weights, bias = weights_of(self._graph, node)
        scales = weight_scales(weights)
        whole = np.clip(np.round(weights / scales[:, None, None, None]), -_MOST, _MOST)
        bias_scales = (scales * scale_and_zero(*self._ranges[source])[0]).astype(np.float32)
        made_of = {
            "w": (whole.astype(np.int8), scales),
            "b": (np.round(bias / bias_scales).astype(np.int32), bias_scales),
        }
        nodes = []
        for place, (key, (values, steps)) in enumerate(made_of.items(), start=1):
            name = f"{out}_{key}"
            self._graph.constants[f"{name}_q"] = values
            self._graph.constants[f"{name}_scale"] = steps
            self._graph.constants[f"{name}_zero"] = np.zeros(len(steps), values.dtype)
            nodes.append(
                helper.make_node(
                    "DequantizeLinear",
                    [f"{name}_q", f"{name}_scale", f"{name}_zero"],
                    [name],
                    name=f"{name}_DQ",
                    axis=0,
                )
            )
            if len(made.input) > place:
                made.input[place] = name
            else:
                made.input.append(name)
        return nodes
