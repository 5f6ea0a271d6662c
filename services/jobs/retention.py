"""Retention of finished jobs, abandoned uploads and idempotency keys."""

from __future__ import annotations

from services.catalog.catalog import Catalog
from services.database.clock import Clock, now
from services.database.idempotency import IdempotencyStore
from services.ingest.source_resolver import SourceResolver
from services.jobs.store import JobStore
from services.jobs.types import IndexRequest, Job

_DAY_S = 24 * 3600.0
"""Form: seconds of a day."""


class Retention:
    """Deletes jobs `retention_days` after they ended, with the uploads that they did not index."""

    def __init__(
        self,
        jobs: JobStore,
        catalog: Catalog,
        source_resolver: SourceResolver,
        idempotency_store: IdempotencyStore,
        retention_days: float,
        clock: Clock = now,
    ) -> None:
        self._jobs, self._catalog, self._source_resolver = jobs, catalog, source_resolver
        self._idempotency_store, self._clock = idempotency_store, clock
        self._retention_s = retention_days * _DAY_S

    def purge(self) -> None:
        """Delete what has expired; a job's row goes last, so that a failure is retried by the next call.

        Errors: DatabaseUnavailable, BlobStoreUnavailable, StorageFull.
        """
        self._idempotency_store.purge_expired()
        self._source_resolver.purge_expired()
        for job in self._jobs.finished_before(self._clock() - self._retention_s):
            self._discard_upload(job)
            self._jobs.delete_finished(job)

    def _discard_upload(self, job: Job) -> None:
        request = job.request
        if not isinstance(request, IndexRequest) or job.collection is None:
            return
        if self._catalog.find_source(job.collection, request.uri) is None:
            self._source_resolver.delete_media(job.collection, request.uri)
