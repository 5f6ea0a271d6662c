"""`Cleaning`: finished jobs are not kept for ever, nor uploads that came to nothing, nor answers to be given again."""

from __future__ import annotations

from services.catalog.catalog import Catalog
from services.database.clock import now
from services.database.idempotency import IdempotencyStore
from services.ingest.source_resolver import SourceResolver
from services.jobs.store import JobStore
from services.jobs.types import IndexRequest, Job

_DAY_S = 24 * 3600.0


class Retention:
    """Forgets jobs some days after their end, and with them what they were to take in and did not."""

    def __init__(
        self,
        jobs: JobStore,
        catalog: Catalog,
        source_resolver: SourceResolver,
        idempotency_store: IdempotencyStore,
        retention_days: float,
    ) -> None:
        self._jobs, self._catalog, self._source_resolver, self._idempotency_store = (
            jobs,
            catalog,
            source_resolver,
            idempotency_store,
        )
        self._retention_s = retention_days * _DAY_S

    def purge(self) -> None:
        """Once. A job is forgotten last, so that what fails is tried again. Errors: those of the database,
        BlobsUnavailable, StorageFull.
        """
        self._idempotency_store.purge_expired()
        self._source_resolver.purge_expired()
        for job in self._jobs.finished_before(now() - self._retention_s):
            self._discard_upload(job)
            self._jobs.delete_finished(job)

    def _discard_upload(self, job: Job) -> None:
        request = job.request
        if not isinstance(request, IndexRequest) or job.collection is None:
            return
        if self._catalog.find_source(job.collection, request.uri) is None:
            self._source_resolver.delete_media(job.collection, request.uri)
