"""What OpenCV's captures share."""

from __future__ import annotations

from collections.abc import Callable

import cv2

_ERRORS = 2  # cv::utils::logging::LOG_LEVEL_ERROR


def errors_only() -> None:
    """Keep OpenCV from warning on standard error of what our own messages tell; process-wide."""
    # OpenCV moved the function between 4.11 and 4.14, and its stubs know only one place.
    setter: Callable[[int], object] | None = getattr(cv2, "setLogLevel", None)
    if setter is None:
        setter = vars(cv2.utils)["logging"].setLogLevel
    assert setter is not None
    setter(_ERRORS)
