"""Find people in a frame: prepare, run, decode; a module a way of decoding.

The three steps are separate so that a bench can time them; the runtime comes in as a plain
callable.
"""

from __future__ import annotations

from edge_agent.detector.boxes import suppress
from edge_agent.detector.shelflight import ShelflightDetector
from edge_agent.detector.steps import Detector, Run
from edge_agent.detector.yolox import YoloxDetector
from edge_agent.errors import ModelError
from edge_agent.manifest import Decoder, ModelEntry

__all__ = ["Detector", "Run", "ShelflightDetector", "YoloxDetector", "build_detector", "suppress"]

_DECODERS: dict[Decoder, type[Detector]] = {
    Decoder.YOLOX: YoloxDetector,
    Decoder.SHELFLIGHT: ShelflightDetector,
}


def build_detector(entry: ModelEntry, runtime: Run) -> Detector:
    """The detector for the entry's decoder.

    Raises:
        ModelError: the model is no detector.
    """
    decoder = _DECODERS.get(entry.decoder)
    if decoder is None:
        raise ModelError(
            f"model {entry.name} is no detector (decoder {entry.decoder.value}); "
            "name another in models.detector"
        )
    return decoder(entry, runtime)
