"""The only wiring: settings in, services out. Everything is made when first asked for, and once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.errors import AfterimageError, ModelError, SettingsError, StorageFull
from indexer.malloc_tuning import tune_malloc
from indexer.media.sandbox.client import MediaLimits, SandboxedDecoder
from indexer.pipeline.encoding import IndexingSettings, ModelSet
from indexer.pipeline.pipeline import Pipeline
from indexer.ports import (
    BlobStore,
    ImageTextEncoder,
    OcrEngine,
    SegmentIndex,
    SentenceEncoder,
    ShadowIndex,
    SpeechRecognizer,
    TokenEncoder,
)
from indexer.storage.artifacts import ArtifactStore
from indexer.storage.folder_blobs import FolderBlobs
from indexer.types import Lane, SegmentFilter
from memory.frame_selection import FRAME_SELECTORS
from memory.quantization import TokenPrecision
from memory.sink import MemorySink
from memory.store import MemoryStore
from services.access.api_keys import ApiKeyStore
from services.answering.answering import Answering
from services.answering.grounding import Grounding, VerdictThresholds
from services.answering.video_context import VideoContext
from services.catalog.catalog import Catalog
from services.catalog.video_memory import VideoMemoryReader
from services.database.engine import SqlDatabase
from services.database.idempotency import IdempotencyStore
from services.egress.url_policy import UrlPolicy
from services.generators.extractive import ExtractiveGenerator
from services.generators.modality_router import ModalityRouter
from services.generators.ports import Generator, VisualVerifier
from services.ingest.indexing import Indexing
from services.ingest.locks.files import FileLocks
from services.ingest.ports import Locks
from services.ingest.reindexing import Reindexing
from services.ingest.resumable_uploads import ResumableUploads
from services.ingest.source_resolver import SourceResolver
from services.jobs.dispatcher import JobDispatcher
from services.jobs.handlers import JobHandlers
from services.jobs.leases import Leases
from services.jobs.outbox import Outbox
from services.jobs.ports import JobQueue, JobWorker
from services.jobs.retention import Retention
from services.jobs.runner import JobRunner
from services.jobs.store import JobStore
from services.jobs.types import JobQueueName
from services.jobs.webhooks import WebhookSender
from services.playback.media_access import MediaAccess
from services.search.calibration import Calibration
from services.search.retrieval import Retrieval, RetrievalSettings
from services.search.types import Query
from services.settings import Settings, load_settings
from services.summaries.summarizing import Summarizing
from services.wiring.index_factory import IndexFactory

if TYPE_CHECKING:
    from services.generators.onevision.generator import OneVisionGenerator
    from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator

_WEBHOOK_READ_TIMEOUT_S, _WEBHOOK_TIMEOUT_S = 10.0, 30.0
_PAGE_OCR_MAX_PX = 1472
"""Longer side in which text is looked for on pages and photos."""


class Container:
    """The services of one process. Adapters (and the vendors behind them) are imported when they are first needed."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._close_callbacks: list[Callable[[], None]] = []

    @cached_property
    def decoder(self) -> SandboxedDecoder:
        """The process that decodes, within its limits."""
        return self._make_decoder()

    @cached_property
    def catalog(self) -> Catalog:
        """What is known of collections, assets and where they came from."""
        return Catalog(self.database)

    @cached_property
    def database(self) -> SqlDatabase:
        """Where rows are kept: a file in the home folder, or the PostgreSQL that the settings name."""
        url = self.settings.catalog.url.get_secret_value()
        return SqlDatabase(url or f"sqlite:///{self._ensure_home() / 'catalog.db'}")

    @cached_property
    def locks(self) -> Locks:
        """Who may write: among the processes of this machine, or among all that share a PostgreSQL."""
        match self.database.dialect:
            case "postgresql":
                from services.ingest.locks.postgres import PostgresLocks

                return PostgresLocks(self.database)
            case _:
                return FileLocks(self.home)

    @cached_property
    def api_keys(self) -> ApiKeyStore:
        """Who may use the HTTP API."""
        return ApiKeyStore(self.database)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Pictures, traces and texts made of assets."""
        return ArtifactStore(self.blobs)

    @cached_property
    def blobs(self) -> BlobStore:
        """Where bytes are kept: below home, or in the object store that the settings name."""
        url = self.settings.blobs.url
        if not url:
            return FolderBlobs(self.home)
        from indexer.storage.object_store_blobs import ObjectStoreBlobs

        return ObjectStoreBlobs(url)

    @cached_property
    def index(self) -> SegmentIndex:
        """Vectors and words of all segments. Errors: ModelError, StorageFull."""
        return self._index_factory.open_index()

    @cached_property
    def shadow_index(self) -> ShadowIndex:
        """What makes another index beside the one in use."""
        return self._index_factory.open_shadow()

    @cached_property
    def _index_factory(self) -> IndexFactory:
        made = IndexFactory(self.settings.index, self.home, self._ensure_home, self._lane_model_ids)
        self._close_callbacks.append(made.close)
        return made

    @cached_property
    def calibration(self) -> Calibration:
        """What a score means in this archive."""
        ids = {lane.value: model for lane, model in self._lane_model_ids().items()}
        quantile = self.settings.search.null_quantile
        return Calibration(
            self.index, lambda: self.image_text_encoder, lambda: self.sentence_encoder, ids, self.blobs, quantile
        )

    @cached_property
    def image_text_encoder(self) -> ImageTextEncoder | None:
        """The encoder of pictures and of words about them; None where the settings name none."""
        settings = self.settings.visual
        if settings.model is None:
            return None
        from indexer.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(settings.model, device=settings.device, batch_size=settings.batch, threads=1)

    @cached_property
    def token_encoder(self) -> TokenEncoder | None:
        """What memories are made of; None where none are kept."""
        settings = self.settings.memory
        if not settings.enabled:
            return None
        match settings.token_source:
            case "onevision":
                if self.settings.generator.kind != "onevision":
                    raise SettingsError(
                        "AFTERIMAGE_MEMORY__TOKEN_SOURCE: onevision makes memories of the generator's own tokens; "
                        "AFTERIMAGE_GENERATOR__KIND is not onevision"
                    )
                return self.onevision.create_token_encoder()
            case "clip" if self.image_text_encoder is None:
                return None
            case "clip":
                from indexer.encoders.open_clip import OpenClipEncoder
                from indexer.encoders.patches import PatchTokenEncoder

                return (
                    PatchTokenEncoder(self.image_text_encoder)
                    if isinstance(self.image_text_encoder, OpenClipEncoder)
                    else None
                )

    @cached_property
    def sentence_encoder(self) -> SentenceEncoder | None:
        """The encoder of passages; None where the settings name none."""
        settings = self.settings.text
        if settings.model is None:
            return None
        from indexer.encoders.sentence import SentenceTransformerEncoder

        return SentenceTransformerEncoder(settings.model, device=settings.device, threads=1)

    @cached_property
    def ocr_engines(self) -> tuple[OcrEngine | None, OcrEngine | None]:
        """The reader of frames, and the one of pages and photos; they share their weights."""
        if not self.settings.ocr.enabled:
            return None, None
        from indexer.ocr.rapid_ocr import RapidOcrEngine

        reader = RapidOcrEngine(threads=self.settings.threads)
        return reader, reader.with_max_side(_PAGE_OCR_MAX_PX)

    @cached_property
    def speech_recognizer(self) -> SpeechRecognizer | None:
        """What writes down speech; None where the settings name no model."""
        settings = self.settings.speech
        if settings.model is None:
            return None
        from indexer.speech.whisper import WhisperRecognizer

        return WhisperRecognizer(settings.model, language=settings.language, threads=self.settings.threads)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What makes segments, artifacts and memories of a file."""
        tune_malloc()
        sampling = self.settings.sampling
        numbers = IndexingSettings(
            fps=sampling.fps,
            fps_floor=sampling.fps_floor,
            checkpoint_s=sampling.checkpoint_s,
            batch=self.settings.visual.batch,
            encode_workers=self.settings.threads,
        )
        tokens, precision = self.token_encoder, TokenPrecision(self.settings.memory.precision)
        models = ModelSet(
            self.image_text_encoder, self.sentence_encoder, *self.ocr_engines, self.speech_recognizer, tokens
        )
        if tokens is None:
            return Pipeline(self.decoder, self.artifacts, models, numbers)
        return Pipeline(
            self.decoder,
            self.artifacts,
            models,
            numbers,
            lambda asset_id, version: MemorySink(self._memory_store(asset_id, version), tokens, precision),
        )

    @cached_property
    def indexing(self) -> Indexing:
        """Takes files in."""
        return Indexing(
            self.locks,
            self.decoder,
            self.artifacts,
            lambda: self.pipeline,
            self.index,
            self.catalog,
            self.calibration,
            lambda source: self.source_resolver.delete_media(source.collection, source.uri),
        )

    @cached_property
    def reindexing(self) -> Reindexing:
        """Makes the index anew from artifacts."""
        return Reindexing(
            self.locks,
            self.shadow_index,
            self.artifacts,
            lambda: self.pipeline,
            self.catalog,
            lambda: self.calibration.refresh(),
            lambda: self.jobs.has_queued_jobs(JobQueueName.INDEX),
        )

    @cached_property
    def retrieval(self) -> Retrieval:
        """Search."""
        search = self.settings.search
        settings = RetrievalSettings(search.top_k_per_lane, search.weights, search.merge_gap_s)
        return Retrieval(
            self.index,
            self.catalog,
            self.calibration,
            lambda: self.image_text_encoder,
            lambda: self.sentence_encoder,
            settings,
        )

    @cached_property
    def video_memory(self) -> VideoMemoryReader:
        """Memories and key frames of videos."""
        return VideoMemoryReader(self.artifacts, self._memory_store)

    @cached_property
    def media_access(self) -> MediaAccess:
        """What can be looked at; with decoding processes of its own."""
        clips, kept_at = self.settings.serve.max_concurrent_clips, self.source_resolver.media_key
        return MediaAccess(
            self.blobs, self.artifacts, self.video_memory, self.catalog, kept_at, self._make_decoder, clips
        )

    @cached_property
    def generator(self) -> Generator:
        """What writes answers."""
        quotes = ExtractiveGenerator(lambda: self.sentence_encoder, self.settings.answer.max_sentences)
        match self.settings.generator.kind:
            case "extractive":
                return quotes
            case "onevision":
                model: Generator = self.onevision
            case "openai_compatible":
                model = self._chat_generator
        return ModalityRouter(model, quotes) if self.settings.generator.quote_text else model

    @cached_property
    def answering(self) -> Answering:
        """Questions to answers."""
        return Answering(
            self.retrieval,
            self.generator,
            self.grounding,
            self.settings.answer.max_evidence,
            self._video_context(),
            keep_unsupported=self.settings.grounding.on_unsupported == "flag",
        )

    @cached_property
    def grounding(self) -> Grounding:
        """What holds sentences against their citations; with the model that wrote them, where there is one."""
        settings = self.settings.grounding
        checker: VisualVerifier | None = None
        match self.settings.generator.kind:
            case "onevision":
                checker = self.onevision
            case "openai_compatible":
                checker = self._chat_generator
        return Grounding(VerdictThresholds(settings.supported_threshold, settings.refuted_threshold), checker)

    @cached_property
    def summarizing(self) -> Summarizing:
        """Assets to summaries."""
        catalog = self.catalog
        return Summarizing(
            self.blobs,
            self.artifacts,
            self.video_memory,
            self.generator,
            self.grounding,
            lambda asset_id: bool(catalog.sources(asset_id)),
        )

    def instantiate(self) -> None:
        """Make the services that readers use, once, before threads ask for them. Errors: ModelError, StorageFull."""
        for service in (self.database, self.index, self.retrieval, self.media_access, self.answering, self.summarizing):
            assert service is not None

    def preload_models(self) -> None:
        """Load the models that the first question would load. Errors: ModelError."""
        self.retrieval.search(Query("ready"), SegmentFilter(), 1)
        if self.settings.generator.kind == "onevision":
            self.onevision.count_prompt_tokens("ready", [])

    @cached_property
    def source_resolver(self) -> SourceResolver:
        """What may be taken in over HTTP."""
        from services.egress.http import OutboundClient

        settings = self.settings.ingest
        reach = UrlPolicy(settings.allowed_hosts, settings.allowed_private_hosts, "AFTERIMAGE_INGEST__ALLOWED_HOSTS")
        outbound = OutboundClient(reach, settings.read_timeout_s, settings.fetch_timeout_s)
        return SourceResolver(self.blobs, outbound, self.home / "incoming", settings.allowed_roots, settings.max_bytes)

    @cached_property
    def idempotency(self) -> IdempotencyStore:
        """Answers to requests that may be sent again."""
        return IdempotencyStore(self.database)

    @cached_property
    def uploads(self) -> ResumableUploads:
        """Files on their way, in pieces."""
        return ResumableUploads(self.home / "uploads", self.settings.ingest.upload_ttl_s)

    def incoming_folder(self) -> Path:
        """The folder for files on their way. Errors: StorageFull."""
        folder = self._ensure_home() / "incoming"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageFull(f"{folder}: cannot be made ({error.strerror})") from error
        return folder

    @cached_property
    def jobs(self) -> JobStore:
        """What is to be done, and was."""
        return JobStore(self.database, self.settings.jobs.max_attempts)

    @cached_property
    def leases(self) -> Leases:
        """Jobs in the hands of workers."""
        return Leases(self.database, self.settings.jobs.lease_s, self.settings.jobs.retry_backoff_s)

    @cached_property
    def runner(self) -> JobRunner:
        """What does jobs in this process."""
        work = JobHandlers(
            lambda: self.source_resolver,
            lambda: self.indexing,
            lambda: self.catalog,
            lambda: self.summarizing,
            lambda: self.reindexing,
            self.jobs,
        )
        return JobRunner(self.leases, work)

    @cached_property
    def webhooks(self) -> WebhookSender:
        """What tells others of the ends of jobs."""
        from services.egress.http import OutboundClient

        settings = self.settings.jobs
        reach = UrlPolicy(None, settings.webhook_private_hosts, "AFTERIMAGE_JOBS__WEBHOOK_PRIVATE_HOSTS")
        outbound = OutboundClient(reach, _WEBHOOK_READ_TIMEOUT_S, _WEBHOOK_TIMEOUT_S)
        secret = settings.webhook_secret.get_secret_value()
        return WebhookSender(self.outbox, outbound, secret, settings.webhook_attempts)

    @cached_property
    def outbox(self) -> Outbox:
        """What webhooks are to be told, and were."""
        return Outbox(self.database)

    @cached_property
    def dispatcher(self) -> JobDispatcher:
        """Jobs on their way to workers; `start` it to have lost ones found, and inline ones done."""
        settings = self.settings.jobs
        dispatcher = JobDispatcher(
            self.jobs,
            self.leases,
            self._job_queue,
            self.webhooks,
            Retention(self.jobs, self.catalog, self.source_resolver, self.idempotency, settings.retention_days),
            sweep_interval_s=settings.sweep_interval_s,
            redeliver_after_s=settings.redeliver_after_s,
        )
        self._close_callbacks.append(dispatcher.close)
        return dispatcher

    @cached_property
    def _job_queue(self) -> JobQueue:
        match self.settings.jobs.kind:
            case "inline":
                from services.jobs.inline import InlineQueue

                return InlineQueue(self.runner.run, self.runner.stop)
            case "celery":
                from services.jobs.celery import CeleryQueue

                return CeleryQueue(self.settings.jobs.url.get_secret_value(), self.settings.jobs.lease_s)

    @cached_property
    def worker(self) -> JobWorker:
        """What makes this process one that does jobs."""
        match self.settings.jobs.kind:
            case "inline":
                from services.jobs.inline import InlineWorker

                return InlineWorker(self.dispatcher)
            case "celery":
                from services.jobs.celery import CeleryWorker

                url, lease_s = self.settings.jobs.url.get_secret_value(), self.settings.jobs.lease_s
                return CeleryWorker(url, lease_s, self.dispatcher, self.runner.run, self.runner.stop)

    @property
    def home(self) -> Path:
        """The folder that holds everything."""
        return self.settings.home.expanduser()

    def close(self) -> None:
        """End the decoding process and what runs in the background, and give files and connections back."""
        for close in reversed(self._close_callbacks):
            close()
        for name in ("decoder", "media_access", "index", "database"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def _video_context(self) -> VideoContext | None:
        """What a generator is shown of a video's memory; None for quotes, which see no pictures."""
        settings = self.settings.answer
        match self.settings.generator.kind:
            case "extractive":
                return None
            case "onevision":
                own = self.onevision.create_token_encoder().model_id
                return VideoContext(
                    self.video_memory,
                    self.catalog,
                    settings.max_extra_frames,
                    FRAME_SELECTORS[settings.frame_selection],
                    own.__eq__,
                )
            case "openai_compatible":
                takes = self.settings.generator.image_embeds
                return VideoContext(
                    self.video_memory,
                    self.catalog,
                    settings.max_extra_frames,
                    FRAME_SELECTORS[settings.frame_selection],
                    lambda model: takes and model.startswith("onevision:"),
                )

    def _memory_store(self, asset_id: str, version: str) -> MemoryStore:
        return MemoryStore(self.blobs, self.artifacts.version_prefix(asset_id, version))

    @cached_property
    def onevision(self) -> OneVisionGenerator:
        """The LLaVA-OneVision model of the settings, on this machine. Errors: ModelError."""
        from services.generators.onevision.generator import OneVisionGenerator

        settings = self.settings.generator
        generator = OneVisionGenerator(
            settings.model,
            self.artifacts.read_picture,
            max_prompt_tokens=settings.max_prompt_tokens,
            max_output_tokens=settings.max_output_tokens,
            device=settings.device,
            precision=settings.precision,
            prefix_cache_mb=settings.prefix_cache_mb,
            threads=self.settings.threads,
            max_batch=settings.max_batch,
        )
        self._close_callbacks.append(generator.close)
        return generator

    @cached_property
    def _chat_generator(self) -> OpenAiCompatibleGenerator:
        from services.generators.openai_compatible.client import ChatClient
        from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
        from services.generators.openai_compatible.limits import TokenBudget

        settings = self.settings.generator
        limits = TokenBudget(
            max_prompt_tokens=settings.max_prompt_tokens,
            frame_tokens=settings.frame_tokens,
            image_tokens=settings.image_tokens,
            chars_per_token=settings.chars_per_token,
            max_images=settings.max_images,
            hidden_size=settings.hidden_size if settings.image_embeds else 0,
        )
        server = ChatClient(settings.url, settings.api_key.get_secret_value(), settings.timeout_s)
        return OpenAiCompatibleGenerator(
            server, self.artifacts.read_picture, limits, settings.model, settings.max_output_tokens
        )

    def _make_decoder(self) -> SandboxedDecoder:
        limits = self.settings.media
        return SandboxedDecoder(
            MediaLimits(
                memory_mb=limits.memory_mb,
                decode_timeout_s=limits.decode_timeout_s,
                max_image_pixels=limits.max_image_pixels,
                max_pages=limits.max_pages,
            )
        )

    def _ensure_home(self) -> Path:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFull(f"{self.home}: cannot be made the home of the archive ({error.strerror})") from error
        return self.home

    def _lane_model_ids(self) -> dict[Lane, str]:
        """Errors: ModelError that names the weights that cannot be had, and those that the index was made with."""
        named = {Lane.VISUAL: self._model_id(Lane.VISUAL), Lane.TEXT: self._model_id(Lane.TEXT)}
        return {lane: model for lane, model in named.items() if model is not None}

    def _model_id(self, lane: Lane) -> str | None:
        try:
            encoder = self.image_text_encoder if lane is Lane.VISUAL else self.sentence_encoder
            return None if encoder is None else encoder.model_id
        except ModelError as error:
            raise ModelError(f"{error}{self._describe_stored_model(lane)}") from error

    def _describe_stored_model(self, lane: Lane) -> str:
        try:
            model = self._index_factory.stored_model_ids().get(lane)
        except AfterimageError:  # the missing weights are what is to be told
            model = None
        return f" (the index was made by {model})" if model else ""
