"""Frames to counts: the stages, wired."""

from edge_agent.pipeline.build import Models, build_pipeline, open_models, with_clip
from edge_agent.pipeline.flow import STAGES, Analysis, Pipeline

__all__ = ["STAGES", "Analysis", "Models", "Pipeline", "build_pipeline", "open_models", "with_clip"]
