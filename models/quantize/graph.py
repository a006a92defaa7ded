"""An ONNX graph that can be looked at and changed: who makes a tensor, who takes it, constants."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper, shape_inference, version_converter

from edge_agent.errors import ModelError

# The first operator set in which a QuantizeLinear may have a scale per channel.
OPSET = 13
# What that set was published with; older runtimes refuse files that claim to be newer.
_IR_VERSION = 8
_PRODUCER = "shelflight"

Array = NDArray[Any]


class Graph:
    """A model's graph, single-batch, with its constants as arrays.

    Args:
        model: the file's content; it is copied.

    Attributes:
        nodes: in an order in which each comes after what it needs.
        constants: arrays by tensor name.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self.nodes: list[NodeProto] = list(self._model.graph.node)
        self.constants: dict[str, Array] = {
            one.name: numpy_helper.to_array(one) for one in self._model.graph.initializer
        }

    @property
    def inputs(self) -> list[str]:
        """Names of what is fed in."""
        return [one.name for one in self._model.graph.input if one.name not in self.constants]

    @property
    def outputs(self) -> list[str]:
        """Names of what comes out."""
        return [one.name for one in self._model.graph.output]

    def copy(self) -> Graph:
        """One that can be changed without changing this one."""
        return Graph(self.model())

    def makers(self) -> dict[str, NodeProto]:
        """The node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.output}

    def takers(self) -> dict[str, list[NodeProto]]:
        """The nodes that take each tensor, in order."""
        found: dict[str, list[NodeProto]] = {}
        for node in self.nodes:
            for name in node.input:
                found.setdefault(name, []).append(node)
        return found

    def data_inputs(self, node: NodeProto) -> list[str]:
        """A node's inputs that are no constants."""
        return [name for name in node.input if name and name not in self.constants]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Sizes of each tensor that can be told without running.

        Raises:
            ModelError: the sizes contradict each other.
        """
        try:
            known = shape_inference.infer_shapes(self.model(), strict_mode=True).graph
        except shape_inference.InferenceError as error:
            raise ModelError(f"the model's shapes do not fit together: {error}") from error
        values = [*known.value_info, *known.input, *known.output]
        return {
            one.name: tuple(size.dim_value for size in one.type.tensor_type.shape.dim)
            for one in values
        }

    def replace(self, old: Iterable[NodeProto], new: Iterable[NodeProto]) -> None:
        """Put new nodes where the last of the old ones was."""
        gone = {id(node) for node in old}
        last = max(i for i, node in enumerate(self.nodes) if id(node) in gone)
        before = [node for node in self.nodes[:last] if id(node) not in gone]
        self.nodes = [*before, *new, *self.nodes[last + 1 :]]

    def resize_output(self, name: str, shape: Iterable[int]) -> None:
        """Say that an output has other sizes than the file said."""
        for one in self._model.graph.output:
            if one.name == name:
                one.CopyFrom(
                    helper.make_tensor_value_info(name, one.type.tensor_type.elem_type, [*shape])
                )

    def model(self, watch: Iterable[str] = ()) -> onnx.ModelProto:
        """The graph as a model; constants that nobody takes are left out.

        Args:
            watch: further float tensors to give out, after the outputs.
        """
        made = onnx.ModelProto()
        made.ir_version = _IR_VERSION
        made.producer_name = _PRODUCER
        made.opset_import.add(version=OPSET)
        graph = made.graph
        graph.name = self._model.graph.name
        graph.input.extend(one for one in self._model.graph.input if one.name not in self.constants)
        graph.output.extend(self._model.graph.output)
        graph.output.extend(
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in watch
        )
        graph.node.extend(self.nodes)
        taken = {name for node in self.nodes for name in node.input}
        graph.initializer.extend(
            numpy_helper.from_array(array, name)
            for name, array in self.constants.items()
            if name in taken
        )
        return made


def read_graph(path: Path) -> Graph:
    """Load a file, brought to the operator set that quantizing needs.

    Raises:
        ModelError: it is no ONNX file, or uses what that operator set does not have.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except (OSError, DecodeError, onnx.checker.ValidationError) as error:
        raise ModelError(f"{path}: is no ONNX file that can be quantized: {error}") from error
    unknown = {one.domain for one in model.opset_import} - {"", "ai.onnx"}
    if unknown:
        raise ModelError(
            f"{path}: has operators of {', '.join(sorted(unknown))}; only standard ONNX operators "
            "can be quantized, export the model without them"
        )
    version = next((one.version for one in model.opset_import), 0)
    if version != OPSET:
        try:
            model = version_converter.convert_version(model, OPSET)
        except RuntimeError as error:
            raise ModelError(
                f"{path}: cannot be brought from operator set {version} to {OPSET}: {error}; "
                f"export it with operator set {OPSET}"
            ) from error
    graph = Graph(model)
    _name_nodes(graph)
    return graph


def _name_nodes(graph: Graph) -> None:
    """Recipes call convolutions by name: each gets one of its own."""
    known: set[str] = set()
    for node in graph.nodes:
        if not node.name or node.name in known:
            node.name = f"{node.op_type}_{node.output[0]}"
        known.add(node.name)


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """A node's attribute as Python has it."""
    for one in node.attribute:
        if one.name == name:
            return helper.get_attribute_value(one)
    return default


def set_attribute(node: NodeProto, name: str, value: Any) -> None:
    """Give a node an attribute, in place of the one that it may have."""
    kept = [one for one in node.attribute if one.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def scalar(value: float) -> Array:
    """A float32 constant without axes."""
    return np.array(value, np.float32)
