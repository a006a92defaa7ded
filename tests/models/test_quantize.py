"""From a float model to the int8 file: each step on a tiny YOLOX."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from tiny_yolox import pictures, tiny_yolox

from edge_agent.errors import ModelError
from edge_agent.manifest import record_path
from models.quantize.clamp import clamp_activations, fit_clamp
from models.quantize.develop import Measured, Settings, develop
from models.quantize.graph import Graph, read_graph
from models.quantize.insert import insert, weight_scales
from models.quantize.loss import loss
from models.quantize.make import content, finish, make, put
from models.quantize.recipe import Recipe, empty_recipe, read_recipe, write_recipe
from models.quantize.rewrite import rewrite
from models.quantize.run import outputs
from models.quantize.search import calibrated
from models.quantize.units import units

INPUTS = pictures(6)


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("float") / "tiny.onnx"
    path.write_bytes(tiny_yolox().SerializeToString())
    return path


@pytest.fixture(scope="module")
def graph(source) -> Graph:
    return read_graph(source)


@pytest.fixture(scope="module")
def empty(source) -> Recipe:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return empty_recipe("tiny", digest, len(INPUTS), "0" * 64, 6)


@pytest.fixture(scope="module")
def recipe(graph, empty) -> Recipe:
    """Developed once; prices are high enough that little is changed, and something is."""

    @contextmanager
    def silent(_text, _total):
        yield lambda: None

    settings = Settings(price=3e2, tried_on=3)
    return develop(rewrite(graph, 6), empty, INPUTS, settings, Measured(), silent)


def rows(graph: Graph) -> np.ndarray:
    return np.concatenate([found[0] for found in outputs(graph, INPUTS, 1)])


def kinds(graph: Graph) -> list[str]:
    return [node.op_type for node in graph.nodes]


def test_rewrites_keep_the_function(graph):
    short = rewrite(graph, None)
    assert np.abs(rows(short) - rows(graph)).max() < 1e-4


def test_rewrites_leave_nothing_of_what_costs_time(graph):
    short = rewrite(graph, None)
    assert "Slice" in kinds(graph)
    assert "Slice" not in kinds(short)
    pools = [node for node in short.nodes if node.op_type == "MaxPool"]
    assert {node.attribute[0].ints[0] for node in pools} == {5}
    makers = short.makers()
    enlarged = [makers[node.input[0]] for node in short.nodes if node.op_type == "Resize"]
    assert [node.op_type for node in enlarged] == ["Conv", "Conv"]


def test_only_the_columns_that_are_read_are_kept(graph):
    short = rewrite(graph, 6)
    assert rows(short).shape == (len(INPUTS), 84, 6)
    assert np.abs(rows(short) - rows(graph)[:, :, :6]).max() < 1e-4
    assert short.shapes()["output"] == (1, 84, 6)


def test_no_two_neighbouring_weights_saturate_sixteen_bits():
    weights = np.random.default_rng(0).normal(0, 1, (8, 32, 1, 1)).astype(np.float32)
    weights[0, :2] = 5.0  # the worst case: two of the largest side by side
    scales = weight_scales(weights)
    whole = np.clip(np.round(weights[:, :, 0, 0] / scales[:, None]), -127, 127)
    pairs = whole.reshape(8, 16, 2)
    most = np.abs(np.clip(pairs, 0, None).sum(axis=2)).max()
    least = np.abs(np.clip(pairs, None, 0).sum(axis=2)).max()
    assert 255 * max(most, least) <= 32767 + 255  # rounding may add a half to each
    assert np.abs(whole).max() > 64, "no bit is given away where it need not be"


def test_int8_is_near_float_and_only_what_was_named_runs_in_it(graph, empty):
    short = rewrite(graph, 6)
    names = tuple(unit.name for unit in units(short)[1:5])
    made = calibrated(short, replace(empty, int8=names), INPUTS, 1, np.random.default_rng(0))[
        "least error"
    ]
    mixed = insert(short, made)
    weights = [n for n in mixed.constants.values() if n.dtype == np.int8 and n.ndim == 4]
    assert len(weights) == 4
    wanted, found = rows(short), rows(mixed)
    assert not np.array_equal(found, wanted)
    assert np.abs(found - wanted).mean() < 0.05 * wanted.std()


def test_a_clamp_that_fits_a_ramp_is_the_ramp():
    clamp = fit_clamp(np.linspace(6, 12, 1000))
    assert clamp.scale == pytest.approx(1, abs=0.01)
    assert clamp.shift == pytest.approx(0, abs=0.1)
    assert fit_clamp(np.linspace(-3, 3, 1000)).floor < 0


def test_a_clamp_replaces_silu_and_saturation_replaces_the_clamp(graph, empty):
    short = rewrite(graph, 6)
    unit = units(short)[2]
    clamp = fit_clamp(np.linspace(-4, 4, 1000))
    clamped = clamp_activations(short, {unit.name: clamp})
    assert kinds(clamped).count("Sigmoid") == kinds(short).count("Sigmoid") - 1
    assert kinds(clamped).count("Clip") == 1
    recipe = replace(empty, clamps={unit.name: clamp}, int8=(unit.name,))
    recipe = calibrated(short, recipe, INPUTS, 1, np.random.default_rng(0))["least error"]
    mixed = insert(clamped, recipe)
    assert "Clip" not in kinds(mixed)
    assert recipe.ranges[unit.output][0] == pytest.approx(clamp.floor, abs=0.01)
    assert np.abs(rows(mixed) - rows(clamped)).mean() < 0.02


def test_a_recipe_is_developed_by_measurement(graph, recipe):
    assert recipe.int8 or recipe.clamps
    short = rewrite(graph, 6)
    wanted = [found[0] for found in outputs(short, INPUTS, 1)]
    found = [one[0] for one in outputs(finish(short, recipe), INPUTS, 1)]
    assert loss(wanted, found) < 0.01


def test_the_same_recipe_makes_the_same_bytes_also_once_it_was_written(source, recipe, tmp_path):
    path = tmp_path / "tiny-int8.json"
    write_recipe(recipe, path)
    assert make(source, read_recipe(path)) == make(source, recipe)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_the_file_is_smaller_and_onnxruntime_takes_it(source, recipe):
    made = make(source, recipe)
    assert len(made) < source.stat().st_size
    onnx.checker.check_model(onnx.load_from_string(made))


def test_a_recipe_for_another_file_is_refused(source, recipe):
    other = replace(recipe, source_sha256="f" * 64)
    with pytest.raises(ModelError, match="is not the tiny that the recipe is for"):
        make(source, other)


def test_a_recipe_that_names_what_the_model_lacks_is_refused(source, recipe):
    with pytest.raises(ModelError, match="names 'nowhere', which the model does not have"):
        make(source, replace(recipe, int8=("nowhere",)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 7}', '{"format": 1}'])
def test_a_broken_recipe_says_how_to_make_a_new_one(tmp_path, text):
    path = tmp_path / "recipe.json"
    with pytest.raises(ModelError, match="there is no recipe"):
        read_recipe(path)
    path.write_text(text)
    with pytest.raises(ModelError, match=r"is no recipe .*make a new one with --images"):
        read_recipe(path)


def test_what_is_no_onnx_file_is_refused(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ModelError, match="is no ONNX file that can be quantized"):
        read_graph(path)
    with pytest.raises(ModelError, match="is no ONNX file that can be quantized"):
        read_graph(tmp_path / "nowhere.onnx")


def test_an_operator_that_is_not_onnx_is_refused(tmp_path):
    model = tiny_yolox()
    model.graph.node[0].op_type = "Sharpen"
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="Sharpen"):
        read_graph(path)
    model.graph.node[0].domain = "org.example"
    model.opset_import.append(helper.make_opsetid("org.example", 1))
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=r"has operators of org\.example"):
        read_graph(path)


def test_a_model_that_gives_no_rows_cannot_be_developed_for(empty):
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Relu", ["images"], ["output"])],
            "other",
            [helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
            [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
        )
    )
    with pytest.raises(ModelError, match="person scores of YOLOX's rows"):
        develop(Graph(model), empty, INPUTS, Settings(), Measured(), lambda _t, _n: None)


def test_the_file_is_put_in_place_with_its_hash_and_nothing_is_left_half_written(tmp_path):
    path = tmp_path / "models" / "m.onnx"
    put(b"abc", path)
    assert path.read_bytes() == b"abc"
    assert record_path(path).read_text() == f"{hashlib.sha256(b'abc').hexdigest()}  m.onnx\n"
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be written"):
        put(b"abc", tmp_path / "file" / "m.onnx")
    assert sorted(one.name for one in path.parent.iterdir()) == ["m.onnx", "m.onnx.sha256"]


def test_a_graph_that_is_not_valid_is_not_written(graph):
    broken = graph.copy()
    broken.nodes[0].op_type = "Sharpen"
    with pytest.raises(ModelError, match="not valid"):
        content(broken)
