"""What things are called on the way out."""

from __future__ import annotations

import re

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def is_name(text: str) -> bool:
    """Whether text can name a unit, tenant, store, zone, facing or brand; it may be in a topic."""
    return _NAME.fullmatch(text) is not None


def topic(tenant: str, store: str, unit: str, leaf: str) -> str:
    """The MQTT topic of one unit's leaf: counts, state, health or cmd/NAME."""
    return f"shelflight/v1/{tenant}/{store}/{unit}/{leaf}"
