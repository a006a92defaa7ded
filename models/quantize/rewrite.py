"""The same function in fewer steps: rewrites that change a result by rounding only.

They are for both sides of a mixed file; what each is worth is in the model's card.
"""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
from onnx import NodeProto, helper

from models.quantize.graph import Array, Graph, attribute


def rewrite(graph: Graph, rows: int | None) -> Graph:
    """Apply every rewrite where its pattern is found.

    Args:
        graph: left as it is.
        rows: columns of YOLOX's output rows to keep; None = all.
    """
    made = graph.copy()
    for step in (fold_focus, chain_pools, convolve_before_enlarging):
        step(made)
    write_rows(made, rows)
    return made


def fold_focus(graph: Graph) -> None:
    """Focus and its 3x3 convolution become one 6x6 convolution of stride 2 on the picture.

    Focus (YOLOX, YOLOv5) puts the four pixels of each 2x2 square side by side as channels.
    """
    makers, takers = graph.makers(), graph.takers()
    for join in [node for node in graph.nodes if node.op_type == "Concat"]:
        parts = [_square_corner(graph, makers, name) for name in join.input]
        sources = {part[0] for part in parts if part is not None}
        conv = takers[join.output[0]][0]
        if None in parts or len(sources) != 1 or not _is_plain(conv, 3):
            continue
        weights = graph.constants[conv.input[1]]
        each = weights.shape[1] // len(parts)
        wide = np.zeros((weights.shape[0], each, 6, 6), np.float32)
        for k, part in enumerate(parts):
            assert part is not None
            _, y, x = part
            wide[:, :, y::2, x::2] = weights[:, k * each : (k + 1) * each]
        name = f"{conv.output[0]}_focus"
        graph.constants[name] = wide
        made = helper.make_node(
            "Conv",
            [sources.pop(), name, *conv.input[2:]],
            [conv.output[0]],
            name=conv.name,
            kernel_shape=[6, 6],
            strides=[2, 2],
            pads=[2, 2, 2, 2],
        )
        graph.replace([conv, join], [made])
        _drop_unused(graph)
        return


def chain_pools(graph: Graph) -> None:
    """Max pools of 5, 9, 13 over one tensor (SPP) become three of 5 in a chain."""
    takers = graph.takers()
    for source in list(takers):
        pools = [n for n in takers[source] if n.op_type == "MaxPool" and _is_centred(n)]
        sizes = sorted((attribute(node, "kernel_shape")[0], i) for i, node in enumerate(pools))
        steps = {b - a for (a, _), (b, _) in pairwise(sizes)}
        if len(pools) < 2 or steps != {sizes[0][0] - 1}:
            continue
        size = sizes[0][0]
        made, before = [], source
        for _, i in sizes:
            made.append(
                helper.make_node(
                    "MaxPool",
                    [before],
                    [pools[i].output[0]],
                    name=pools[i].name,
                    kernel_shape=[size, size],
                    strides=[1, 1],
                    pads=[size // 2] * 4,
                )
            )
            before = pools[i].output[0]
        graph.replace(pools, made)


def convolve_before_enlarging(graph: Graph) -> None:
    """Conv1x1(Concat(Enlarge(a), b)) becomes Enlarge(Conv1x1(a)) + Conv1x1(b).

    A 1x1 convolution and enlarging by repetition may change places; before it there is a quarter
    of the pixels.
    """
    for join in [node for node in graph.nodes if node.op_type == "Concat"]:
        makers, takers = graph.makers(), graph.takers()
        if len(join.input) != 2 or join.input[0] not in makers:
            continue
        enlarge = makers[join.input[0]]
        convs = takers[join.output[0]]
        if (
            enlarge.op_type != "Resize"
            or len(takers[enlarge.output[0]]) != 1
            or not all(_is_plain(conv, 1) for conv in convs)
        ):
            continue
        source = enlarge.input[0]
        shapes = graph.shapes()
        channels = shapes[source][1]
        for conv in convs:
            graph.replace([conv], _apart(graph, conv, enlarge, join.input[1], channels))
        _drop_unused(graph)


def _apart(
    graph: Graph, conv: NodeProto, enlarge: NodeProto, beside: str, channels: int
) -> list[NodeProto]:
    out = conv.output[0]
    weights = graph.constants[conv.input[1]]
    graph.constants[f"{out}_wa"] = weights[:, :channels]
    graph.constants[f"{out}_wb"] = weights[:, channels:]
    small, wide, full = copy.deepcopy(conv), copy.deepcopy(enlarge), copy.deepcopy(conv)
    small.name, wide.name = f"{conv.name}_a", f"{enlarge.name}_{out}"
    del small.input[:]
    small.input.extend([enlarge.input[0], f"{out}_wa"])
    small.output[0] = wide.input[0] = f"{out}_a"
    wide.output[0] = f"{out}_wide"
    full.input[0], full.input[1], full.output[0] = beside, f"{out}_wb", f"{out}_b"
    total = helper.make_node("Add", [f"{out}_b", f"{out}_wide"], [out], name=f"{conv.name}_sum")
    return [small, wide, full, total]


def write_rows(graph: Graph, rows: int | None) -> None:
    """YOLOX's output is written row by row, and only the columns that are kept.

    Its export joins channels of all scales, then turns the whole; turned scale by scale, a
    runtime reads its own layout into rows directly. Columns: 4 of the box, objectness, classes.
    """
    makers = graph.makers()
    turn = makers.get(graph.outputs[0])
    if turn is None or turn.op_type != "Transpose" or attribute(turn, "perm") != [0, 2, 1]:
        return
    join = makers[turn.input[0]]
    flats = [makers.get(name) for name in join.input]
    if join.op_type != "Concat" or not all(n is not None and n.op_type == "Reshape" for n in flats):
        return
    scales = [makers[flat.input[0]] for flat in flats if flat is not None]
    if not all(scale.op_type == "Concat" and len(scale.input) == 3 for scale in scales):
        return
    shape = graph.shapes()[graph.outputs[0]]
    kept = shape[2] if rows is None else rows
    graph.constants["rows_shape"] = np.array([1, -1, kept], np.int64)
    made = []
    for scale in scales:
        name = scale.output[0]
        _keep(graph, makers[makers[scale.input[2]].input[0]], kept - 5)
        made.append(
            helper.make_node(
                "Transpose",
                [name],
                [f"{name}_turned"],
                perm=[0, 2, 3, 1],
                name=f"{scale.name}_turn",
            )
        )
        made.append(
            helper.make_node(
                "Reshape",
                [f"{name}_turned", "rows_shape"],
                [f"{name}_rows"],
                name=f"{scale.name}_rows",
            )
        )
    names = [f"{scale.output[0]}_rows" for scale in scales]
    made.append(helper.make_node("Concat", names, [graph.outputs[0]], axis=1, name=join.name))
    graph.replace([turn, join, *[flat for flat in flats if flat is not None]], made)
    graph.resize_output(graph.outputs[0], (1, shape[1], kept))


def _keep(graph: Graph, conv: NodeProto, channels: int) -> None:
    """Only the first output channels of a convolution."""
    for place in (1, 2):
        name = f"{conv.output[0]}_kept{place}"
        graph.constants[name] = graph.constants[conv.input[place]][:channels]
        conv.input[place] = name


def _square_corner(
    graph: Graph, makers: dict[str, NodeProto], name: str
) -> tuple[str, int, int] | None:
    """Where every second pixel comes from: the source and the first row and column, else None."""
    start = [0, 0]
    node = makers.get(name)
    while node is not None and node.op_type == "Slice":
        first, _, axes, steps = (graph.constants[one] for one in node.input[1:5])
        if steps.tolist() != [2] or axes.tolist()[0] not in (2, 3):
            return None
        start[axes.tolist()[0] - 2] = int(first[0])
        name = node.input[0]
        node = makers.get(name)
    return name, start[0], start[1]


def _is_plain(conv: NodeProto, size: int) -> bool:
    """A convolution of this size, stride 1, one group, that keeps the picture's size."""
    return (
        conv.op_type == "Conv"
        and attribute(conv, "kernel_shape") == [size, size]
        and attribute(conv, "strides", [1, 1]) == [1, 1]
        and attribute(conv, "group", 1) == 1
        and attribute(conv, "pads", [0, 0, 0, 0]) == [size // 2] * 4
    )


def _is_centred(pool: NodeProto) -> bool:
    size = attribute(pool, "kernel_shape")
    alone: bool = attribute(pool, "strides", [1, 1]) == [1, 1] and size[0] == size[1]
    return alone and attribute(pool, "pads", [0, 0, 0, 0]) == [int(size[0]) // 2] * 4


def _drop_unused(graph: Graph) -> None:
    """Leave out nodes whose outputs nobody takes."""
    while True:
        taken = {name for node in graph.nodes for name in node.input} | set(graph.outputs)
        kept = [node for node in graph.nodes if any(name in taken for name in node.output)]
        if len(kept) == len(graph.nodes):
            return
        graph.nodes = kept


def weights_of(graph: Graph, conv: NodeProto) -> tuple[Array, Array]:
    """A convolution's weights and bias (zeros where it has none)."""
    weights = graph.constants[conv.input[1]]
    if len(conv.input) > 2:
        return weights, graph.constants[conv.input[2]]
    return weights, np.zeros(weights.shape[0], np.float32)
