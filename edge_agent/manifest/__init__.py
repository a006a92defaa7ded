"""The models' manifest, read as data: what each model is, what it takes and how it is read.

The file lies in the ``models`` package, which is located but never imported: a unit runs without
the code that fetches, quantizes and trains.
"""

from edge_agent.manifest.entry import (
    Axes,
    Colour,
    Decoder,
    Dtype,
    InputSpec,
    Limits,
    Manifest,
    ModelEntry,
    Supply,
    Task,
)
from edge_agent.manifest.files import (
    digest,
    expected_digest,
    model_path,
    models_directory,
    recipe_path,
    record_path,
    verify,
)
from edge_agent.manifest.read import load

__all__ = [
    "Axes",
    "Colour",
    "Decoder",
    "Dtype",
    "InputSpec",
    "Limits",
    "Manifest",
    "ModelEntry",
    "Supply",
    "Task",
    "digest",
    "expected_digest",
    "load",
    "model_path",
    "models_directory",
    "recipe_path",
    "record_path",
    "verify",
]
