"""A quantized graph in PyTorch, with a gain and a shift for each channel that can be learnt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from onnx import NodeProto
from torch import Tensor, nn
from torch.nn import functional

from edge_agent.errors import ModelError
from models.quantize.graph import Graph, attribute
from models.quantize.tune import STEP

_BYTE = 255
_MOST = 10_000


class Student(nn.Module):
    """The graph as `models.quantize.insert` leaves it, rounding included.

    Rounding passes gradients as if it were not there; what saturates passes none.

    Raises:
        ModelError: the graph has an operator that cannot be learnt through.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        unknown = {node.op_type for node in graph.nodes} - _OPERATORS.keys()
        if unknown:
            raise ModelError(
                f"operators that cannot be fine-tuned through: {', '.join(sorted(unknown))}"
            )
        self._graph = graph
        self.constants = {k: torch.from_numpy(v.copy()) for k, v in graph.constants.items()}
        convs = [node for node in graph.nodes if node.op_type == "Conv"]
        channels = {node.name: attribute_channels(graph, node) for node in convs}
        self._gains = _parameters(channels)
        self._shifts = _parameters(channels)

    def forward(self, pictures: Tensor) -> Tensor:
        """Rows for a batch of inputs."""
        values: dict[str, Tensor] = dict(self.constants)
        values[self._graph.inputs[0]] = pictures
        for node in self._graph.nodes:
            values[node.output[0]] = _OPERATORS[node.op_type](self, node, values)
        return values[self._graph.outputs[0]]

    def gains(self) -> dict[str, tuple[int, ...]]:
        """Steps by convolution and channel."""
        return _whole(self._gains)

    def shifts(self) -> dict[str, tuple[int, ...]]:
        """Steps by convolution and channel."""
        return _whole(self._shifts)

    def convolve(self, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
        """A convolution with its gains and shifts."""
        weights = values[node.input[1]]
        bias = values[node.input[2]] if len(node.input) > 2 else 0.0
        pads = attribute(node, "pads", [0, 0, 0, 0])
        key = _key(node.name)
        return functional.conv2d(
            values[node.input[0]],
            weights * (1 + self._gains[key])[:, None, None, None],
            bias + self._shifts[key],
            stride=attribute(node, "strides", [1, 1]),
            padding=pads[:2],
            groups=attribute(node, "group", 1),
        )


def run_node(student: Student, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    """What one node gives out."""
    found: Tensor = _OPERATORS[node.op_type](student, node, values)
    return found


def attribute_channels(graph: Graph, conv: NodeProto) -> int:
    """Output channels of a convolution, whether its weights are int8 or float."""
    name = conv.input[1]
    array = graph.constants.get(name, graph.constants.get(f"{name}_q"))
    assert array is not None
    return int(array.shape[0])


def _parameters(channels: Mapping[str, int]) -> nn.ParameterDict:
    return nn.ParameterDict(
        {_key(name): nn.Parameter(torch.zeros(count)) for name, count in channels.items()}
    )


def _key(name: str) -> str:
    # A parameter's name may not hold a dot.
    return "conv:" + name.replace(".", "·")


def _whole(parameters: nn.ParameterDict) -> dict[str, tuple[int, ...]]:
    found = {}
    for key, one in parameters.items():
        whole = (one.detach() / STEP).round().clamp(-_MOST, _MOST)
        found[key.removeprefix("conv:").replace("·", ".")] = tuple(int(v) for v in whole.tolist())
    return found


def _quantize(student: Student, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    """Round to steps of 8 bits and stay in the range; the pair's other half does nothing."""
    scale, zero = (student.constants[name].item() for name in node.input[1:])
    found: Tensor = torch.fake_quantize_per_tensor_affine(
        values[node.input[0]], scale, int(zero), 0, _BYTE
    )
    return found


def _dequantize(student: Student, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    value = values[node.input[0]]
    if node.input[0] not in student.constants:
        return value
    scale = values[node.input[1]]
    return value.float() * scale.reshape(-1, *([1] * (value.dim() - 1)))


def _pool(_: Student, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    size = attribute(node, "kernel_shape")
    strides, pads = attribute(node, "strides", [1, 1]), attribute(node, "pads", [0, 0, 0, 0])
    return functional.max_pool2d(values[node.input[0]], size, strides, pads[:2])


def _reshape(_: Student, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    value = values[node.input[0]]
    # The file says batch 1; here there are several.
    return value.reshape(value.shape[0], *values[node.input[1]].tolist()[1:])


def _enlarge(_: Student, node: NodeProto, values: Mapping[str, Tensor]) -> Tensor:
    return functional.interpolate(values[node.input[0]], scale_factor=2, mode="nearest")


_OPERATORS: dict[str, Callable[[Student, NodeProto, Mapping[str, Tensor]], Any]] = {
    "Conv": lambda student, node, values: student.convolve(node, values),
    "Sigmoid": lambda _, node, values: torch.sigmoid(values[node.input[0]]),
    "Mul": lambda _, node, values: values[node.input[0]] * values[node.input[1]],
    "Add": lambda _, node, values: values[node.input[0]] + values[node.input[1]],
    "Clip": lambda _, node, values: values[node.input[0]].clamp(min=values[node.input[1]].item()),
    "Concat": lambda _, node, values: torch.cat(
        [values[name] for name in node.input], attribute(node, "axis")
    ),
    "Transpose": lambda _, node, values: values[node.input[0]].permute(attribute(node, "perm")),
    "MaxPool": _pool,
    "Reshape": _reshape,
    "Resize": _enlarge,
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
}
