"""The seed of what a proof draws: another one each time, or the one that is asked for."""

from __future__ import annotations

import os
import random


def seed() -> int:
    """``PROVE_SEED`` where it is set, to draw the same again; else a new one."""
    asked = os.environ.get("PROVE_SEED")
    return int(asked) if asked else random.SystemRandom().randrange(1_000_000)
