from __future__ import annotations

import subprocess
import sys

import pytest

from edge_agent.config import Source


@pytest.mark.parametrize(
    "asked", ["", "open_camera(CameraConfig(source=Source.GSTREAMER, width=1), SystemClock())"]
)
def test_opencv_is_not_loaded_for_a_source_that_does_not_need_it(asked):
    program = (
        "import sys\n"
        "from edge_agent.camera import open_camera\n"
        "from edge_agent.camera.recorded import open_recording\n"
        "from edge_agent.camera.picamera import PiCamera\n"
        "from edge_agent.clock import SystemClock\n"
        "from edge_agent.config import CameraConfig, Source\n"
        f"try: {asked or 'pass'}\n"
        "except Exception as error: pass\n"
        "print('cv2' in sys.modules, 'picamera2' in sys.modules)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False False\n"


def test_every_source_of_the_site_file_is_known():
    assert {source.value for source in Source} == {
        "file", "picamera2", "v4l2", "gstreamer", "recorded",
    }  # fmt: skip
