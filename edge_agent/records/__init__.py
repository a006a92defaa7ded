"""What may leave a unit: anonymous counts, the birth and will, health, and the sink's receipts.

Every value is frozen, checked once when built, and encodes to JSON that the schemas in
``edge_agent/schemas`` describe. There is no other way out of a unit than `encode`.
"""

from edge_agent.certainty import Estimate
from edge_agent.records.codec import (
    MAX_PAYLOAD_BYTES,
    VERSION,
    Record,
    decode_counts,
    decode_health,
    decode_receipt,
    decode_state,
    encode,
    window_of,
)
from edge_agent.records.details import EDGES, Estimates, FacingCounts, Histograms, VisitCounts
from edge_agent.records.messages import Counts, Health, Receipt, State, Trouble
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
    "Health",
    "Histograms",
    "Quality",
    "Receipt",
    "Record",
    "State",
    "Trouble",
    "VisitCounts",
    "Window",
    "decode_counts",
    "decode_health",
    "decode_receipt",
    "decode_state",
    "encode",
    "fold",
    "is_name",
    "topic",
    "window_of",
]
