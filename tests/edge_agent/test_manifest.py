from __future__ import annotations

import copy
import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from edge_agent import manifest
from edge_agent.errors import ModelError
from edge_agent.manifest import Axes, Colour, Decoder, Dtype, Supply, Task

GOOD = {
    "models": {
        "one": {
            "task": "detect",
            "file": "one.onnx",
            "bytes": 3,
            "sha256": hashlib.sha256(b"abc").hexdigest(),
            "licence": "MIT",
            "origin": "someone",
            "url": "https://example.org/one.onnx",
            "input": {
                "name": "images",
                "shape": [1, 3, 64, 96],
                "layout": "NCHW",
                "dtype": "float32",
                "colour": "BGR",
                "range": [0, 1],
                "pad": 114,
            },
            "decoder": "yolox",
            "thresholds": {"score": 0.2, "iou": 0.5},
        }
    }
}


def load(tmp_path: Path, document: object) -> manifest.Manifest:
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(document))
    return manifest.load(path)


def changed(at: str, value: object) -> dict:
    """GOOD with one key of model `one` set, or removed for None."""
    document = copy.deepcopy(GOOD)
    section = document["models"]["one"]
    *way, last = at.split(".")
    for key in way:
        section = section[key]
    if value is None:
        del section[last]
    else:
        section[last] = value
    return document


def test_the_installed_manifest_names_a_detector_and_a_pose_model():
    installed = manifest.load()
    detector, pose = installed.get("yolox-nano"), installed.get("movenet-lightning-int8")
    assert (detector.task, detector.decoder) == (Task.DETECT, Decoder.YOLOX)
    assert (pose.task, pose.decoder) == (Task.POSE, Decoder.MOVENET_SINGLE)
    assert (detector.input.axes, detector.input.dtype) == (Axes.NCHW, Dtype.FLOAT32)
    assert (pose.input.axes, pose.input.dtype) == (Axes.NHWC, Dtype.UINT8)
    assert detector.limits.score <= 0.1, "the tracker's second band needs the doubtful ones"


def test_the_installed_manifest_names_a_close_look_beside_the_built_in_detector():
    installed = manifest.load()
    reach = installed.built_in_reach
    assert (reach.task, reach.decoder, reach.supply) == (Task.REACH, Decoder.REACH, Supply.BUILT_IN)
    assert (reach.input.shape, reach.input.dtype) == ((1, 6, 96, 96), Dtype.UINT8)
    assert reach.input.colour is Colour.BGR
    assert installed.built_in is not reach
    manifest.verify(reach, manifest.model_path(reach))
    assert manifest.model_path(reach).stat().st_size == reach.size < 1_000_000


def a_close_look():
    document = changed("input.shape", [1, 6, 96, 96])
    document["models"]["one"].update(task="reach", decoder="reach")
    return document


@pytest.mark.parametrize(
    ("task", "people", "joints"),
    [("detect", True, False), ("pose", False, True), ("both", True, True), ("reach", False, False)],
)
def test_a_task_says_what_a_model_finds(tmp_path, task, people, joints):
    document = a_close_look() if task == "reach" else changed("task", task)
    (entry,) = load(tmp_path, document).entries
    assert (entry.finds_people, entry.finds_joints) == (people, joints)


def test_a_close_look_takes_six_planes_and_nothing_else_does(tmp_path):
    (entry,) = load(tmp_path, a_close_look()).entries
    assert (entry.input.width, entry.input.height, entry.input.channels) == (96, 96, 6)
    with pytest.raises(ModelError, match=r"models\.one\.input\.shape.*a close look: 6"):
        load(tmp_path, changed("input.shape", [1, 4, 96, 96]))
    with pytest.raises(ModelError, match=r"models\.one\.input\.shape: 6 channels; 3 are allowed"):
        load(tmp_path, changed("input.shape", [1, 6, 96, 96]))
    with pytest.raises(ModelError, match=r"models\.one\.decoder: .* reach goes with task reach"):
        load(tmp_path, changed("decoder", "reach"))


def test_without_a_built_in_close_look_there_is_none(tmp_path):
    fetched = a_close_look()
    assert load(tmp_path, fetched).built_in_reach is None
    with pytest.raises(ModelError, match="no built-in model"):
        assert load(tmp_path, fetched).built_in
    own = fetched["models"]["own"] = copy.deepcopy(fetched["models"]["one"])
    own.update(built_in=True)
    del own["url"]
    assert load(tmp_path, fetched).built_in_reach.name == "own"


def test_the_installed_manifest_names_the_real_files(data):
    for entry in manifest.load().entries:
        if entry.supply is Supply.MADE:
            continue
        path = manifest.model_path(entry, data / "models")
        manifest.verify(entry, path)
        assert path.stat().st_size == entry.size


def test_an_entry_is_read_as_it_stands(tmp_path):
    (entry,) = load(tmp_path, GOOD).entries
    assert (entry.name, entry.size, entry.licence) == ("one", 3, "MIT")
    assert (entry.input.width, entry.input.height) == (96, 64)
    assert (entry.input.low, entry.input.high, entry.input.pad) == (0.0, 1.0, 114)
    assert entry.input.colour is Colour.BGR
    assert (entry.limits.score, entry.limits.iou) == (0.2, 0.5)


def test_height_and_width_follow_the_layout(tmp_path):
    document = changed("input.layout", "NHWC")
    document["models"]["one"]["input"]["shape"] = [1, 64, 96, 3]
    (entry,) = load(tmp_path, document).entries
    assert (entry.input.width, entry.input.height) == (96, 64)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        ("task", "detekt", "models.one.task: 'detekt'; needs detect or pose or both or reach"),
        ("file", "../one.onnx", "models.one.file"),
        ("file", "one.pt", "ends in .onnx or .tflite"),
        ("bytes", 0, "models.one.bytes: 0; needs a whole number, 1.."),
        ("sha256", "abc", "64 lower-case hexadecimal digits"),
        ("url", "file:///etc/passwd", "an http or https address"),
        ("decoder", "yolo", "models.one.decoder: 'yolo'; needs yolox or movenet-single"),
        ("thresholds.score", 1.5, "models.one.thresholds.score: 1.5; needs a number, 0..1"),
        ("thresholds.score", None, "models.one.thresholds.score: is missing"),
        ("thresholds", 3, "models.one.thresholds: 3; needs a mapping"),
        ("licence", None, "models.one.licence: is missing"),
        ("licens", "MIT", "models.one.licens: unknown key; allowed: licence"),
        ("input.shape", [1, 64, 96, 3], "models.one.input.shape"),
        ("input.shape", [2, 3, 64, 96], "models.one.input.shape"),
        ("input.shape", [3, 64, 96], "models.one.input.shape"),
        ("input.shape", "1x3", "models.one.input.shape"),
        ("input.range", [1, 0], "low < high"),
        ("input.range", [0, True], "low < high"),
        ("input.range", 255, "low < high"),
        ("input.pad", 300, "models.one.input.pad: 300; needs a whole number, 0..255"),
        ("input.dtype", "uint8", "uint8 takes pixels as they are"),
        ("macs", 0, "models.one.macs: 0; needs a whole number, 1.."),
        ("built_in", "yes", "models.one.built_in: 'yes'; needs true or false"),
        ("built_in", True, "models.one.url: a model with built_in has none"),
        ("made_from", "two", "models.one.made_from: 'two'; needs another model's name"),
        ("made_from", "one", "models.one.made_from: 'one'; needs another model's name"),
        ("made_from", "two", "models.one.sha256: a model with made_from has none"),
        ("made_from", "two", "models.one.recipe: is missing; needs recipes/NAME.json"),
        ("recipe", "recipes/x.json", "models.one.recipe: only a model with made_from has one"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_is_allowed(tmp_path, at, value, said):
    with pytest.raises(ModelError) as caught:
        load(tmp_path, changed(at, value))
    assert said in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path):
    document = changed("task", "x")
    document["models"]["one"]["bytes"] = "many"
    document["models"]["One"] = document["models"]["one"]
    document["more"] = {}
    with pytest.raises(ModelError) as caught:
        load(tmp_path, document)
    for said in ("models.one.task", "models.one.bytes", "models.One: a name is", "more: unknown"):
        assert said in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "text", {"models": None}, {"models": {"one": 3}}])
def test_a_manifest_of_another_form_is_refused(tmp_path, document):
    with pytest.raises(ModelError, match="mistakes in the manifest"):
        load(tmp_path, document)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\xff"])
def test_a_manifest_that_is_no_yaml_is_refused(tmp_path, content):
    path = tmp_path / "manifest.yaml"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        manifest.load(path)
    with pytest.raises(ModelError, match="cannot be read"):
        manifest.load(tmp_path / "nowhere.yaml")


def test_an_unknown_name_is_answered_with_the_nearest_known():
    with pytest.raises(ModelError, match=r"'yolox-nan'; known: yolox-nano, "):
        manifest.load().get("yolox-nan")
    with pytest.raises(ModelError, match=r"known: .*yolox-nano, .*movenet-lightning-int8"):
        manifest.load().get("zzz")


def test_the_right_file_is_accepted_and_another_is_refused_with_both_hashes(tmp_path):
    (entry,) = load(tmp_path, GOOD).entries
    path = manifest.model_path(entry, tmp_path)
    path.write_bytes(b"abc")
    manifest.verify(entry, path)
    path.write_bytes(b"abd")
    with pytest.raises(ModelError) as caught:
        manifest.verify(entry, path)
    said = str(caught.value)
    assert entry.sha256[:12] in said
    assert hashlib.sha256(b"abd").hexdigest()[:12] in said
    assert "python -m models pull one" in said


def made_and_built_in(tmp_path: Path) -> manifest.Manifest:
    document = changed("macs", 7)
    made = document["models"]["one-int8"] = copy.deepcopy(document["models"]["one"])
    made.update(file="one-int8.onnx", made_from="one", recipe="recipes/one-int8.json")
    for key in ("url", "sha256", "bytes"):
        del made[key]
    own = document["models"]["own"] = copy.deepcopy(document["models"]["one"])
    own.update(file="own.onnx", built_in=True)
    del own["url"]
    return load(tmp_path, document)


def test_a_model_that_is_made_here_is_checked_against_what_was_recorded_when_it_was_made(tmp_path):
    entry = made_and_built_in(tmp_path).get("one-int8")
    assert (entry.supply, entry.made_from, entry.macs) == (Supply.MADE, "one", 7)
    path = manifest.model_path(entry, tmp_path)
    with pytest.raises(ModelError, match=r"is not at .*; run: python -m models quantize one$"):
        manifest.verify(entry, path)
    path.write_bytes(b"made")
    with pytest.raises(ModelError, match="no hash of it is recorded"):
        manifest.verify(entry, path)
    record = manifest.record_path(path)
    record.write_text("torn")
    assert manifest.expected_digest(entry, path) is None
    record.write_text(f"{hashlib.sha256(b'made').hexdigest()}  {path.name}\n")
    manifest.verify(entry, path)
    path.write_bytes(b"other")
    with pytest.raises(ModelError, match=r"the record of its making says .*models quantize one$"):
        manifest.verify(entry, path)


def test_a_built_in_model_lies_in_the_package_wherever_the_models_folder_is(tmp_path):
    entry = made_and_built_in(tmp_path).get("own")
    assert entry.supply is Supply.BUILT_IN
    path = manifest.model_path(entry, tmp_path)
    assert path.parts[-3:] == ("models", "built_in", "own.onnx")
    assert path.is_absolute()
    with pytest.raises(ModelError, match="it is built in: install the package again"):
        manifest.verify(entry, path)


def test_the_committed_recipe_of_a_model_that_is_made_here_is_in_the_package():
    installed = manifest.load()
    recipe = manifest.recipe_path(installed.get("yolox-nano-int8"))
    assert recipe is not None
    assert recipe.parts[-3:] == ("models", "recipes", "yolox-nano-int8.json")
    assert manifest.recipe_path(installed.get("yolox-nano")) is None


def test_a_missing_file_is_answered_with_the_line_that_fetches_it(tmp_path):
    (entry,) = load(tmp_path, GOOD).entries
    with pytest.raises(ModelError, match="python -m models pull one"):
        manifest.verify(entry, tmp_path / "one.onnx")
    with pytest.raises(ModelError, match="cannot be read"):
        manifest.verify(entry, tmp_path)


def test_models_lie_where_the_variable_says_or_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SHELFLIGHT_MODELS", str(tmp_path))
    entry = replace(manifest.load().get("yolox-nano"))
    assert manifest.model_path(entry) == tmp_path / "yolox-nano.onnx"
    monkeypatch.delenv("SHELFLIGHT_MODELS")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    assert manifest.models_directory() == Path("/c/shelflight/models")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/h")
    assert manifest.models_directory() == Path("/h/.cache/shelflight/models")


def test_a_folder_called_models_in_the_current_directory_is_not_taken_for_ours(tmp_path):
    (tmp_path / "models").mkdir()
    code = "from edge_agent import manifest; print('yolox-nano' in manifest.load().names)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "True"


def test_reading_the_manifest_loads_neither_numpy_nor_the_models_package():
    code = (
        "import sys; from edge_agent import manifest; manifest.load()\n"
        "print([name for name in ('numpy', 'cv2', 'models') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "[]"
