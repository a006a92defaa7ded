"""Measure, never assume: every way of running a model on this very device."""
