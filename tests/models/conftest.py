"""What tests of the models share."""

from __future__ import annotations

import shutil

import pytest


@pytest.fixture
def folder(tmp_path, monkeypatch, data):
    """A folder of models with YOLOX-nano in it, and that the commands use."""
    path = tmp_path / "models"
    path.mkdir()
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(path))
    shutil.copy(data / "models" / "yolox-nano.onnx", path)
    return path
