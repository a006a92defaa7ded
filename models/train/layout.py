"""How the network's two outputs are laid out; `edge_agent.detector.shelflight` reads the same."""

from __future__ import annotations

JOINTS = 17
GRID_STRIDE, MAP_STRIDE = 8, 4
# Channels of the grid: person, four sides, two offsets a joint.
PERSON, SIDES, OFFSETS = slice(0, 1), slice(1, 5), slice(5, 5 + 2 * JOINTS)
# What a cell says is in grid cells; offsets are scaled so that weights stay near 1.
OFFSET_SCALE = 4.0
