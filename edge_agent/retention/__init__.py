"""Nothing image-like stays: no core dump, no plain swap, temporary files in RAM, and a sweep.

What a unit sees lives in the memory of one process. This package keeps that memory from reaching
storage (`seal`, `memory`), and looks whether a picture got there all the same: `sweep`, in a
process of its own; `signatures` knows a picture when it sees one, `mounts` where to look.
`Retention` runs both for a service, at start and hourly.
"""

from edge_agent.retention.memory import seal
from edge_agent.retention.watch import Retention

__all__ = ["Retention", "seal"]
