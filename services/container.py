"""Wire the services of one process: settings in, services out. Everything is made when first asked for, and once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cache, cached_property, partial
from pathlib import Path

from indexer.media.sandbox.client import SandboxedDecoder
from indexer.pipeline.pipeline import Pipeline
from indexer.ports import BlobStore, SegmentIndex, ShadowIndex, TokenEncoder
from indexer.storage.artifacts import ArtifactStore
from indexer.storage.folder_blobs import FolderBlobs, make_folder
from indexer.types import SegmentFilter
from memory.store import MemoryStore
from services.access.api_keys import ApiKeyStore
from services.answering.answering import Answering, AnsweringSettings
from services.answering.grounding import VerdictThresholds
from services.answering.ports import ClaimVerifier, QuestionAnalyzer
from services.answering.rules.claim_verification import RuleClaimVerifier
from services.answering.rules.question_analysis import RuleQuestionAnalyzer
from services.backup.backup import Backup
from services.backup.restore import Restore
from services.catalog.catalog import Catalog
from services.catalog.coverage import Coverage
from services.catalog.video_memory import VideoMemoryReader
from services.database.engine import SqlDatabase
from services.database.idempotency import IdempotencyStore
from services.generators.ports import Generator
from services.ingest.deletion import Deletion
from services.ingest.indexing import Indexing
from services.ingest.locks.files import FileLocks
from services.ingest.missing_sources import MissingSources
from services.ingest.ports import Locks
from services.ingest.recovery import Recovery
from services.ingest.reindexing import Reindexing
from services.ingest.resumable_uploads import ResumableUploads
from services.ingest.source_resolver import SourceResolver
from services.ingest.stored_assets import StoredAssets
from services.ingest.watching.background import FolderWatcher
from services.ingest.watching.watching import Watching
from services.jobs.handlers import JobHandlers
from services.jobs.retention import Retention
from services.jobs.store import JobStore, delete_summary_results
from services.jobs.types import JobQueueName
from services.playback.media_access import MediaAccess
from services.playback.query_images import QueryImages
from services.search.calibration import Calibration
from services.search.retrieval import Retrieval
from services.search.types import Query
from services.settings import Settings, load_settings
from services.summaries.summarizing import Summarizing
from services.wiring.background import Background
from services.wiring.generators import GeneratorWiring
from services.wiring.index_factory import IndexFactory
from services.wiring.models import Models, list_switched_on
from services.wiring.pipeline import make_decoder, make_pipeline, make_token_encoder
from services.wiring.playback import make_query_images
from services.wiring.search import make_answer_finder, make_calibration, make_retrieval
from services.wiring.video_context import make_video_context
from services.wiring.watching import make_folder_watcher, make_watching


class Container:
    """The services of one process. Adapters, and the vendors behind them, are imported when they are first needed.

    `models` replaces the encoders and recognizers that the settings name (tests lend loaded ones).
    """

    def __init__(self, settings: Settings | None = None, models: Models | None = None) -> None:
        self.settings = settings or load_settings()
        self.models = models or Models(self.settings)
        self._resources = ExitStack()

    @property
    def home(self) -> Path:
        """The folder that holds everything."""
        return self.settings.home.expanduser()

    def close(self) -> None:
        """Stop what runs in the background, and close processes, files and connections, the newest first."""
        self._resources.close()

    def instantiate(self) -> None:
        """Make the services that readers use, before threads ask for them. Errors: ModelError, StorageFull."""
        storage = (self.database, self.index, self.retrieval, self.media_access, self.query_images)
        for service in (*storage, self.answering, self.summarizing):
            assert service is not None

    def preload_models(self) -> None:
        """Load the models that the first question would load. Errors: ModelError."""
        self.retrieval.search(Query("ready"), SegmentFilter(), 1)
        self.generation.kind.preload()
        self.answering.answer_finder.preload()

    @cached_property
    def database(self) -> SqlDatabase:
        """The database: a file in the home folder, or the PostgreSQL that the settings name."""
        url = self.settings.catalog.url.get_secret_value()
        database = SqlDatabase(url or f"sqlite:///{self._ensure_home() / 'catalog.db'}")
        self._resources.callback(database.close)
        return database

    @cached_property
    def blobs(self) -> BlobStore:
        """The blob store: the home folder, or the object store that the settings name."""
        url = self.settings.blobs.url
        if not url:
            return FolderBlobs(self.home)
        from indexer.storage.object_store_blobs import ObjectStoreBlobs

        return ObjectStoreBlobs(url)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """The artifacts of assets: pictures, embeddings, texts."""
        return ArtifactStore(self.blobs)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog of collections, assets and their sources."""
        return Catalog(self.database, on_remove=[delete_summary_results])

    @cached_property
    def coverage(self) -> Coverage:
        """The coverage of the archive by the lanes and readers that the settings switch on."""
        return Coverage(self.catalog, self.artifacts, list_switched_on(self.settings))

    @cached_property
    def index(self) -> SegmentIndex:
        """The segment index in use. Errors: ModelError, StorageFull."""
        index = self._index_factory.open_index()
        self._resources.callback(index.close)
        return index

    @cached_property
    def shadow_index(self) -> ShadowIndex:
        """The shadow index, which a reindex fills beside the one in use."""
        return self._index_factory.open_shadow()

    @cached_property
    def locks(self) -> Locks:
        """The write locks: among the processes of this machine, or among all that share a PostgreSQL."""
        match self.database.dialect:
            case "postgresql":
                from services.ingest.locks.postgres import PostgresLocks

                return PostgresLocks(self.database)
            case _:
                return FileLocks(self.home)

    @cached_property
    def api_keys(self) -> ApiKeyStore:
        """The keys of the HTTP API."""
        return ApiKeyStore(self.database)

    @cached_property
    def idempotency(self) -> IdempotencyStore:
        """The stored responses of requests with an idempotency key."""
        return IdempotencyStore(self.database)

    @cached_property
    def video_memory(self) -> VideoMemoryReader:
        """The memories and key frames of videos."""
        return VideoMemoryReader(self.artifacts, self._memory_store)

    @cached_property
    def decoder(self) -> SandboxedDecoder:
        """The sandboxed process that decodes what is indexed."""
        decoder = self._make_decoder()
        self._resources.callback(decoder.close)
        return decoder

    @cached_property
    def token_encoder(self) -> TokenEncoder | None:
        """The encoder of the visual tokens that memories keep; None where none are kept. Errors: SettingsError."""
        return make_token_encoder(self.settings, self.models, self.generation.kind)

    @cached_property
    def pipeline(self) -> Pipeline:
        """The indexing pipeline: a file in; segments, artifacts and a memory out."""
        return self._make_pipeline(self.decoder)

    @cached_property
    def indexing(self) -> Indexing:
        """The indexing of files into collections."""
        return self._make_indexing(self.decoder, lambda: self.pipeline)

    def make_watching(self, poll_interval_s: float, prune: bool) -> Watching:
        """Make a watch of folders (see `wiring.watching`) with a decoding process of its own, beside that of jobs."""
        decoder = self._make_decoder()
        self._resources.callback(decoder.close)
        indexing = self._make_indexing(decoder, cache(partial(self._make_pipeline, decoder)))
        ingest, missing = self.settings.ingest, self.missing_sources
        return make_watching(ingest, indexing, missing, self.calibration, poll_interval_s, prune)

    @cached_property
    def folder_watcher(self) -> FolderWatcher:
        """The thread that watches the folders of the settings."""
        ingest = self.settings.ingest
        watcher = make_folder_watcher(ingest, self.make_watching(ingest.watch_poll_s, ingest.watch_prune))
        self._resources.callback(watcher.close)
        return watcher

    @cached_property
    def missing_sources(self) -> MissingSources:
        """The search for sources whose files are gone, and their removal."""
        return MissingSources(self.locks, self._stored_assets, self.catalog, self.calibration)

    @cached_property
    def deletion(self) -> Deletion:
        """The deletion of assets and collections."""
        return Deletion(
            self.locks,
            self._stored_assets,
            self.catalog,
            self.calibration,
            lambda source: self.source_resolver.delete_media(source.collection, source.uri),
        )

    @cached_property
    def reindexing(self) -> Reindexing:
        """The rebuilding of the index from artifacts."""
        return Reindexing(
            self.locks,
            self.shadow_index,
            self.artifacts,
            lambda: self.pipeline,
            self.catalog,
            lambda progress: self.calibration.refresh(progress),
            lambda: self.background.jobs.has_queued_jobs(JobQueueName.INDEX),
        )

    @cached_property
    def backup(self) -> Backup:
        """The making of backups."""
        return Backup(self.database, self.blobs, self.artifacts, self.source_resolver.media_key)

    @cached_property
    def restore(self) -> Restore:
        """The restoration of backups."""
        return Restore(
            self.database, self.blobs, lambda: self.reindexing, lambda: self.background.statistics.count_unfinished()
        )

    @cached_property
    def source_resolver(self) -> SourceResolver:
        """The resolver of uploads, paths and URLs to local files."""
        from services.wiring.sources import make_source_resolver

        return make_source_resolver(self.settings.ingest, self.blobs, self.home / "incoming")

    @cached_property
    def uploads(self) -> ResumableUploads:
        """The resumable uploads that are under way."""
        return ResumableUploads(self.home / "uploads", self.settings.ingest.upload_ttl_s)

    def incoming_folder(self) -> Path:
        """Make and return the folder for files that are being received. Errors: StorageFull."""
        return make_folder(self._ensure_home() / "incoming")

    @cached_property
    def calibration(self) -> Calibration:
        """The calibration of scores against null queries."""
        model_ids = self._index_factory.lane_model_ids()
        return make_calibration(self.settings.search, self.index, self.models, model_ids, self.blobs)

    @cached_property
    def retrieval(self) -> Retrieval:
        """Search in all lanes."""
        return make_retrieval(self.settings.search, self.index, self.catalog, self.calibration, self.models)

    @cached_property
    def generation(self) -> GeneratorWiring:
        """The generator that the settings name, and what depends on its kind."""
        return GeneratorWiring(
            self.settings, lambda: self.models.sentence_encoder, self.artifacts.read_picture, self._resources
        )

    @property
    def generator(self) -> Generator:
        """The writer of answers. Errors: SettingsError, ModelError."""
        return self.generation.kind.generator

    @cached_property
    def question_analyzer(self) -> QuestionAnalyzer:
        """The analyzer of questions."""
        return RuleQuestionAnalyzer()

    @cached_property
    def claim_verifier(self) -> ClaimVerifier:
        """The verifier of sentences; pictures are checked by the generator, where its kind can."""
        settings = self.settings.grounding
        thresholds = VerdictThresholds(settings.supported_threshold, settings.refuted_threshold)
        return RuleClaimVerifier(thresholds, self.generation.kind.visual_verifier)

    @cached_property
    def answering(self) -> Answering:
        """The answering of questions."""
        return Answering(
            self.retrieval,
            self.question_analyzer,
            self.generator,
            self.claim_verifier,
            make_answer_finder(self.settings.answer, self.models),
            make_video_context(
                self.settings.answer, self.video_memory, self.catalog, self.generation.kind.accepts_tokens_of
            ),
            AnsweringSettings(
                max_evidence=self.settings.answer.max_evidence,
                keep_unsupported=self.settings.grounding.on_unsupported == "flag",
            ),
        )

    @cached_property
    def summarizing(self) -> Summarizing:
        """The summaries of assets."""
        catalog = self.catalog
        return Summarizing(
            self.blobs,
            self.artifacts,
            self.video_memory,
            self.generator,
            self.claim_verifier,
            lambda asset_id: bool(catalog.sources(asset_id)),
        )

    @cached_property
    def media_access(self) -> MediaAccess:
        """The access to media, frames, pages and clips, with decoding processes of its own."""
        access = MediaAccess(
            self.blobs,
            self.artifacts,
            self.video_memory,
            self.catalog,
            self.source_resolver.media_key,
            self._make_decoder,
            self.settings.serve.max_concurrent_clips,
        )
        self._resources.callback(access.close)
        return access

    @cached_property
    def query_images(self) -> QueryImages:
        """The decoding of pictures that are sent as queries, with processes and limits of its own."""
        return make_query_images(self.settings.serve, self._resources)

    @cached_property
    def background(self) -> Background:
        """The jobs of this process, and what runs them."""
        return Background(
            self.settings.jobs, self.database, self._make_job_handlers, self._make_retention, self._resources
        )

    def _make_pipeline(self, decoder: SandboxedDecoder) -> Pipeline:
        return make_pipeline(
            self.settings, self.models, self.token_encoder, decoder, self.artifacts, self._memory_store
        )

    def _make_indexing(self, decoder: SandboxedDecoder, pipeline: Callable[[], Pipeline]) -> Indexing:
        stored, missing = self._stored_assets, self.missing_sources
        recovery = Recovery(self.locks, stored, self.catalog, self.index)
        return Indexing(self.locks, decoder, pipeline, stored, recovery, missing, self.calibration)

    def _make_job_handlers(self, jobs: JobStore) -> JobHandlers:
        return JobHandlers(
            lambda: self.source_resolver,
            lambda: self.indexing,
            lambda: self.deletion,
            lambda: self.catalog,
            lambda: self.calibration,
            lambda: self.summarizing,
            lambda: self.reindexing,
            jobs,
        )

    def _make_retention(self, jobs: JobStore) -> Retention:
        return Retention(jobs, self.catalog, self.source_resolver, self.idempotency, self.settings.jobs.retention_days)

    @cached_property
    def _stored_assets(self) -> StoredAssets:
        return StoredAssets(self.index, self.artifacts, self.catalog)

    @cached_property
    def _index_factory(self) -> IndexFactory:
        factory = IndexFactory(self.settings.index, self.home, self._ensure_home, self.models)
        self._resources.callback(factory.close)
        return factory

    def _memory_store(self, asset_id: str, version: str) -> MemoryStore:
        return MemoryStore(self.blobs, self.artifacts.version_prefix(asset_id, version))

    def _make_decoder(self) -> SandboxedDecoder:
        return make_decoder(self.settings.media)

    def _ensure_home(self) -> Path:
        return make_folder(self.home)
