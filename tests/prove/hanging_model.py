"""A unit's vision whose model can be made to hang: `python -m tests.prove.hanging_model FLAG …`.

Once the file FLAG is there, the next inference takes it away and runs a real network that loops for
ever (FLAG.onnx, the Loop operator): no Python runs in it, as with an accelerator that is stuck.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime as ort

from edge_agent import __main__
from edge_agent.runtimes.onnx import OnnxRuntime

ROUNDS = 1 << 62


def write_endless(path: Path) -> None:
    """A network of one loop that nobody lives to see the end of."""
    from onnx import TensorProto, checker, helper, save

    truth = helper.make_tensor_value_info("on", TensorProto.BOOL, [])
    number = helper.make_tensor_value_info("x", TensorProto.FLOAT, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["still"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), truth, number],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, []),
        ],
    )
    loop = helper.make_node("Loop", ["rounds", "", "start"], ["end"], body=body)
    rounds = helper.make_tensor("rounds", TensorProto.INT64, [], [ROUNDS])
    start = helper.make_tensor_value_info("start", TensorProto.FLOAT, [])
    end = helper.make_tensor_value_info("end", TensorProto.FLOAT, [])
    graph = helper.make_graph([loop], "endless", [start], [end], [rounds])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(made)
    save(made, str(path))


def _hanging(flag: Path, run: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: OnnxRuntime, tensor: Any) -> Any:
        if flag.exists():
            flag.unlink()
            import numpy as np

            endless = ort.InferenceSession(f"{flag}.onnx", providers=["CPUExecutionProvider"])
            endless.run(None, {"start": np.array(1, np.float32)})
        return run(self, tensor)

    return call


def main() -> int:
    """Run the agent's own command line."""
    OnnxRuntime.__call__ = _hanging(Path(sys.argv[1]), OnnxRuntime.__call__)  # type: ignore[method-assign]
    return __main__.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
