"""`Cleaning`: finished jobs are not kept for ever, nor uploads that came to nothing."""

from __future__ import annotations

from services.catalog import Catalog, now
from services.intake import Intake
from services.jobs.store import Jobs
from services.jobs.types import IndexRequest, Job

_DAY_S = 24 * 3600.0


class Cleaning:
    """Forgets jobs some days after their end, and with them what they were to take in and did not."""

    def __init__(self, jobs: Jobs, catalog: Catalog, intake: Intake, keep_days: float) -> None:
        self._jobs, self._catalog, self._intake, self._keep_s = jobs, catalog, intake, keep_days * _DAY_S

    def clean(self) -> None:
        """Once. Errors: those of the database, StorageFull."""
        for job in self._jobs.forget(now() - self._keep_s):
            self._drop(job)

    def _drop(self, job: Job) -> None:
        request = job.request
        if not isinstance(request, IndexRequest) or job.collection is None:
            return
        if self._catalog.source(job.collection, request.uri) is None:
            self._intake.drop(job.collection, request.uri)
