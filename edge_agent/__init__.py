"""The shelf unit: camera to counts, counts to the broker. See docs/architecture.md."""

__version__ = "0.1.0"
