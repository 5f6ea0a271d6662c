"""Build the indexing pipeline and what it decodes and encodes with."""

from __future__ import annotations

from collections.abc import Callable

from indexer.errors import SettingsError
from indexer.malloc_tuning import tune_malloc
from indexer.media.sandbox.client import MediaLimits, SandboxedDecoder
from indexer.pipeline.encoding import IndexingSettings, ModelSet
from indexer.pipeline.pipeline import Pipeline
from indexer.ports import TokenEncoder
from indexer.storage.artifacts import ArtifactStore
from memory.quantization import TokenPrecision
from memory.sink import MemorySink
from memory.store import MemoryStore
from services.settings import MediaSettings, Settings
from services.wiring.generators import GeneratorKind
from services.wiring.models import Models


def make_decoder(settings: MediaSettings) -> SandboxedDecoder:
    """Make a sandboxed decoder within the limits of the settings; its process starts with the first request."""
    return SandboxedDecoder(
        MediaLimits(
            memory_mb=settings.memory_mb,
            decode_timeout_s=settings.decode_timeout_s,
            max_image_pixels=settings.max_image_pixels,
            max_pages=settings.max_pages,
        )
    )


def make_token_encoder(settings: Settings, models: Models, kind: GeneratorKind) -> TokenEncoder | None:
    """Make the encoder of the visual tokens that memories keep; None where none are kept.

    Errors: SettingsError where the generator has no token space of its own, ModelError.
    """
    if not settings.memory.enabled:
        return None
    match settings.memory.token_source:
        case "onevision":
            if kind.create_token_encoder is None:
                raise SettingsError(
                    "AFTERIMAGE_MEMORY__TOKEN_SOURCE: onevision makes memories of the generator's own tokens; "
                    "AFTERIMAGE_GENERATOR__KIND is not onevision"
                )
            return kind.create_token_encoder()
        case "clip" if models.image_text_encoder is None:
            return None
        case "clip":
            from indexer.encoders.open_clip import OpenClipEncoder
            from indexer.encoders.patches import PatchTokenEncoder

            tower = models.image_text_encoder
            return PatchTokenEncoder(tower) if isinstance(tower, OpenClipEncoder) else None


def make_pipeline(
    settings: Settings,
    models: Models,
    token_encoder: TokenEncoder | None,
    decoder: SandboxedDecoder,
    artifacts: ArtifactStore,
    open_memory: Callable[[str, str], MemoryStore],
) -> Pipeline:
    """Make the indexing pipeline; it keeps memories of videos (`open_memory`) where there is a token encoder."""
    tune_malloc()
    sampling = settings.sampling
    indexing = IndexingSettings(
        fps=sampling.fps,
        fps_floor=sampling.fps_floor,
        checkpoint_s=sampling.checkpoint_s,
        batch=settings.visual.batch,
        encode_workers=settings.threads,
    )
    model_set = ModelSet(
        models.image_text_encoder,
        models.sentence_encoder,
        *models.ocr_engines,
        models.speech_recognizer,
        token_encoder,
    )
    if token_encoder is None:
        return Pipeline(decoder, artifacts, model_set, indexing)
    precision = TokenPrecision(settings.memory.precision)

    def open_sink(asset_id: str, version: str) -> MemorySink:
        return MemorySink(open_memory(asset_id, version), token_encoder, precision)

    return Pipeline(decoder, artifacts, model_set, indexing, open_sink)
