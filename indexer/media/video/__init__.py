"""Video decoding with PyAV; all but `plan` runs inside the sandboxed process of `indexer.media.sandbox.client`."""

from indexer.media.video.plan import SamplingPlan, VideoReport

__all__ = ["SamplingPlan", "VideoReport"]
