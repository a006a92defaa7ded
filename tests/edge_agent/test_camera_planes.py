from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera.planes import I420

EVEN = st.integers(1, 40).map(lambda half: 2 * half)


def gstreamer_picture(layout: I420, y: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """A buffer as GStreamer writes it, with rubbish in the padding."""

    def padded(plane: np.ndarray, stride: int) -> np.ndarray:
        rows = np.full((len(plane), stride), 0xEE, np.uint8)
        rows[:, : plane.shape[1]] = plane
        return rows.ravel()

    chroma = layout.chroma_stride
    return np.concatenate([padded(y, layout.luma_stride), padded(u, chroma), padded(v, chroma)])


@given(EVEN, EVEN, st.integers(0, 2**32 - 1))
def test_every_even_size_becomes_one_stride_with_chroma_at_its_half(width, height, seed):
    layout = I420(width, height)
    random = np.random.default_rng(seed)
    y = random.integers(0, 256, (height, width), np.uint8)
    u, v = random.integers(0, 256, (2, height // 2, width // 2), np.uint8)
    buffer = gstreamer_picture(layout, y, u, v)
    assert buffer.size == layout.size
    image = layout.image(buffer)
    rows, stride = image.shape
    assert rows == height * 3 // 2
    assert stride >= width
    assert image.flags["C_CONTIGUOUS"]
    flat = image.reshape(-1)
    chroma = flat[height * stride :].reshape(2, height // 2, stride // 2)
    assert (image[:height, :width] == y).all()
    assert (chroma[0, :, : width // 2] == u).all()
    assert (chroma[1, :, : width // 2] == v).all()


@pytest.mark.parametrize("width", [640, 416, 1280, 1920, 318])
def test_where_the_rows_fit_already_nothing_is_copied(width):
    layout = I420(width, 48)
    buffer = np.zeros(layout.size, np.uint8)
    assert np.shares_memory(layout.image(buffer), buffer)


@pytest.mark.parametrize("size", [(641, 480), (640, 481), (0, 2), (-2, 2)])
def test_odd_sides_are_refused(size):
    with pytest.raises(ValueError, match="even sides"):
        I420(*size)
