"""`Working`: what each kind of job does, with the services that the command line uses too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from indexer.errors import AfterimageError, AssetNotFound
from services.catalog import Catalog
from services.indexing import Indexed, Indexing, Outcome
from services.intake import Intake
from services.jobs.running import Report
from services.jobs.store import Jobs
from services.jobs.types import (
    DeleteRequest,
    DeleteResult,
    IndexedFile,
    IndexRequest,
    IndexResult,
    Job,
    JobQueueName,
    ReindexRequest,
    ReindexResult,
    Result,
    SummarizeRequest,
    SummarizeResult,
)
from services.reindexing import Reindexing
from services.summarizing import Summarizing

_PATIENCE_S = 10.0
"""How long a job waits for others who write, before it makes room for another job."""


class Working:
    """Does jobs. A result is the same whether or not an earlier try was cut off on its way to it.

    Services are made when they are first needed: who deletes loads no generator.
    """

    def __init__(
        self,
        intake: Callable[[], Intake],
        indexing: Callable[[], Indexing],
        catalog: Callable[[], Catalog],
        summarizing: Callable[[], Summarizing],
        reindexing: Callable[[], Reindexing],
        jobs: Jobs,
    ) -> None:
        self._intake, self._indexing, self._catalog, self._jobs = intake, indexing, catalog, jobs
        self._summarizing, self._reindexing = summarizing, reindexing

    def do(self, job: Job, report: Report) -> Result:
        """What came of it. Errors: those of the service that does it, and what `report` raises."""
        match job.request:
            case IndexRequest():
                with self._settling():
                    return self._index(job.request, job.collection or "default", report)
            case SummarizeRequest():
                return self._summarize(job, job.request, report)
            case DeleteRequest():
                with self._settling():
                    return self._delete(job, job.request)
            case ReindexRequest():
                return self._reindex(report)

    @contextmanager
    def _settling(self) -> Iterator[None]:
        """Of many jobs that change the archive, the last one has it measured. A job that fails may be that one."""
        try:
            yield
        except AfterimageError:
            self._settle()
            raise
        self._settle()

    def _settle(self) -> None:
        self._indexing().settle(more_to_come=self._jobs.any_waiting(JobQueueName.INDEX))

    def _index(self, request: IndexRequest, collection: str, report: Report) -> IndexResult:
        with self._intake().found(request.uri, request.name, collection, report) as found:
            lines = self._indexing().take(found, collection, report, _PATIENCE_S)
            return IndexResult(tuple(_file(line) for line in lines if line.outcome is not Outcome.PASSED_OVER))

    def _summarize(self, job: Job, request: SummarizeRequest, report: Report) -> SummarizeResult:
        """Reports go by the name that the video has in the job's collection: who sees that one sees the job."""
        where = None if job.collection is None else [job.collection]
        asset = self._catalog().get([request.asset_id], where).get(request.asset_id)
        if asset is None:
            raise AssetNotFound(f"no asset {request.asset_id!r}")

        def sections(done: int, total: int) -> None:
            report(asset.name, done, total)

        return SummarizeResult(self._summarizing().summarize(asset, sections))

    def _delete(self, job: Job, request: DeleteRequest) -> DeleteResult:
        try:
            self._indexing().take_out(request.asset_id, job.collection, _PATIENCE_S)
        except AssetNotFound:
            if job.claims == 1:  # later it was an earlier try that deleted it, maybe not to the end
                raise
            self._indexing().finish_deletion(request.asset_id, _PATIENCE_S)
        return DeleteResult(request.asset_id)

    def _reindex(self, report: Report) -> ReindexResult:
        done = self._reindexing().reindex(report, _PATIENCE_S)
        return ReindexResult(done.assets, done.segments, done.damaged)


def _file(line: Indexed) -> IndexedFile:
    return IndexedFile(line.name, None if line.asset is None else line.asset.asset_id, line.reason)
