"""GStreamer's memory layout of raw I420, and that of a `Frame`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class I420:
    """How one picture lies in GStreamer's default layout.

    Every row of every plane starts at a multiple of 4 bytes (GstVideoInfo's default strides,
    GST_ROUND_UP_4 in video-info.c), so a row of U is not always half a row of Y.

    Args:
        width: pixels, even.
        height: pixels, even.
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 2 or self.height < 2 or self.width % 2 or self.height % 2:
            raise ValueError(f"I420 has even sides, not {self.width} x {self.height}")

    @property
    def luma_stride(self) -> int:
        """Bytes of a row of Y."""
        return _up4(self.width)

    @property
    def chroma_stride(self) -> int:
        """Bytes of a row of U or V."""
        return _up4(self.width // 2)

    @property
    def size(self) -> int:
        """Bytes of a picture."""
        return self.height * (self.luma_stride + self.chroma_stride)

    def image(self, buffer: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture as a `Frame` wants it: one stride, that of U and V its half.

        Args:
            buffer: uint8 [size].

        Returns:
            uint8 [height * 3 / 2, stride], stride = twice that of chroma: the buffer itself where
            the rows fit already (three widths in four), else a copy.
        """
        rows, stride = self.height * 3 // 2, 2 * self.chroma_stride
        if stride == self.luma_stride:
            return buffer.reshape(rows, stride)
        image = np.zeros((rows, stride), np.uint8)
        luma = self.height * self.luma_stride
        image[: self.height, : self.luma_stride] = buffer[:luma].reshape(self.height, -1)
        image.reshape(-1)[self.height * stride :] = buffer[luma:]
        return image


def _up4(count: int) -> int:
    return -(-count // 4) * 4
