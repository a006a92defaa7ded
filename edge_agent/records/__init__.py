"""What may leave a unit: anonymous counts, the birth and will, health, and the sink's receipts.

Every value is frozen, checked once when built, and encodes to JSON that the schemas in
``edge_agent/schemas`` describe. There is no other way out of a unit than `encode`.
"""

from edge_agent.certainty import Estimate
from edge_agent.records.carry import Released, carrying, release
from edge_agent.records.codec import (
    MAX_PAYLOAD_BYTES,
    VERSION,
    Record,
    decode_counts,
    decode_health,
    decode_receipt,
    decode_state,
    decode_windows,
    digest,
    encode,
    encode_windows,
    relink,
    window_of,
)
from edge_agent.records.details import EDGES, Estimates, FacingCounts, Histograms, VisitCounts
from edge_agent.records.messages import Counts, Head, Health, Receipt, State, Trouble
from edge_agent.records.names import is_name, topic
from edge_agent.records.window import DEFINITIONS_VERSION, Definitions, Quality, Window, fold

__all__ = [
    "DEFINITIONS_VERSION",
    "EDGES",
    "MAX_PAYLOAD_BYTES",
    "VERSION",
    "Counts",
    "Definitions",
    "Estimate",
    "Estimates",
    "FacingCounts",
    "Head",
    "Health",
    "Histograms",
    "Quality",
    "Receipt",
    "Record",
    "Released",
    "State",
    "Trouble",
    "VisitCounts",
    "Window",
    "carrying",
    "decode_counts",
    "decode_health",
    "decode_receipt",
    "decode_state",
    "decode_windows",
    "digest",
    "encode",
    "encode_windows",
    "fold",
    "is_name",
    "release",
    "relink",
    "topic",
    "window_of",
]
