"""`Dispatch`: jobs on their way from those who ask to those who work, and again where they were lost on it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress

from indexer.errors import DatabaseUnavailable, QueueUnavailable
from services.catalog import now
from services.jobs.cleaning import Cleaning
from services.jobs.leases import Leases
from services.jobs.ports import JobQueue
from services.jobs.repeating import Repeating
from services.jobs.store import Jobs
from services.jobs.types import Job, JobQueueName, NewJob
from services.jobs.waking import Waking
from services.jobs.webhooks import Webhooks
from services.repeats import Repeatable

_log = logging.getLogger(__name__)
_CLEAN_S = 3600.0


class Dispatch:
    """Hands jobs to the queue. From `start` to `close` it also looks, every `sweep_s`, for jobs whose worker or whose
    message was lost, and for those whose wait is over; any number of processes may do so side by side.

    A message is taken for lost where its job is queued, was sent `resend_s` ago, and nothing waits in its queue.
    """

    def __init__(
        self,
        jobs: Jobs,
        leases: Leases,
        queue: JobQueue,
        webhooks: Webhooks,
        cleaning: Cleaning,
        *,
        sweep_s: float,
        resend_s: float,
    ) -> None:
        self._jobs, self._leases, self._queue, self._resend_s = jobs, leases, queue, resend_s
        self._webhooks, self._waking = webhooks, Waking(leases.lease_s)
        self._repeating = [
            Repeating("sweep", sweep_s, self.sweep),
            Repeating("webhooks", sweep_s, webhooks.deliver),
            Repeating("cleaning", _CLEAN_S, cleaning.clean),
        ]

    def submit(self, new: NewJob, once: Repeatable | None = None) -> Job:
        """Write a job down and hand it over. It will be done also where the queue cannot be reached right now.
        `once` is the request that asks for it, where that may be sent again: it makes one job.

        Errors: NotAllowed for a webhook that may not be told.
        """
        if new.webhook is not None:
            self._webhooks.check(new.webhook)
        return self._sent(self._jobs.submit(new, once))

    def retry(self, job_id: str, once: Repeatable | None = None) -> Job:
        """Have a job that failed or was cancelled done once more; `once` as for `submit`.

        Errors: JobNotFound, JobConflict.
        """
        return self._sent(self._jobs.retry(job_id, once))

    def waiting(self, queue: JobQueueName) -> int:
        """How many jobs of a queue are on their way to a worker. Errors: QueueUnavailable."""
        return self._queue.waiting(queue)

    def start(self, queues: Collection[JobQueueName] = tuple(JobQueueName)) -> None:
        """Begin to sweep, and to work on some queues where the workers are here; at once with what was left behind.

        Errors: those of the database.
        """
        self._queue.start(queues)
        self._look(0.0)
        for repeating in self._repeating:
            repeating.start()

    def close(self) -> None:
        """End what `start` began. Jobs are told first: they take longest to come to a checkpoint."""
        for repeating in self._repeating:
            repeating.stop()
        self._webhooks.stop()
        self._queue.close()
        for repeating in self._repeating:
            repeating.close()

    def sweep(self) -> None:
        """Look once. Errors: those of the database."""
        self._look(self._resend_s)

    def _look(self, resend_s: float) -> None:
        if not self._waking.lately():
            self._leases.expire()
        with suppress(QueueUnavailable):
            drained = [queue for queue in JobQueueName if self._queue.waiting(queue) == 0]
            for job in self._jobs.due(dict.fromkeys(drained, now() - resend_s)):
                self._sent(job)

    def _sent(self, job: Job) -> Job:
        try:
            self._queue.send(job)
        except QueueUnavailable as error:
            _log.warning("job %s is sent later: %s", job.id, error)
            with suppress(DatabaseUnavailable):
                self._jobs.unsent(job.id)
        return job
