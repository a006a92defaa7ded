"""Where frames come from: one protocol, the source chosen by the site file.

A source is imported only when it is asked for, so that a unit with a ribbon camera never loads
OpenCV's video back ends and a desk never misses picamera2.
"""

from __future__ import annotations

from typing import Protocol

from edge_agent.clock import Clock
from edge_agent.config import CameraConfig, Source
from edge_agent.observations import Frame
from edge_agent.records import Trouble


class Camera(Protocol):
    """A source of frames, already thinned out to the analysed rate (``CameraConfig.fps``)."""

    def read(self) -> Frame | None:
        """The next frame to analyse; None when a recording is over (and ever after).

        A live camera gives its freshest frame and never one twice; times strictly increase.

        Raises:
            CameraStalled: no frame within ``CameraConfig.stall_s``.
            CameraError: the camera broke off.
        """

    def close(self) -> None:
        """Let go of device, file, thread and child process; a second call does nothing."""

    def troubles(self) -> frozenset[Trouble]:
        """What was wrong with the source so far: CLOCK_JUMPED, CLIP_TRUNCATED."""


def open_camera(
    config: CameraConfig, clock: Clock, model_size: tuple[int, int] | None = None
) -> Camera:
    """Open the source that the site file names.

    Args:
        config: which one, and how.
        clock: paces a recording; stamps frames of cameras that do not say when they were taken.
        model_size: width and height of the detector's input in pixels, for cameras that can
            deliver it.

    Returns:
        The camera, running. The caller closes it.

    Raises:
        ClipError: the recording is missing or cannot be read.
        CameraError: the camera is absent or gave no first frame.
        ValueError: a recording of detections was asked for frames; see `recorded`.
    """
    if config.source is Source.FILE:
        from edge_agent.camera.file import FileCamera

        if config.loop:
            from edge_agent.camera.looped import LoopedCamera

            return LoopedCamera(lambda: FileCamera(config, clock), 1 / config.fps)
        return FileCamera(config, clock)
    if config.source is Source.V4L2:
        from edge_agent.camera.v4l2 import open_v4l2

        return open_v4l2(config, clock)
    if config.source is Source.GSTREAMER:
        from edge_agent.camera.gstreamer import open_gstreamer

        return open_gstreamer(config, clock)
    if config.source is Source.PICAMERA2:
        from edge_agent.camera.picamera import PiCamera

        return PiCamera(config, model_size)
    raise ValueError("a recording of detections holds no frames: use recorded.open_recording")
