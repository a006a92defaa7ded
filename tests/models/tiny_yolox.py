"""A YOLOX of a few kilobytes with random weights, in ONNX: every pattern of the real one."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 64
CELLS = 64 + 16 + 4
CLASSES = 3


class Builder:
    """Collects nodes and weights."""

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._count = 0

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        self._count += 1
        output = output or f"t{self._count}"
        self.nodes.append(
            helper.make_node(kind, inputs, [output], name=f"{kind}_{self._count}", **attributes)
        )
        return output

    def conv(
        self, source: str, into: int, out: int, size: int = 1, stride: int = 1, group: int = 1
    ):
        spread = 1.5 / np.sqrt(into / group * size * size)
        weights = self._draw.normal(0, spread, (out, into // group, size, size))
        bias = self._draw.normal(0, 0.3, out)
        return self.node(
            "Conv",
            [source, self.constant(weights.astype(np.float32)),
             self.constant(bias.astype(np.float32))],
            kernel_shape=[size, size], strides=[stride, stride], pads=[size // 2] * 4, group=group,
        )  # fmt: skip

    def silu(self, source: str) -> str:
        return self.node("Mul", [source, self.node("Sigmoid", [source])])

    def unit(self, *arguments: object, **options: object) -> str:
        return self.silu(self.conv(*arguments, **options))

    def half(self, source: str, axis: int, start: int) -> str:
        ends = [np.array([one], np.int64) for one in (start, 1 << 40, axis, 2)]
        return self.node("Slice", [source, *(self.constant(one) for one in ends)])

    def twice(self, source: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize", [source, self.constant(np.zeros(0, np.float32)), scales],
            mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip


def tiny_yolox(seed: int = 0, channels: int = 16) -> onnx.ModelProto:
    """Input `images` float32 [1, 3, 64, 64], output rows [1, 84, 8]."""
    b = Builder(seed)
    scaled = b.node("Mul", ["images", b.constant(np.array(1 / 128, np.float32))])
    corners = [b.half(b.half(scaled, 2, y), 3, x) for x in (0, 1) for y in (0, 1)]
    stem = b.unit(b.node("Concat", corners, axis=1), 12, channels, 3)
    eighth = b.unit(b.unit(stem, channels, channels, 3, 2), channels, channels, 3, 2)
    sixteenth = b.unit(eighth, channels, channels, 3, 2)
    deep = b.unit(sixteenth, channels, channels, 3, 2)
    pools = [
        b.node("MaxPool", [deep], kernel_shape=[k, k], strides=[1, 1], pads=[k // 2] * 4)
        for k in (5, 9, 13)
    ]
    deep = b.unit(b.node("Concat", [deep, *pools], axis=1), 4 * channels, channels)
    joined = b.node("Concat", [b.twice(deep), sixteenth], axis=1)
    middle = b.node(
        "Add", [b.unit(joined, 2 * channels, channels), b.unit(joined, 2 * channels, channels)]
    )
    scales = [_head(b, one, channels) for one in (eighth, middle, deep)]
    flat = []
    for scale, cells in zip(scales, (64, 16, 4), strict=True):
        shape = b.constant(np.array([1, 5 + CLASSES, cells], np.int64))
        flat.append(b.node("Reshape", [scale, shape]))
    b.node("Transpose", [b.node("Concat", flat, axis=2)], "output", perm=[0, 2, 1])
    graph = helper.make_graph(
        b.nodes, "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, CELLS, 5 + CLASSES])],
        b.constants,
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    return model


def _head(b: Builder, source: str, channels: int) -> str:
    stem = b.unit(source, channels, channels)
    branches = []
    for _ in range(2):
        one = stem
        for _ in range(2):
            one = b.unit(one, channels, channels, 3, group=channels)
            one = b.unit(one, channels, channels)
        branches.append(one)
    classes = b.node("Sigmoid", [b.conv(branches[0], channels, CLASSES)])
    box = b.conv(branches[1], channels, 4)
    objectness = b.node("Sigmoid", [b.conv(branches[1], channels, 1)])
    return b.node("Concat", [box, objectness, classes], axis=1)


def pictures(count: int, seed: int = 1) -> list[np.ndarray]:
    """Inputs for it: blocks of random colours."""
    draw = np.random.default_rng(seed)
    small = draw.uniform(0, 255, (count, 1, 3, 8, 8)).astype(np.float32)
    return [one.repeat(8, axis=2).repeat(8, axis=3) for one in small]
