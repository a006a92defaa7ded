"""One site file configures a unit; an unknown key is an error."""

from edge_agent.config.parse import load_site, parse_site, read_yaml
from edge_agent.config.site import (
    MAX_FPS,
    MIN_FPS,
    Anchor,
    Broker,
    CameraConfig,
    Facing,
    ModelsConfig,
    OutboxConfig,
    Privacy,
    RuntimeConfig,
    Site,
    Source,
    Thresholds,
    UnitConfig,
    UplinkConfig,
    Zone,
)

__all__ = [
    "MAX_FPS",
    "MIN_FPS",
    "Anchor",
    "Broker",
    "CameraConfig",
    "Facing",
    "ModelsConfig",
    "OutboxConfig",
    "Privacy",
    "RuntimeConfig",
    "Site",
    "Source",
    "Thresholds",
    "UnitConfig",
    "UplinkConfig",
    "Zone",
    "load_site",
    "parse_site",
    "read_yaml",
]
