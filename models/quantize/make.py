"""From a float model and a recipe to the int8 file: the same bytes each time."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from edge_agent.errors import ModelError
from edge_agent.manifest import digest, record_path
from models.quantize.clamp import clamp_activations
from models.quantize.graph import Graph, read_graph
from models.quantize.insert import insert
from models.quantize.prune import pruned
from models.quantize.recipe import Recipe
from models.quantize.rewrite import rewrite


def make(source: Path, recipe: Recipe) -> bytes:
    """The int8 file's content.

    Raises:
        ModelError: the source is not the file that the recipe is for, or cannot be quantized.
    """
    found = digest(source)
    if found != recipe.source_sha256:
        raise ModelError(
            f"{source} is not the {recipe.source} that the recipe is for: its SHA-256 is "
            f"{found[:12]}…, the recipe says {recipe.source_sha256[:12]}…; pull it, or make a new "
            "recipe with --images DIR"
        )
    return content(by_recipe(read_graph(source), recipe))


def by_recipe(graph: Graph, recipe: Recipe) -> Graph:
    """All steps of a recipe.

    Raises:
        ModelError: it names what the graph does not have.
    """
    try:
        return finish(rewrite(graph, recipe.rows), recipe)
    except KeyError as error:
        raise ModelError(
            f"the recipe for {recipe.source} names {error}, which the model does not have; make a "
            "new recipe with --images DIR"
        ) from error


def finish(rewritten: Graph, recipe: Recipe) -> Graph:
    """The steps that follow on the rewrites.

    Raises:
        KeyError: the recipe names what the graph does not have.
    """
    clamped = clamp_activations(narrowed(rewritten, recipe), recipe.clamps)
    return halve_weights(insert(clamped, recipe))


def narrowed(rewritten: Graph, recipe: Recipe) -> Graph:
    """The graph without the channels that the recipe leaves out.

    Raises:
        KeyError: the recipe names what the graph does not have.
    """
    return pruned(rewritten, recipe.dropped, recipe.solved)


def halve_weights(graph: Graph) -> Graph:
    """Hold the weights of what stays in float as float16: half the file, the same speed.

    A runtime turns them back once, when it loads the file. They keep 11 bits; int8 keeps 8.
    """
    made = graph.copy()
    before = []
    for node in made.nodes:
        name = node.input[1] if node.op_type == "Conv" else ""
        if name in made.constants:
            made.constants[f"{name}_half"] = made.constants.pop(name).astype(np.float16)
            before.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    made.nodes = before + made.nodes
    return made


def content(graph: Graph) -> bytes:
    """A graph as a file's bytes.

    Raises:
        ModelError: what was made is no valid model.
    """
    model = graph.model()
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ModelError(f"the quantized model is not valid: {error}") from error
    return model.SerializeToString(deterministic=True)


def put(made: bytes, path: Path) -> None:
    """Write a file beside its place, record its hash, then rename.

    Raises:
        ModelError: it cannot be written there.
    """
    part = path.with_name(path.name + ".part")
    record = record_path(path)
    record_part = record.with_name(record.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(made)
        record_part.write_text(f"{hashlib.sha256(made).hexdigest()}  {path.name}\n", "ascii")
        part.replace(path)
        record_part.replace(record)
    except OSError as error:
        for left in (part, record_part):
            with suppress(OSError):
                left.unlink()
        raise ModelError(
            f"{path} cannot be written: {error}; mend that or set SHELFLIGHT_MODELS to another "
            "folder"
        ) from error
