"""What the unit saw and counted, drawn over the recording: for the bench, never on a unit."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.config import Site
from edge_agent.errors import InputError
from edge_agent.geometry import Polygon
from edge_agent.observations import Frame, Layout, Tracks
from edge_agent.pipeline import Analysis

Colour = tuple[int, int, int]
# Okabe and Ito's palette (2008), which people with any colour vision tell apart; BGR.
_FLOOR: Colour = (115, 158, 0)
_SHELF: Colour = (0, 159, 230)
_FACING: Colour = (167, 121, 204)
_PERSON: Colour = (233, 180, 86)
_TENTATIVE: Colour = (160, 160, 160)
_JOINT: Colour = (66, 228, 240)
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
# Bones between rows of the COCO-17 order.
_BONES = (
    (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12), (11, 12),
    (11, 13), (13, 15), (12, 14), (14, 16), (0, 1), (0, 2), (1, 3), (2, 4),
)  # fmt: skip
_SHOWN_SCORE = 0.3
# Small recordings are drawn larger, so that figures can be read.
_LEAST_WIDTH = 960


class Overlay:
    """A video file that grows by one frame at a time.

    Args:
        path: an .mp4.
        site: whose zones are drawn.
    """

    def __init__(self, path: Path, site: Site) -> None:
        self._path = path
        self._site = site
        self._fps = site.camera.fps
        self._writer: cv2.VideoWriter | None = None
        self._visits: Counter[str] = Counter()
        self._dwell: dict[str, float] = defaultdict(float)

    def add(self, frame: Frame, analysis: Analysis) -> None:
        """Draw one analysed frame.

        Raises:
            InputError: the file cannot be written.
        """
        picture = _picture(frame)
        height, width = picture.shape[:2]
        for visit in analysis.visits:
            self._visits[visit.zone] += 1
            self._dwell[visit.zone] += visit.dwell_s
        self._draw_zones(picture)
        _draw_people(picture, analysis.tracks)
        if analysis.poses is not None:
            for keypoints in analysis.poses.keypoints:
                _draw_skeleton(picture, keypoints * (width, height, 1))
        self._draw_counts(picture, frame.t)
        self._open((width, height)).write(picture)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()

    def _open(self, size: tuple[int, int]) -> cv2.VideoWriter:
        if self._writer is None:
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), code, self._fps, size)
            if not self._writer.isOpened():
                raise InputError(f"{self._path}: cannot write a video there; name an .mp4 file")
        return self._writer

    def _draw_zones(self, picture: NDArray[Any]) -> None:
        for zone in self._site.zones:
            for polygon, colour in ((zone.floor, _FLOOR), (zone.shelf, _SHELF)):
                if polygon is not None:
                    _draw_polygon(picture, polygon, colour, zone.name)
            for facing in zone.facings:
                _draw_polygon(picture, facing.polygon, _FACING, facing.name)

    def _draw_counts(self, picture: NDArray[Any], t: float) -> None:
        lines = [f"{t:6.1f} s"]
        for zone in self._site.zones:
            visits = self._visits[zone.name]
            mean = self._dwell[zone.name] / visits if visits else 0.0
            plural = "visit" if visits == 1 else "visits"
            lines.append(f"{zone.name}: {visits} {plural}, {mean:.1f} s each")
        for i, line in enumerate(lines):
            _label(picture, line, (10, 26 + 24 * i), _BLACK)


def _picture(frame: Frame) -> NDArray[Any]:
    image = frame.image
    if frame.layout is Layout.I420:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_YUV2BGR_I420), np.uint8)[:, : frame.width]
    scale = max(1.0, _LEAST_WIDTH / frame.width)
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)


def _draw_polygon(picture: NDArray[Any], polygon: Polygon, colour: Colour, name: str) -> None:
    height, width = picture.shape[:2]
    points = (np.array(polygon.points) * (width, height)).round().astype(np.int32)
    tint = picture.copy()
    cv2.fillPoly(tint, [points], colour)
    cv2.addWeighted(tint, 0.2, picture, 0.8, 0, dst=picture)
    cv2.polylines(picture, [points], True, colour, 2, cv2.LINE_AA)
    x, y = points[points.sum(axis=1).argmin()].tolist()
    _label(picture, name, (x + 4, y + 18), colour)


def _draw_people(picture: NDArray[Any], tracks: Tracks) -> None:
    height, width = picture.shape[:2]
    corners = (tracks.boxes * (width, height, width, height)).round().astype(int).tolist()
    for i, (x0, y0, x1, y1) in enumerate(corners):
        colour = _PERSON if tracks.confirmed[i] else _TENTATIVE
        cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 2)
        cv2.circle(picture, ((x0 + x1) // 2, y1), 5, colour, -1, cv2.LINE_AA)
        _label(picture, f"{tracks.ids[i]}  {tracks.scores[i]:.2f}", (x0 + 4, y0 + 18), colour)


def _draw_skeleton(picture: NDArray[Any], keypoints: NDArray[np.float64]) -> None:
    shown = keypoints[:, 2] >= _SHOWN_SCORE
    points = keypoints[:, :2].round().astype(int).tolist()
    for a, b in _BONES:
        if shown[a] and shown[b]:
            cv2.line(picture, points[a], points[b], _JOINT, 2, cv2.LINE_AA)
    for point, visible in zip(points, shown.tolist(), strict=True):
        if visible:
            cv2.circle(picture, point, 4, _JOINT, -1, cv2.LINE_AA)


def _label(picture: NDArray[Any], text: str, at: tuple[int, int], colour: Colour) -> None:
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.55
    (width, height), _ = cv2.getTextSize(text, font, size, 1)
    x, y = at
    cv2.rectangle(picture, (x - 4, y - height - 5), (x + width + 4, y + 6), colour, -1)
    ink = _WHITE if sum(colour) < 3 * 110 else _BLACK
    cv2.putText(picture, text, at, font, size, ink, 1, cv2.LINE_AA)
