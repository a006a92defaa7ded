from __future__ import annotations

import cv2
import numpy as np
import pytest
from planes import i420
from tiny_models import input_spec

from edge_agent.manifest import Axes, Colour, Dtype
from edge_agent.observations import Frame, Layout
from edge_agent.tensor import InputTensor, PictureReader


@pytest.fixture
def pixels():
    return np.random.default_rng(1).integers(0, 256, (10, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("axes", Axes)
@pytest.mark.parametrize("colour", Colour)
@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        (Dtype.FLOAT32, (0.0, 255.0)),
        (Dtype.FLOAT32, (0.0, 1.0)),
        (Dtype.FLOAT32, (-1.0, 1.0)),
        (Dtype.UINT8, (0.0, 255.0)),
    ],
)
def test_every_layout_colour_and_range_is_written_where_it_belongs(
    pixels, axes, colour, dtype, scale
):
    spec = input_spec(16, 20, axes, dtype, colour, scale, pad=7)
    tensor = InputTensor(spec)
    tensor.write(pixels, Colour.BGR, left=3, top=2)

    whole = np.full((16, 20, 3), 7, np.float64)
    whole[2:12, 3:15] = pixels if colour is Colour.BGR else pixels[..., ::-1]
    whole = whole / 255 * (scale[1] - scale[0]) + scale[0]
    expected = whole.transpose(2, 0, 1) if axes is Axes.NCHW else whole
    assert tensor.array.shape == spec.shape
    assert tensor.array.dtype == dtype.value
    np.testing.assert_allclose(tensor.array[0], expected, rtol=0, atol=1e-4)


def test_the_array_stays_the_same_and_clear_leaves_only_padding(pixels):
    tensor = InputTensor(input_spec(16, 20, pad=9))
    array = tensor.array
    tensor.write(pixels, Colour.BGR)
    tensor.clear()
    assert tensor.array is array
    assert (array == 9).all()


@pytest.mark.parametrize("stride", [48, 64])
@pytest.mark.parametrize("colour", Colour)
def test_an_i420_frame_is_read_without_its_row_padding(stride, colour):
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:16, :24] = (200, 60, 30)
    picture[16:, 24:] = (20, 90, 220)
    frame = Frame(i420(picture, stride), 0.0, 48, 32, Layout.I420)
    pixels, found = PictureReader(colour).read(frame)
    assert found is colour
    assert pixels.shape == (32, 48, 3)
    expected = picture if colour is Colour.BGR else picture[..., ::-1]
    np.testing.assert_allclose(pixels.astype(int), expected.astype(int), atol=4)


def scene(width, height):
    """Smooth colours, which survive being resized in any order."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    return np.stack([60 + 120 * x, 200 - 150 * y, 40 + 80 * x * y], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("colour", Colour)
@pytest.mark.parametrize(("axes", "dtype"), [
    (Axes.NHWC, Dtype.UINT8), (Axes.NHWC, Dtype.FLOAT32), (Axes.NCHW, Dtype.FLOAT32),
])  # fmt: skip
@pytest.mark.parametrize(
    ("size", "fitted"),
    [
        ((640, 360), (320, 180)),  # 16:9 above padding
        ((320, 180), (320, 180)),  # as the camera's own small stream
        ((640, 480), (256, 192)),
        ((480, 270), (319, 179)),  # odd
        ((160, 90), (320, 180)),  # enlarged
    ],
)
def test_a_whole_frame_is_fitted_into_the_top_left_in_place(
    layout, colour, axes, dtype, size, fitted
):
    picture = scene(*size)
    image = picture if layout is Layout.BGR else i420(picture, size[0] + 32)
    tensor = InputTensor(input_spec(192, 320, axes, dtype, colour, pad=7))
    array, (width, height) = tensor.array, fitted
    tensor.fit(Frame(image, 0.0, *size, layout), width, height)
    assert tensor.array is array
    found = array[0].transpose(1, 2, 0) if axes is Axes.NCHW else array[0]
    expected = cv2.resize(picture, fitted)
    expected = expected if colour is Colour.BGR else expected[..., ::-1]
    np.testing.assert_allclose(found[:height, :width], expected.astype(float), atol=5)
    assert (found[height:] == 7).all()
    assert (found[:, width:] == 7).all()


def test_frames_of_other_sizes_follow_each_other():
    tensor = InputTensor(input_spec(192, 320, Axes.NHWC, Dtype.UINT8, Colour.RGB))
    for size in ((640, 360), (1280, 720), (320, 180), (640, 360)):
        frame = Frame(i420(scene(*size), size[0]), 0.0, *size, Layout.I420)
        tensor.fit(frame, 320, 180)
        expected = scene(320, 180)[..., ::-1]
        np.testing.assert_allclose(tensor.array[0, :180].astype(int), expected, atol=5)


def test_a_frame_that_is_read_for_several_people_is_converted_once(monkeypatch):
    calls = []
    convert = cv2.cvtColor
    monkeypatch.setattr(cv2, "cvtColor", lambda *a, **k: calls.append(a[1]) or convert(*a, **k))
    reader = PictureReader(Colour.RGB)
    image = i420(scene(64, 48), 64)
    calls.clear()
    for t in (0.0, 0.0, 0.2):
        reader.read(Frame(image, t, 64, 48, Layout.I420))
    assert len(calls) == 2  # the next frame may lie in the same memory


def test_a_bgr_frame_is_read_without_a_copy(pixels):
    found, colour = PictureReader(Colour.RGB).read(Frame(pixels, 0.0, 12, 10))
    assert found is pixels
    assert colour is Colour.BGR
