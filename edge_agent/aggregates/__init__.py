"""Visits and events become counts: the one stage that sees both what a unit saw and what leaves."""

from edge_agent.aggregates.aggregates import Aggregates, Batch, Epoch
from edge_agent.aggregates.trials import MOVES, Trials, trials

__all__ = ["MOVES", "Aggregates", "Batch", "Epoch", "Trials", "trials"]
