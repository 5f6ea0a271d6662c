"""`Dispatch`: jobs on their way from those who ask to those who work, and again where they were lost on it."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress

from services.database.clock import now
from services.database.errors import DatabaseUnavailable
from services.database.idempotency import IdempotencyKey
from services.jobs.errors import QueueUnavailable
from services.jobs.leases import Leases
from services.jobs.periodic_task import PeriodicTask
from services.jobs.ports import JobQueue
from services.jobs.retention import Retention
from services.jobs.store import JobStore
from services.jobs.suspend_detector import SuspendDetector
from services.jobs.types import Job, JobQueueName, NewJob
from services.jobs.webhooks import WebhookSender

_log = logging.getLogger(__name__)
_PURGE_INTERVAL_S = 3600.0


class JobDispatcher:
    """Hands jobs to the queue. From `start` to `close` it also looks, every `sweep_s`, for jobs whose worker or whose
    message was lost, and for those whose wait is over; any number of processes may do so side by side.

    A message is taken for lost where its job is queued, was sent `resend_s` ago, and nothing waits in its queue.
    """

    def __init__(
        self,
        jobs: JobStore,
        leases: Leases,
        queue: JobQueue,
        webhooks: WebhookSender,
        retention: Retention,
        *,
        sweep_interval_s: float,
        redeliver_after_s: float,
    ) -> None:
        self._jobs, self._leases, self._queue, self._redeliver_after_s = jobs, leases, queue, redeliver_after_s
        self._webhooks, self._suspend_detector = webhooks, SuspendDetector(leases.lease_s)
        self._periodic_tasks = [
            PeriodicTask("sweep", sweep_interval_s, self.sweep),
            PeriodicTask("webhooks", sweep_interval_s, webhooks.deliver_due),
            PeriodicTask("cleaning", _PURGE_INTERVAL_S, retention.purge),
        ]

    def submit(self, new_job: NewJob, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Write a job down and hand it over. It will be done also where the queue cannot be reached right now.
        `once` is the request that asks for it, where that may be sent again: it makes one job.

        Errors: NotAllowed for a webhook that may not be told.
        """
        if new_job.webhook is not None:
            self._webhooks.validate_url(new_job.webhook)
        return self._deliver(self._jobs.submit(new_job, idempotency_key))

    def retry(self, job_id: str, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Have a job that failed or was cancelled done once more; `once` as for `submit`.

        Errors: JobNotFound, JobConflict.
        """
        return self._deliver(self._jobs.retry(job_id, idempotency_key))

    def queue_depth(self, queue: JobQueueName) -> int:
        """How many jobs of a queue are on their way to a worker. Errors: QueueUnavailable."""
        return self._queue.queue_depth(queue)

    def start(self, queues: Collection[JobQueueName] = tuple(JobQueueName)) -> None:
        """Begin to sweep, and to work on some queues where the workers are here; at once with what was left behind.

        Errors: those of the database.
        """
        self._queue.start(queues)
        self._reclaim_and_redeliver(0.0)
        for repeating in self._periodic_tasks:
            repeating.start()

    def close(self) -> None:
        """End what `start` began. Jobs are told first: they take longest to come to a checkpoint."""
        for repeating in self._periodic_tasks:
            repeating.stop()
        self._webhooks.stop()
        self._queue.close()
        for repeating in self._periodic_tasks:
            repeating.close()

    def sweep(self) -> None:
        """Look once. Errors: those of the database."""
        self._reclaim_and_redeliver(self._redeliver_after_s)

    def _reclaim_and_redeliver(self, redeliver_after_s: float) -> None:
        if not self._suspend_detector.recently_resumed():
            self._leases.reclaim_expired()
        with suppress(QueueUnavailable):
            drained = [queue for queue in JobQueueName if self._queue.queue_depth(queue) == 0]
            for job in self._jobs.take_undelivered(dict.fromkeys(drained, now() - redeliver_after_s)):
                self._deliver(job)

    def _deliver(self, job: Job) -> Job:
        try:
            self._queue.send(job)
        except QueueUnavailable as error:
            _log.warning("job %s is sent later: %s", job.id, error)
            with suppress(DatabaseUnavailable):
                self._jobs.mark_undelivered(job.id)
        return job
