"""The shelf unit: camera to counts, counts to the broker. See docs/architecture.md."""

import os

__version__ = "0.1.0"

# From 1.29 on onnxruntime's Linux wheels tell their maker about the machine and the models that it
# runs, keep files of that in the user's cache, and read this when they are loaded. Nothing leaves a
# unit but counts.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
