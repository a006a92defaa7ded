"""A model's input, written in place: no picture-sized array is made per frame.

Between a `Frame` and a model's input lie colour (BGR or I420 to what the model takes), a place in
the input and a number format. Buffers are made once per size of frame and used again. Of an I420
frame the planes are resized first, half of the bytes of a colour picture, and only the pixels that
the model takes are ever converted: for a uint8 model straight into its input.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.manifest import Axes, Colour, Dtype, InputSpec
from edge_agent.observations import Frame, Layout

Pixels = NDArray[np.uint8]

_DTYPES = {Dtype.FLOAT32: np.float32, Dtype.UINT8: np.uint8}
_FROM_I420 = {Colour.BGR: cv2.COLOR_YUV2BGR_I420, Colour.RGB: cv2.COLOR_YUV2RGB_I420}


class InputTensor:
    """The array that a runtime takes, and the way into it.

    Args:
        spec: what the model takes.

    Attributes:
        array: [1, 3, height, width] or [1, height, width, 3] as the spec says; padding all over
            until written.
    """

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        self._scale = (spec.high - spec.low) / 255.0
        self._plain = (spec.low, spec.high) == (0.0, 255.0)
        self.array: NDArray[Any] = np.empty(spec.shape, _DTYPES[spec.dtype])
        self._bytes = np.empty(spec.shape[1:], np.uint8)
        self._direct = spec.axes is Axes.NHWC and spec.dtype is Dtype.UINT8
        self._picture: Pixels = np.empty((0, 0, 3), np.uint8)
        self._planes = _Planes()
        self.clear()

    def clear(self) -> None:
        """Fill it with padding."""
        pad = float(self._spec.pad)
        self.array.fill(pad if self._plain else pad * self._scale + self._spec.low)

    def fit(self, frame: Frame, width: int, height: int) -> None:
        """Write a whole frame, resized, into the top left; the rest stays as it is.

        Args:
            frame: BGR or I420, valid for this call alone.
            width: columns of the input that it takes, not more than there are.
            height: rows.
        """
        if frame.layout is Layout.I420 and self._direct:
            target = self.array[0, :height, :width]
            self._planes.convert(frame, _FROM_I420[self._spec.colour], target)
        elif frame.layout is Layout.I420:
            picture = self._room(width, height)
            self._planes.convert(frame, _FROM_I420[self._spec.colour], picture)
            self.write(picture, self._spec.colour)
        elif (frame.width, frame.height) == (width, height):
            self.write(frame.image, Colour.BGR)
        else:
            picture = self._room(width, height)
            cv2.resize(frame.image, (width, height), dst=picture, interpolation=cv2.INTER_LINEAR)
            self.write(picture, Colour.BGR)

    def write(self, pixels: Pixels, colour: Colour, left: int = 0, top: int = 0) -> None:
        """Write pixels into a part of the input; the rest stays as it is.

        Args:
            pixels: uint8 [h, w, 3]; with left and top not larger than the input.
            colour: the channel order of pixels; it is swapped on the way if the model's differs.
            left: column of the input at which the pixels begin.
            top: row of the input at which they begin.
        """
        height, width = pixels.shape[:2]
        place = (slice(top, top + height), slice(left, left + width))
        if self._spec.axes is Axes.NHWC:
            self._write_interleaved(pixels, colour, place)
        else:
            self._write_planes(pixels, colour, place)

    def _room(self, width: int, height: int) -> Pixels:
        if self._picture.shape[:2] != (height, width):
            self._picture = np.empty((height, width, 3), np.uint8)
        return self._picture

    def _write_interleaved(
        self, pixels: Pixels, colour: Colour, place: tuple[slice, slice]
    ) -> None:
        target = self.array[0][place]
        if colour is self._spec.colour:
            self._cast(pixels, target)
        elif self._spec.dtype is Dtype.UINT8:
            cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=target)
        else:
            swapped = self._bytes[place]
            cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=swapped)
            self._cast(swapped, target)

    def _write_planes(self, pixels: Pixels, colour: Colour, place: tuple[slice, slice]) -> None:
        every = (slice(None), *place)
        planes = self._bytes[every]
        # Splitting bytes and then casting whole planes is six times faster than one strided copy.
        cv2.split(pixels, list(planes if colour is self._spec.colour else planes[::-1]))
        self._cast(planes, self.array[0][every])

    def _cast(self, source: Pixels, target: NDArray[Any]) -> None:
        if self._plain:
            np.copyto(target, source, casting="unsafe")
        else:
            np.multiply(source, self._scale, out=target, casting="unsafe")
            np.add(target, self._spec.low, out=target, casting="unsafe")


class _Planes:
    """An I420 frame at another size, in colour."""

    def __init__(self) -> None:
        self._packed: Pixels = np.empty((0, 0), np.uint8)
        self._even: Pixels = np.empty((0, 0, 3), np.uint8)

    def convert(self, frame: Frame, code: int, target: Pixels) -> None:
        """Fill a picture with the frame.

        Args:
            frame: I420, rows of any stride.
            code: OpenCV's conversion.
            target: uint8 [h, w, 3], perhaps a part of a larger array.
        """
        height, width = target.shape[:2]
        if width % 2 or height % 2:  # I420 has even sides
            shape = (height + height % 2, width + width % 2, 3)
            if self._even.shape != shape:
                self._even = np.empty(shape, np.uint8)
            self.convert(frame, code, self._even)
            cv2.resize(self._even, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
            return
        if frame.image.shape == (height * 3 // 2, width):
            cv2.cvtColor(frame.image, code, dst=target)
            return
        if self._packed.shape != (height * 3 // 2, width):
            self._packed = np.empty((height * 3 // 2, width), np.uint8)
        for source, plane in zip(
            _planes(frame.image, frame.width, frame.height),
            _planes(self._packed, width, height),
            strict=True,
        ):
            cv2.resize(source, plane.shape[::-1], dst=plane, interpolation=cv2.INTER_LINEAR)
        cv2.cvtColor(self._packed, code, dst=target)


def _planes(image: Pixels, width: int, height: int) -> tuple[Pixels, Pixels, Pixels]:
    """Y, U and V as views, without the padding of their rows."""
    stride = image.shape[1]
    chroma = image.reshape(-1)[height * stride :].reshape(2, height // 2, stride // 2)
    return image[:height, :width], chroma[0, :, : width // 2], chroma[1, :, : width // 2]


class PictureReader:
    """A frame's picture as uint8 [height, width, 3].

    Args:
        colour: the channel order wanted of frames that must be converted anyway.
    """

    def __init__(self, colour: Colour) -> None:
        self._colour = colour
        self._converted: Pixels = np.empty((0, 0, 3), np.uint8)
        self._known: tuple[int, float] | None = None

    def read(self, frame: Frame) -> tuple[Pixels, Colour]:
        """The picture and its colour order.

        A BGR frame's picture is the frame's own memory. An I420 frame is converted once, row
        padding included (its U and V rows are half a stride long, as picamera2 hands them over),
        and the picture is the left part; it is valid until the next frame is read.
        """
        if frame.layout is Layout.BGR:
            return frame.image, Colour.BGR
        stride = frame.image.shape[1]
        if self._converted.shape[:2] != (frame.height, stride):
            self._converted = np.empty((frame.height, stride, 3), np.uint8)
        # The same frame is read once for each person in it.
        known = (id(frame.image), frame.t)
        if known != self._known:
            cv2.cvtColor(frame.image, _FROM_I420[self._colour], dst=self._converted)
            self._known = known
        return self._converted[:, : frame.width], self._colour
