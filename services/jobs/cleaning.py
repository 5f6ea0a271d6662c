"""`Cleaning`: finished jobs are not kept for ever, nor uploads that came to nothing, nor answers to be given again."""

from __future__ import annotations

from services.catalog import Catalog, now
from services.intake import Intake
from services.jobs.store import Jobs
from services.jobs.types import IndexRequest, Job
from services.repeats import Repeats

_DAY_S = 24 * 3600.0


class Cleaning:
    """Forgets jobs some days after their end, and with them what they were to take in and did not."""

    def __init__(self, jobs: Jobs, catalog: Catalog, intake: Intake, repeats: Repeats, keep_days: float) -> None:
        self._jobs, self._catalog, self._intake, self._repeats = jobs, catalog, intake, repeats
        self._keep_s = keep_days * _DAY_S

    def clean(self) -> None:
        """Once. A job is forgotten last, so that what fails is tried again. Errors: those of the database,
        BlobsUnavailable, StorageFull.
        """
        self._repeats.clear()
        self._intake.clear()
        for job in self._jobs.ended(now() - self._keep_s):
            self._drop(job)
            self._jobs.forget(job)

    def _drop(self, job: Job) -> None:
        request = job.request
        if not isinstance(request, IndexRequest) or job.collection is None:
            return
        if self._catalog.source(job.collection, request.uri) is None:
            self._intake.drop(job.collection, request.uri)
