"""Build the decoding of query pictures."""

from __future__ import annotations

from indexer.media.sandbox.client import MediaLimits, SandboxedDecoder
from services.playback.decoder_pool import DecoderPool
from services.playback.query_images import QueryImages
from services.settings import ServeSettings


def make_query_images(settings: ServeSettings) -> QueryImages:
    """Make the decoding of query pictures, with the limits of the settings."""
    limits = MediaLimits(
        memory_mb=settings.query_image_memory_mb,
        decode_timeout_s=settings.query_image_timeout_s,
        max_image_pixels=settings.query_image_max_pixels,
    )
    return QueryImages(DecoderPool(lambda: SandboxedDecoder(limits), settings.query_image_max_concurrent))
