"""How each model of a unit is run: as the site file says, else as measured on this board."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from edge_agent.config import RuntimeConfig, Site
from edge_agent.config.device import FILE, Choice, Device, difference, load_device, this_device
from edge_agent.errors import ModelError
from edge_agent.manifest import Manifest, ModelEntry, model_path, models_directory, verify
from edge_agent.runtimes import Runtime, open_runtime

_log = logging.getLogger(__name__)


class Runs:
    """Opens the models that a site names.

    Args:
        site: where it leaves `runtime` out, device.yaml in the models' folder decides.
        manifest: all models.
        here: what this runs on; None = look.

    Raises:
        ConfigError: device.yaml has mistakes.
    """

    def __init__(self, site: Site, manifest: Manifest, here: Device | None = None) -> None:
        self._manifest = manifest
        self._said = site.runtime
        self._measured = {} if site.runtime is not None else measured(models_directory(), here)

    def open(self, name: str) -> tuple[ModelEntry, Runtime]:
        """Verify and load a model.

        Returns:
            The entry of what really runs (a model, or its int8 form where that was found best).

        Raises:
            ModelError: it is unknown, missing, not the file it should be, or does not fit.
        """
        choice = self._choice(self._manifest.get(name))
        entry = self._manifest.get(choice.run)
        path = model_path(entry)
        verify(entry, path)
        runtime = choice.runtime
        tflite = runtime.tflite.value if runtime.tflite is not None else None
        return entry, open_runtime(entry, path, runtime.threads, runtime.providers, tflite)

    def _choice(self, entry: ModelEntry) -> Choice:
        if self._said is not None:
            return Choice(entry.name, self._said)
        choice = self._measured.get(entry.name)
        if choice is None:
            return Choice(entry.name, RuntimeConfig())
        try:
            best = self._manifest.get(choice.run)
            verify(best, model_path(best))
        except ModelError as error:
            # A unit that counts more slowly is better than one that does not count.
            _log.warning("model %s: not run as measured (%s): %s", entry.name, FILE, error)
            return Choice(entry.name, RuntimeConfig())
        return choice


def measured(directory: Path, here: Device | None = None) -> Mapping[str, Choice]:
    """What was found best on this board; nothing where that was another board or runtime.

    Raises:
        ConfigError: the file has mistakes.
    """
    path = directory / FILE
    config = load_device(path)
    if config is None:
        return {}
    changed = difference(config.device, here or this_device())
    if changed is not None:
        _log.warning(
            "%s was not measured on this board as it is now (%s) and is left aside; "
            "run: python -m models bench --write",
            path,
            changed,
        )
        return {}
    return config.models
