"""What is decided about together: a convolution and the activation behind it."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import NodeProto

from models.quantize.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """A convolution, with x * sigmoid(x) (SiLU) straight behind it if there is one.

    Args:
        name: the convolution's output.
        conv: the convolution.
        sigmoid, product: the two nodes of SiLU; None where there is none.
    """

    name: str
    conv: NodeProto
    sigmoid: NodeProto | None
    product: NodeProto | None

    @property
    def output(self) -> str:
        """What the unit hands on."""
        return self.name if self.product is None else str(self.product.output[0])


def units(graph: Graph) -> list[Unit]:
    """All convolutions of a graph, in order, with their SiLU."""
    takers = graph.takers()
    found = []
    for conv in graph.nodes:
        if conv.op_type != "Conv":
            continue
        name = conv.output[0]
        sigmoid, product = None, None
        after = takers.get(name, [])
        if name not in graph.outputs and sorted(n.op_type for n in after) == ["Mul", "Sigmoid"]:
            first, second = sorted(after, key=lambda node: node.op_type, reverse=True)
            if set(second.input) == {name, first.output[0]} and takers[first.output[0]] == [second]:
                sigmoid, product = first, second
        found.append(Unit(name, conv, sigmoid, product))
    return found
