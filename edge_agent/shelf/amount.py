"""How many products are left on a facing that holds several, by the contrast that they give it."""

from __future__ import annotations

from edge_agent.observations import Level

# What of the full facing's contrast the bare board has.
_BARE = 0.1


class Amount:
    """Counts what is left, from full. Products side by side each give the same share of contrast.

    Args:
        holds: how many it holds when full, > 1.

    Attributes:
        left: 0..holds; a facing is taken to be full when it is first seen with products.
    """

    def __init__(self, holds: int) -> None:
        self._holds = holds
        self._full = 0.0
        self.left = 0

    @property
    def level(self) -> Level:
        """Low from half of the products down."""
        if self.left == 0:
            return Level.EMPTY
        return Level.LOW if 2 * self.left <= self._holds else Level.FULL

    def begin(self, present: bool, contrast: float) -> Level:
        """The facing as it is first seen."""
        self._full = contrast if present else contrast / _BARE
        self.left = self._holds if present else 0
        return self.level

    def change(self, contrast: float) -> int:
        """The facing has changed; returns how many products came (> 0) or went (< 0).

        Args:
            contrast: of what lies there now.
        """
        before, self._full = self.left, max(self._full, contrast)
        share = (contrast / max(self._full, 1e-6) - _BARE) / (1 - _BARE)
        self.left = min(max(round(share * self._holds), 0), self._holds)
        return self.left - before
