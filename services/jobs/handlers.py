"""Handlers of jobs: each kind calls the service that the command line calls too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from indexer.errors import AfterimageError, AssetNotFound
from services.catalog.catalog import Catalog
from services.ingest.deletion import Deletion
from services.ingest.indexing import Indexing
from services.ingest.reindexing import Reindexing
from services.ingest.source_resolver import SourceResolver
from services.ingest.types import FileReport, Outcome
from services.jobs.runner import JobProgressCallback
from services.jobs.store import JobStore
from services.jobs.types import (
    DeleteRequest,
    DeleteResult,
    IndexedFile,
    IndexRequest,
    IndexResult,
    Job,
    JobQueueName,
    JobResult,
    ReindexRequest,
    ReindexResult,
    SummarizeRequest,
    SummarizeResult,
)
from services.search.calibration import Calibration
from services.summaries.summarizing import Summarizing

_CALIBRATION_INTERVAL_S = 60.0
"""Chosen: while index jobs are queued, scores are calibrated once a minute, which costs a query per null query."""
_LOCK_TIMEOUT_S = 10.0
"""Chosen: a job waits this long for the write lock before the worker takes another job; shorter means more retries."""
_NO_FILES = {Outcome.SKIPPED, Outcome.UNMATCHED, Outcome.GONE}
"""Outcomes that are not among the files of a job's result: nothing was asked of these files, and nothing failed."""


class JobHandlers:
    """Runs the handler of a job's kind. Handlers are idempotent: an interrupted attempt does not change the result.

    Services are created when first needed, so that a delete job does not load a generator.
    """

    def __init__(
        self,
        source_resolver: Callable[[], SourceResolver],
        indexing: Callable[[], Indexing],
        deletion: Callable[[], Deletion],
        catalog: Callable[[], Catalog],
        calibration: Callable[[], Calibration],
        summarizing: Callable[[], Summarizing],
        reindexing: Callable[[], Reindexing],
        jobs: JobStore,
    ) -> None:
        self._source_resolver, self._indexing, self._deletion = source_resolver, indexing, deletion
        self._catalog, self._calibration, self._jobs = catalog, calibration, jobs
        self._summarizing, self._reindexing = summarizing, reindexing

    def handle(self, job: Job, report: JobProgressCallback) -> JobResult:
        """Run a job and return its result. Errors: those of its service, and what `report` raises."""
        match job.request:
            case IndexRequest():
                with self._refresh_calibration_after():
                    return self._index(job.request, job.collection or "default", report)
            case SummarizeRequest():
                return self._summarize(job, job.request, report)
            case DeleteRequest():
                with self._refresh_calibration_after():
                    return self._delete(job, job.request)
            case ReindexRequest():
                return self._reindex(report)

    @contextmanager
    def _refresh_calibration_after(self) -> Iterator[None]:
        """Refresh the calibration after the last of many jobs that change the archive, or failed to (decision 0060)."""
        try:
            yield
        except AfterimageError:
            self._refresh_calibration()
            raise
        self._refresh_calibration()

    def _refresh_calibration(self) -> None:
        more_to_come = self._jobs.has_queued_jobs(JobQueueName.INDEX)
        self._calibration().refresh_if_stale(_CALIBRATION_INTERVAL_S if more_to_come else 0.0)

    def _index(self, request: IndexRequest, collection: str, report: JobProgressCallback) -> IndexResult:
        with self._source_resolver().resolve(request.uri, request.name, collection, report) as files:
            reports = list(self._indexing().index_files(files, collection, report, _LOCK_TIMEOUT_S))
            if (path := self._source_resolver().local_path(request.uri)) is not None:
                reports += self._indexing().report_gone(collection, path)
        return IndexResult(
            files=_select(reports, set(Outcome) - _NO_FILES),
            gone=_select(reports, {Outcome.GONE}),
            unmatched=_select(reports, {Outcome.UNMATCHED}),
        )

    def _summarize(self, job: Job, request: SummarizeRequest, report: JobProgressCallback) -> SummarizeResult:
        """Summarize a video, called by its name in the job's collection, which everyone who sees the job may know."""
        collections = None if job.collection is None else [job.collection]
        asset = self._catalog().get([request.asset_id], collections).get(request.asset_id)
        if asset is None:
            raise AssetNotFound(f"no asset {request.asset_id!r}")

        def report_sections(done: int, total: int) -> None:
            report(asset.name, done, total)

        return SummarizeResult(self._summarizing().summarize(asset, report_sections))

    def _delete(self, job: Job, request: DeleteRequest) -> DeleteResult:
        try:
            self._deletion().remove_asset(request.asset_id, job.collection, _LOCK_TIMEOUT_S)
        except AssetNotFound:
            if job.fencing_token == 1:  # a later claim completes what an earlier one began
                raise
            self._deletion().complete_deletion(request.asset_id, _LOCK_TIMEOUT_S)
        return DeleteResult(request.asset_id)

    def _reindex(self, report: JobProgressCallback) -> ReindexResult:
        reindexed = self._reindexing().reindex(report, _LOCK_TIMEOUT_S)
        return ReindexResult(reindexed.assets, reindexed.segments, reindexed.damaged_assets)


def _select(reports: Iterable[FileReport], outcomes: Collection[Outcome]) -> tuple[IndexedFile, ...]:
    return tuple(_to_indexed_file(line) for line in reports if line.outcome in outcomes)


def _to_indexed_file(line: FileReport) -> IndexedFile:
    return IndexedFile(line.name, None if line.asset is None else line.asset.asset_id, line.reason)
