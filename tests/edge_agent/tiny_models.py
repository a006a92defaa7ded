"""Manifest entries and ONNX files for tests that have no real model at hand."""

from __future__ import annotations

from pathlib import Path

from edge_agent.manifest import (
    Axes,
    Colour,
    Decoder,
    Dtype,
    InputSpec,
    Limits,
    ModelEntry,
    Task,
)


def input_spec(
    height: int = 64,
    width: int = 64,
    axes: Axes = Axes.NCHW,
    dtype: Dtype = Dtype.FLOAT32,
    colour: Colour = Colour.BGR,
    scale: tuple[float, float] = (0.0, 255.0),
    pad: int = 114,
) -> InputSpec:
    shape = (1, 3, height, width) if axes is Axes.NCHW else (1, height, width, 3)
    return InputSpec("images", shape, axes, dtype, colour, *scale, pad)


def entry(
    spec: InputSpec | None = None,
    decoder: Decoder = Decoder.YOLOX,
    limits: Limits | None = None,
    file: str = "tiny.onnx",
) -> ModelEntry:
    return ModelEntry(
        name="tiny",
        task=Task.DETECT,
        file=file,
        size=1,
        sha256="0" * 64,
        licence="Apache-2.0",
        origin="a test",
        url="http://localhost/tiny.onnx",
        input=spec or input_spec(),
        decoder=decoder,
        limits=limits or Limits(0.1, 0.5),
    )


def write_onnx(path: Path, shape: tuple[int, ...], operator: str = "Identity") -> Path:
    """An ONNX file with one operator from float32 `images` to `output`, in protobuf by hand."""
    dims = b"".join(_field(1, _number(1, size)) for size in shape)
    kind = _field(2, _field(1, _number(1, 1) + _field(2, dims)))  # elem_type 1 = float
    node = _field(1, b"images") + _field(2, b"output") + _field(4, operator.encode())
    graph = (
        _field(1, node)
        + _field(2, b"tiny")
        + _field(11, _field(1, b"images") + kind)
        + _field(12, _field(1, b"output") + kind)
    )
    opset = _number(2, 13)
    path.write_bytes(_number(1, 8) + _field(7, graph) + _field(8, opset))
    return path


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(tag: int, value: int) -> bytes:
    return _varint(tag << 3) + _varint(value)


def _field(tag: int, payload: bytes) -> bytes:
    return _varint(tag << 3 | 2) + _varint(len(payload)) + payload
