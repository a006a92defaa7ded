"""Frames to counts: the stages, wired."""

from edge_agent.pipeline.build import build_pipeline, open_models, with_clip
from edge_agent.pipeline.flow import STAGES, Analysis, Models, Pipeline

__all__ = ["STAGES", "Analysis", "Models", "Pipeline", "build_pipeline", "open_models", "with_clip"]
