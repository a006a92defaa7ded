"""How the sink is doing now: written by the subscriber, read by the web server's threads."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

# The subscriber comes round several times a second; longer means that a disk or a lock hangs.
_STUCK_S = 20.0

NOT_YET = "not yet connected"


@dataclass(slots=True)
class Condition:
    """Each field is one assignment, so that no reader sees half a change.

    Args:
        broker: what is wrong with the link, None while subscribed.
        store: what is wrong with the store, None after a good commit.
        beat: when the subscriber last came round (monotonic seconds).
    """

    broker: str | None = NOT_YET
    store: str | None = None
    beat: float = field(default_factory=time.monotonic)

    def troubles(self) -> dict[str, str | None]:
        """Each part and what is wrong with it, None where it is well."""
        age = time.monotonic() - self.beat
        stuck = f"no sign of life for {age:.0f} s" if age > _STUCK_S else None
        return {"broker": self.broker, "store": self.store, "subscriber": stuck}
