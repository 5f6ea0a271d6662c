"""Video decoding with PyAV. All but the plan runs inside the sandboxed media process (`indexer.media.sandbox.client`)."""

from indexer.media.video.plan import SamplingPlan, VideoReport

__all__ = ["SamplingPlan", "VideoReport"]
