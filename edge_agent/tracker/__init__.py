"""Who is who from frame to frame: predict (motion), associate, update (core)."""

from edge_agent.tracker.core import Tracker, TrackerConfig

__all__ = ["Tracker", "TrackerConfig"]
