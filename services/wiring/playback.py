"""Build the decoding of query pictures."""

from __future__ import annotations

from contextlib import ExitStack

from indexer.media.sandbox.client import MediaLimits, SandboxedDecoder
from services.playback.decoder_pool import DecoderPool
from services.playback.query_images import QueryImages
from services.settings import ServeSettings


def make_query_images(settings: ServeSettings, resources: ExitStack) -> QueryImages:
    """Make the decoding of query pictures, with the limits of the settings; `resources` end its processes."""
    limits = MediaLimits(
        memory_mb=settings.query_image_memory_mb,
        decode_timeout_s=settings.query_image_timeout_s,
        max_image_pixels=settings.query_image_max_pixels,
    )
    pool = DecoderPool(lambda: SandboxedDecoder(limits), settings.query_image_max_concurrent)
    resources.callback(pool.close)
    return QueryImages(pool)
