"""`Working`: what each kind of job does, with the services that the command line uses too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from indexer.errors import AfterimageError, AssetNotFound
from services.catalog.catalog import Catalog
from services.ingest.indexing import FileReport, Indexing, Outcome
from services.ingest.reindexing import Reindexing
from services.ingest.source_resolver import SourceResolver
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
from services.summaries.summarizing import Summarizing

_LOCK_TIMEOUT_S = 10.0
"""How long a job waits for others who write, before it makes room for another job."""


class JobHandlers:
    """Does jobs. A result is the same whether or not an earlier try was cut off on its way to it.

    Services are made when they are first needed: who deletes loads no generator.
    """

    def __init__(
        self,
        source_resolver: Callable[[], SourceResolver],
        indexing: Callable[[], Indexing],
        catalog: Callable[[], Catalog],
        summarizing: Callable[[], Summarizing],
        reindexing: Callable[[], Reindexing],
        jobs: JobStore,
    ) -> None:
        self._source_resolver, self._indexing, self._catalog, self._jobs = source_resolver, indexing, catalog, jobs
        self._summarizing, self._reindexing = summarizing, reindexing

    def handle(self, job: Job, report: JobProgressCallback) -> JobResult:
        """What came of it. Errors: those of the service that does it, and what `report` raises."""
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
        """Of many jobs that change the archive, the last one has it measured. A job that fails may be that one."""
        try:
            yield
        except AfterimageError:
            self._refresh_calibration()
            raise
        self._refresh_calibration()

    def _refresh_calibration(self) -> None:
        self._indexing().refresh_calibration(has_pending_jobs=self._jobs.has_queued_jobs(JobQueueName.INDEX))

    def _index(self, request: IndexRequest, collection: str, report: JobProgressCallback) -> IndexResult:
        with self._source_resolver().resolve(request.uri, request.name, collection, report) as found:
            lines = self._indexing().index_files(found, collection, report, _LOCK_TIMEOUT_S)
            return IndexResult(tuple(_to_indexed_file(line) for line in lines if line.outcome is not Outcome.SKIPPED))

    def _summarize(self, job: Job, request: SummarizeRequest, report: JobProgressCallback) -> SummarizeResult:
        """Reports go by the name that the video has in the job's collection: who sees that one sees the job."""
        collections = None if job.collection is None else [job.collection]
        asset = self._catalog().get([request.asset_id], collections).get(request.asset_id)
        if asset is None:
            raise AssetNotFound(f"no asset {request.asset_id!r}")

        def report_sections(done: int, total: int) -> None:
            report(asset.name, done, total)

        return SummarizeResult(self._summarizing().summarize(asset, report_sections))

    def _delete(self, job: Job, request: DeleteRequest) -> DeleteResult:
        try:
            self._indexing().remove_asset(request.asset_id, job.collection, _LOCK_TIMEOUT_S)
        except AssetNotFound:
            if job.fencing_token == 1:  # later it was an earlier try that deleted it, maybe not to the end
                raise
            self._indexing().complete_deletion(request.asset_id, _LOCK_TIMEOUT_S)
        return DeleteResult(request.asset_id)

    def _reindex(self, report: JobProgressCallback) -> ReindexResult:
        done = self._reindexing().reindex(report, _LOCK_TIMEOUT_S)
        return ReindexResult(done.assets, done.segments, done.damaged_assets)


def _to_indexed_file(line: FileReport) -> IndexedFile:
    return IndexedFile(line.name, None if line.asset is None else line.asset.asset_id, line.reason)
