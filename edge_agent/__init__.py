"""The shelf unit: camera to counts, counts to the broker. See docs/architecture.md."""

import os

__version__ = "0.1.0"

# From 1.29 on onnxruntime reports what it runs to its maker, and keeps a device id and a database
# of that in the user's cache, unless it is told not to before it is imported. `make prove
# PARTS=egress` sees it do so. Here, for nothing of this package is imported sooner.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
