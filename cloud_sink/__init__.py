"""The sink: stores what units publish exactly once, and answers questions about it."""
