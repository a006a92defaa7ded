from __future__ import annotations

import pytest
from camera_stand_ins import HandClock, write_avi

from edge_agent.camera import open_camera
from edge_agent.config import CameraConfig


@pytest.fixture
def camera(tmp_path):
    clip = write_avi(tmp_path / "clip.avi", frames=10)
    camera = open_camera(CameraConfig(path=clip, fps=5, pace=0, loop=True), HandClock())
    yield camera
    camera.close()


def test_after_the_last_picture_the_first_comes_again_and_time_goes_on(camera):
    """One second at ten frames a second, every second one analysed."""
    seen = [camera.read() for _ in range(15)]
    assert [frame.t for frame in seen] == pytest.approx([number * 0.2 for number in range(15)])
    assert (seen[0].image == seen[5].image).all()
    assert (seen[0].image != seen[4].image).any()


def test_once_closed_it_is_over(camera):
    assert camera.read() is not None
    camera.close()
    assert camera.read() is None
    assert camera.read() is None
