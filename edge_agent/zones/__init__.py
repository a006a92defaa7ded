"""Who stands on which floor, and from when to when: tracks in, visits out. Pure."""

from edge_agent.zones.floors import Floors
from edge_agent.zones.staff import Staff

__all__ = ["Floors", "Staff"]
