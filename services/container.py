"""The only wiring: settings in, services out. Everything is made when first asked for, and once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from indexer.allocator import give_memory_back
from indexer.artifacts import Artifacts
from indexer.blobs.folder import FolderBlobs
from indexer.errors import AfterimageError, ModelError, SettingsError, StorageFull
from indexer.media.process import MediaLimits, MediaProcess
from indexer.passes.tools import Models, PassSettings
from indexer.pipeline import Pipeline
from indexer.ports import (
    BlobStore,
    ImageTextEncoder,
    SegmentIndex,
    SentenceEncoder,
    ShadowIndex,
    SpeechReader,
    TextReader,
    TokenEncoder,
)
from indexer.types import Lane, SegmentFilter
from memory.precision import Precision
from memory.recall import CHOOSERS
from memory.sink import MemorySink
from memory.store import MemoryStore
from services.answering import Answering
from services.calibration import Calibration
from services.catalog import Catalog
from services.database import Database
from services.generators.extractive import ExtractiveGenerator
from services.generators.quoting import Quoting
from services.grounding import Grounding, Thresholds
from services.indexes import Indexes
from services.indexing import Indexing
from services.intake import Intake
from services.jobs.cleaning import Cleaning
from services.jobs.dispatch import Dispatch
from services.jobs.leases import Leases
from services.jobs.outbox import Outbox
from services.jobs.ports import JobQueue, JobWorker
from services.jobs.running import Runner
from services.jobs.store import Jobs
from services.jobs.types import JobQueueName
from services.jobs.webhooks import Webhooks
from services.jobs.working import Working
from services.keys import Keys
from services.locks.files import FileLocks
from services.outbound.reach import Reach
from services.ports import Checker, Generator, Locks
from services.recalling import Recalling
from services.reindexing import Reindexing
from services.remembering import Remembering
from services.repeats import Repeats
from services.retrieval import Retrieval, RetrievalSettings
from services.settings import Settings, load_settings
from services.showing import Showing
from services.summarizing import Summarizing
from services.types import Query
from services.uploads import Uploads

if TYPE_CHECKING:
    from services.generators.onevision.generator import OneVisionGenerator
    from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator

_WEBHOOK_STALL_S, _WEBHOOK_S = 10.0, 30.0
_PAGE_PX = 1472
"""Longer side in which text is looked for on pages and photos."""


class Container:
    """The services of one process. Adapters (and the vendors behind them) are imported when they are first needed."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        self._closing: list[Callable[[], None]] = []

    @cached_property
    def media(self) -> MediaProcess:
        """The process that decodes, within its limits."""
        return self._media_process()

    @cached_property
    def catalog(self) -> Catalog:
        """What is known of collections, assets and where they came from."""
        return Catalog(self.database)

    @cached_property
    def database(self) -> Database:
        """Where rows are kept: a file in the home folder, or the PostgreSQL that the settings name."""
        url = self.settings.catalog.url.get_secret_value()
        return Database(url or f"sqlite:///{self._made_home() / 'catalog.db'}")

    @cached_property
    def locks(self) -> Locks:
        """Who may write: among the processes of this machine, or among all that share a PostgreSQL."""
        match self.database.dialect:
            case "postgresql":
                from services.locks.postgres import PostgresLocks

                return PostgresLocks(self.database)
            case _:
                return FileLocks(self.home)

    @cached_property
    def keys(self) -> Keys:
        """Who may use the HTTP API."""
        return Keys(self.database)

    @cached_property
    def artifacts(self) -> Artifacts:
        """Pictures, traces and texts made of assets."""
        return Artifacts(self.blobs)

    @cached_property
    def blobs(self) -> BlobStore:
        """Where bytes are kept: below home, or in the object store that the settings name."""
        url = self.settings.blobs.url
        if not url:
            return FolderBlobs(self.home)
        from indexer.blobs.object_store import ObjectStoreBlobs

        return ObjectStoreBlobs(url)

    @cached_property
    def index(self) -> SegmentIndex:
        """Vectors and words of all segments. Errors: ModelError, StorageFull."""
        return self._indexes.open()

    @cached_property
    def shadow(self) -> ShadowIndex:
        """What makes another index beside the one in use."""
        return self._indexes.shadow()

    @cached_property
    def _indexes(self) -> Indexes:
        made = Indexes(self.settings.index, self.home, self._made_home, self._lane_models)
        self._closing.append(made.close)
        return made

    @cached_property
    def calibration(self) -> Calibration:
        """What a score means in this archive."""
        ids = {lane.value: model for lane, model in self._lane_models().items()}
        quantile = self.settings.search.null_quantile
        return Calibration(self.index, lambda: self.visual, lambda: self.text, ids, self.blobs, quantile)

    @cached_property
    def visual(self) -> ImageTextEncoder | None:
        """The encoder of pictures and of words about them; None where the settings name none."""
        settings = self.settings.visual
        if settings.model is None:
            return None
        from indexer.encoders.open_clip import OpenClipEncoder

        return OpenClipEncoder(settings.model, device=settings.device, batch_size=settings.batch, threads=1)

    @cached_property
    def tokens(self) -> TokenEncoder | None:
        """What memories are made of; None where none are kept."""
        settings = self.settings.memory
        if not settings.enabled:
            return None
        match settings.space:
            case "onevision":
                if self.settings.generator.kind != "onevision":
                    raise SettingsError(
                        "AFTERIMAGE_MEMORY__SPACE: onevision makes memories of the generator's own tokens; "
                        "AFTERIMAGE_GENERATOR__KIND is not onevision"
                    )
                return self.onevision.token_encoder()
            case "clip" if self.visual is None:
                return None
            case "clip":
                from indexer.encoders.open_clip import OpenClipEncoder
                from indexer.encoders.patches import PatchTokens

                return PatchTokens(self.visual) if isinstance(self.visual, OpenClipEncoder) else None

    @cached_property
    def text(self) -> SentenceEncoder | None:
        """The encoder of passages; None where the settings name none."""
        settings = self.settings.text
        if settings.model is None:
            return None
        from indexer.encoders.sentence import SentenceTransformerEncoder

        return SentenceTransformerEncoder(settings.model, device=settings.device, threads=1)

    @cached_property
    def readers(self) -> tuple[TextReader | None, TextReader | None]:
        """The reader of frames, and the one of pages and photos; they share their weights."""
        if not self.settings.reader.enabled:
            return None, None
        from indexer.readers.rapid_ocr import RapidOcrReader

        reader = RapidOcrReader(threads=self.settings.threads)
        return reader, reader.at(_PAGE_PX)

    @cached_property
    def speech(self) -> SpeechReader | None:
        """What writes down speech; None where the settings name no model."""
        settings = self.settings.speech
        if settings.model is None:
            return None
        from indexer.readers.whisper import WhisperReader

        return WhisperReader(settings.model, language=settings.language, threads=self.settings.threads)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What makes segments, artifacts and memories of a file."""
        give_memory_back()
        sampling = self.settings.sampling
        numbers = PassSettings(
            fps=sampling.fps,
            fps_floor=sampling.fps_floor,
            checkpoint_s=sampling.checkpoint_s,
            batch=self.settings.visual.batch,
            encode_workers=self.settings.threads,
        )
        tokens, precision = self.tokens, Precision(self.settings.memory.precision)
        models = Models(self.visual, self.text, *self.readers, self.speech, tokens)
        if tokens is None:
            return Pipeline(self.media, self.artifacts, models, numbers)
        return Pipeline(
            self.media,
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
            self.media,
            self.artifacts,
            lambda: self.pipeline,
            self.index,
            self.catalog,
            self.calibration,
            lambda source: self.intake.drop(source.collection, source.uri),
        )

    @cached_property
    def reindexing(self) -> Reindexing:
        """Makes the index anew from artifacts."""
        return Reindexing(
            self.locks,
            self.shadow,
            self.artifacts,
            lambda: self.pipeline,
            self.catalog,
            lambda: self.calibration.refresh(),
            lambda: self.jobs.any_waiting(JobQueueName.INDEX),
        )

    @cached_property
    def retrieval(self) -> Retrieval:
        """Search."""
        search = self.settings.search
        settings = RetrievalSettings(search.depth, search.weights, search.moment_gap_s)
        return Retrieval(self.index, self.catalog, self.calibration, lambda: self.visual, lambda: self.text, settings)

    @cached_property
    def remembering(self) -> Remembering:
        """Memories and key frames of videos."""
        return Remembering(self.artifacts, self._memory_store)

    @cached_property
    def showing(self) -> Showing:
        """What can be looked at; with decoding processes of its own."""
        clips, kept_at = self.settings.serve.clips, self.intake.kept_at
        return Showing(self.blobs, self.artifacts, self.remembering, self.catalog, kept_at, self._media_process, clips)

    @cached_property
    def generator(self) -> Generator:
        """What writes answers."""
        quotes = ExtractiveGenerator(lambda: self.text, self.settings.answer.sentences)
        match self.settings.generator.kind:
            case "extractive":
                return quotes
            case "onevision":
                model: Generator = self.onevision
            case "openai_compatible":
                model = self._server_model
        return Quoting(model, quotes) if self.settings.generator.quotes else model

    @cached_property
    def answering(self) -> Answering:
        """Questions to answers."""
        return Answering(
            self.retrieval,
            self.generator,
            self.grounding,
            self.settings.answer.evidence,
            self._recalling(),
            keep_unsupported=self.settings.grounding.unsupported == "flag",
        )

    @cached_property
    def grounding(self) -> Grounding:
        """What holds sentences against their citations; with the model that wrote them, where there is one."""
        settings = self.settings.grounding
        checker: Checker | None = None
        match self.settings.generator.kind:
            case "onevision":
                checker = self.onevision
            case "openai_compatible":
                checker = self._server_model
        return Grounding(Thresholds(settings.supported, settings.refuted), checker)

    @cached_property
    def summarizing(self) -> Summarizing:
        """Assets to summaries."""
        catalog = self.catalog
        return Summarizing(
            self.blobs,
            self.artifacts,
            self.remembering,
            self.generator,
            self.grounding,
            lambda asset_id: bool(catalog.sources(asset_id)),
        )

    def make(self) -> None:
        """Make the services that readers use, once, before threads ask for them. Errors: ModelError, StorageFull."""
        for service in (self.database, self.index, self.retrieval, self.showing, self.answering, self.summarizing):
            assert service is not None

    def load(self) -> None:
        """Load the models that the first question would load. Errors: ModelError."""
        self.retrieval.search(Query("ready"), SegmentFilter(), 1)
        if self.settings.generator.kind == "onevision":
            self.onevision.prompt_tokens("ready", [])

    @cached_property
    def intake(self) -> Intake:
        """What may be taken in over HTTP."""
        from services.outbound.http import Outbound

        settings = self.settings.intake
        reach = Reach(settings.hosts, settings.private_hosts, "AFTERIMAGE_INTAKE__HOSTS")
        outbound = Outbound(reach, settings.stall_s, settings.fetch_s)
        return Intake(self.blobs, outbound, self.home / "incoming", settings.roots, settings.max_bytes)

    @cached_property
    def repeats(self) -> Repeats:
        """Answers to requests that may be sent again."""
        return Repeats(self.database)

    @cached_property
    def uploads(self) -> Uploads:
        """Files on their way, in pieces."""
        return Uploads(self.home / "uploads", self.settings.intake.keep_s)

    def incoming(self) -> Path:
        """The folder for files on their way. Errors: StorageFull."""
        folder = self._made_home() / "incoming"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageFull(f"{folder}: cannot be made ({error.strerror})") from error
        return folder

    @cached_property
    def jobs(self) -> Jobs:
        """What is to be done, and was."""
        return Jobs(self.database, self.settings.jobs.attempts)

    @cached_property
    def leases(self) -> Leases:
        """Jobs in the hands of workers."""
        return Leases(self.database, self.settings.jobs.lease_s, self.settings.jobs.wait_s)

    @cached_property
    def runner(self) -> Runner:
        """What does jobs in this process."""
        work = Working(
            lambda: self.intake,
            lambda: self.indexing,
            lambda: self.catalog,
            lambda: self.summarizing,
            lambda: self.reindexing,
            self.jobs,
        )
        return Runner(self.leases, work)

    @cached_property
    def webhooks(self) -> Webhooks:
        """What tells others of the ends of jobs."""
        from services.outbound.http import Outbound

        settings = self.settings.jobs
        reach = Reach(None, settings.webhook_private_hosts, "AFTERIMAGE_JOBS__WEBHOOK_PRIVATE_HOSTS")
        outbound = Outbound(reach, _WEBHOOK_STALL_S, _WEBHOOK_S)
        secret = settings.webhook_secret.get_secret_value()
        return Webhooks(self.outbox, outbound, secret, settings.webhook_attempts)

    @cached_property
    def outbox(self) -> Outbox:
        """What webhooks are to be told, and were."""
        return Outbox(self.database)

    @cached_property
    def dispatch(self) -> Dispatch:
        """Jobs on their way to workers; `start` it to have lost ones found, and inline ones done."""
        settings = self.settings.jobs
        made = Dispatch(
            self.jobs,
            self.leases,
            self._queue,
            self.webhooks,
            Cleaning(self.jobs, self.catalog, self.intake, self.repeats, settings.keep_days),
            sweep_s=settings.sweep_s,
            resend_s=settings.resend_s,
        )
        self._closing.append(made.close)
        return made

    @cached_property
    def _queue(self) -> JobQueue:
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

                return InlineWorker(self.dispatch)
            case "celery":
                from services.jobs.celery import CeleryWorker

                url, lease_s = self.settings.jobs.url.get_secret_value(), self.settings.jobs.lease_s
                return CeleryWorker(url, lease_s, self.dispatch, self.runner.run, self.runner.stop)

    @property
    def home(self) -> Path:
        """The folder that holds everything."""
        return self.settings.home.expanduser()

    def close(self) -> None:
        """End the decoding process and what runs in the background, and give files and connections back."""
        for close in reversed(self._closing):
            close()
        for name in ("media", "showing", "index", "database"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def _recalling(self) -> Recalling | None:
        """What a generator is shown of a video's memory; None for quotes, which see no pictures."""
        settings = self.settings.answer
        match self.settings.generator.kind:
            case "extractive":
                return None
            case "onevision":
                own = self.onevision.token_encoder().model_id
                return Recalling(
                    self.remembering, self.catalog, settings.frames, CHOOSERS[settings.chooser], own.__eq__
                )
            case "openai_compatible":
                takes = self.settings.generator.image_embeds
                return Recalling(
                    self.remembering,
                    self.catalog,
                    settings.frames,
                    CHOOSERS[settings.chooser],
                    lambda model: takes and model.startswith("onevision:"),
                )

    def _memory_store(self, asset_id: str, version: str) -> MemoryStore:
        return MemoryStore(self.blobs, self.artifacts.folder(asset_id, version))

    @cached_property
    def onevision(self) -> OneVisionGenerator:
        """The LLaVA-OneVision model of the settings, on this machine. Errors: ModelError."""
        from services.generators.onevision.generator import OneVisionGenerator

        settings = self.settings.generator
        made = OneVisionGenerator(
            settings.model,
            self.artifacts.picture,
            budget=settings.budget_tokens,
            limit=settings.max_tokens,
            device=settings.device,
            precision=settings.precision,
            cache_mb=settings.cache_mb,
            threads=self.settings.threads,
            parallel=settings.parallel,
        )
        self._closing.append(made.close)
        return made

    @cached_property
    def _server_model(self) -> OpenAiCompatibleGenerator:
        from services.generators.openai_compatible.generator import OpenAiCompatibleGenerator
        from services.generators.openai_compatible.limits import Limits
        from services.generators.openai_compatible.server import Server

        settings = self.settings.generator
        limits = Limits(
            budget_tokens=settings.budget_tokens,
            frame_tokens=settings.frame_tokens,
            image_tokens=settings.image_tokens,
            chars_per_token=settings.chars_per_token,
            images=settings.images,
            hidden_size=settings.hidden_size if settings.image_embeds else 0,
        )
        server = Server(settings.url, settings.api_key.get_secret_value(), settings.timeout_s)
        return OpenAiCompatibleGenerator(server, self.artifacts.picture, limits, settings.model, settings.max_tokens)

    def _media_process(self) -> MediaProcess:
        limits = self.settings.media
        return MediaProcess(
            MediaLimits(
                memory_mb=limits.memory_mb,
                stall_s=limits.stall_s,
                max_image_pixels=limits.max_image_pixels,
                max_pages=limits.max_pages,
            )
        )

    def _made_home(self) -> Path:
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFull(f"{self.home}: cannot be made the home of the archive ({error.strerror})") from error
        return self.home

    def _lane_models(self) -> dict[Lane, str]:
        """Errors: ModelError that names the weights that cannot be had, and those that the index was made with."""
        named = {Lane.VISUAL: self._model_id(Lane.VISUAL), Lane.TEXT: self._model_id(Lane.TEXT)}
        return {lane: model for lane, model in named.items() if model is not None}

    def _model_id(self, lane: Lane) -> str | None:
        try:
            encoder = self.visual if lane is Lane.VISUAL else self.text
            return None if encoder is None else encoder.model_id
        except ModelError as error:
            raise ModelError(f"{error}{self._made_by(lane)}") from error

    def _made_by(self, lane: Lane) -> str:
        try:
            model = self._indexes.made_by().get(lane)
        except AfterimageError:  # the missing weights are what is to be told
            model = None
        return f" (the index was made by {model})" if model else ""
