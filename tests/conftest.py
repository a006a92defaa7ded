"""What tests share: where the real data is, and which system packages a test needs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says what else the machine does; what tests time they time themselves.
settings.register_profile("shelflight", deadline=None)
settings.load_profile("shelflight")

DATA = os.environ.get("SHELFLIGHT_DATA")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real footage, models and sequences."""
    if not DATA:
        pytest.skip("set SHELFLIGHT_DATA to the folder of test data")
    return Path(DATA).resolve()


def _needs(program: str, package: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"apt-get install {package}")
    return path


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """Path of the real broker."""
    return _needs("mosquitto", "mosquitto")


@pytest.fixture(scope="session")
def gcc() -> str:
    """Path of the compiler, for what is preloaded into services."""
    return _needs("gcc", "gcc libc6-dev")


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """Path of ffmpeg."""
    return _needs("ffmpeg", "ffmpeg")


@pytest.fixture(scope="session")
def gst_launch() -> str:
    """Path of GStreamer's launcher."""
    return _needs("gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-base")
