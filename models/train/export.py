"""From trained weights to the file that ships: eight bits, pixels in as the camera gives them.

Activations are unsigned 8 bit with one range a tensor, weights signed with one range a channel and
seven of the eight bits used: on x86 without VNNI two products of full range overflow the 16 bits
that they are added in (Intel's VPMADDUBSW). The two heads stay in float: they are 1 % of the work,
and what they say (cells, logits) has no common range.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantType,
    quantize_static,
)

from models.train.examples import INPUT
from models.train.network import Network, fold

IMAGES, GRID, MAPS = "images", "grid", "maps"
HEADS = ("grid_head", "map_head")
_OPSET = 17


def export(network: Network, path: Path) -> None:
    """Write the network as float32 ONNX: images [1, 3, H, W], RGB 0..1, to grid and maps."""
    example = torch.zeros(1, 3, INPUT[1], INPUT[0])
    with warnings.catch_warnings():
        # The exporter that needs no further package is deprecated, not gone.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            fold(network),
            (example,),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=[IMAGES],
            output_names=[GRID, MAPS],
        )


def quantize(fp32: Path, path: Path, images: Sequence[NDArray[np.uint8]]) -> None:
    """Write the float model as int8 that takes uint8 [1, H, W, 3] RGB.

    Args:
        fp32: from `export`.
        path: the file to write, aside first.
        images: uint8 [H, W, 3] RGB, to learn the ranges of activations from.
    """
    model = onnx.load(fp32)
    heads = [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and set(node.output) & {GRID, MAPS}
    ]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_static(
                str(fp32),
                str(raw),
                _Reader(images),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                nodes_to_exclude=heads,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"ActivationSymmetric": False},
            )
        made = _from_bytes(onnx.load(raw))
    onnx.checker.check_model(made)
    aside = path.with_name(path.name + ".part")
    aside.write_bytes(made.SerializeToString(deterministic=True))
    os.replace(aside, path)


class _Reader(CalibrationDataReader):
    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = self._feeds(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._images, None)

    @staticmethod
    def _feeds(images: Sequence[NDArray[np.uint8]]) -> Iterator[dict[str, NDArray[np.float32]]]:
        for image in images:
            yield {IMAGES: (image.transpose(2, 0, 1)[None] / 255).astype(np.float32)}


def _from_bytes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the pixels themselves as its input: 1/255 is their scale."""
    graph = model.graph
    quantizer = next(node for node in graph.node if IMAGES in node.input)
    reader = next(node for node in graph.node if quantizer.output[0] in node.input)
    constants: dict[str, Any] = {
        reader.input[1]: np.array(1 / 255, np.float32),
        reader.input[2]: np.array(0, np.uint8),
    }
    for initializer in graph.initializer:
        if initializer.name in constants:
            initializer.CopyFrom(
                numpy_helper.from_array(constants[initializer.name], initializer.name)
            )
    planes = helper.make_node("Transpose", [IMAGES], [quantizer.output[0]], perm=[0, 3, 1, 2])
    planes.name = "planes"
    place = list(graph.node).index(quantizer)
    graph.node.remove(quantizer)
    graph.node.insert(place, planes)
    shape = [1, INPUT[1], INPUT[0], 3]
    graph.input[0].CopyFrom(helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, shape))
    del graph.value_info[:]
    model.producer_name, model.producer_version = "shelflight", ""
    return model
