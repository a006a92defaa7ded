from __future__ import annotations

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


def test_a_bgr_frame_is_read_without_a_copy(pixels):
    found, colour = PictureReader(Colour.RGB).read(Frame(pixels, 0.0, 12, 10))
    assert found is pixels
    assert colour is Colour.BGR
