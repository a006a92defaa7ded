"""Frames laid out as a Raspberry Pi camera hands them over."""

from __future__ import annotations

import cv2
import numpy as np


def i420(picture: np.ndarray, stride: int) -> np.ndarray:
    """A BGR picture as picamera2 lays it out: rows of Y, then of U and V at half the stride."""
    height, width = picture.shape[:2]
    planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    luma = planes[: height * width].reshape(height, width)
    chroma = planes[height * width :].reshape(height, width // 2)
    memory = np.full(height * stride * 3 // 2, 99, np.uint8)
    memory[: height * stride].reshape(height, stride)[:, :width] = luma
    memory[height * stride :].reshape(height, stride // 2)[:, : width // 2] = chroma
    return memory.reshape(height * 3 // 2, stride)
