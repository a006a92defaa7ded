"""What of a shelf looks at pixels; all else goes by what these say of them."""

from __future__ import annotations

from edge_agent.config import Facing, Zone
from edge_agent.shelf.ground import Ground
from edge_agent.shelf.patch import Patch
from edge_agent.shelf.plot import Plot


class Eyes:
    """Makes those that look. A recording of what they said is played back by another."""

    def ground(self, _zone: Zone, patch: Patch) -> Ground:
        """For a zone's shelf in frames of one size."""
        return Ground(patch)

    def plot(self, _zone: Zone, facing: Facing, size: tuple[int, int]) -> Plot:
        """For one of a zone's facings in frames of one size, width and height in pixels."""
        return Plot(facing.polygon, size)
