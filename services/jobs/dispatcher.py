"""Dispatch of jobs to the queue, and the periodic sweep for lost messages and expired leases."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress

from services.database.clock import Clock, now
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
"""Chosen: retention is counted in days, so an hour of delay does not matter."""


class JobDispatcher:
    """Sends jobs to the queue; between `start` and `close` a sweep also recovers lost ones.

    Every `sweep_interval_s` the sweep reclaims expired leases and sends due and lost jobs; any number of processes may
    run it. A message counts as lost if its job is still queued `redeliver_after_s` later and its queue is empty.
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
        clock: Clock = now,
    ) -> None:
        self._jobs, self._leases, self._queue = jobs, leases, queue
        self._redeliver_after_s, self._clock = redeliver_after_s, clock
        self._webhooks, self._suspend_detector = webhooks, SuspendDetector(leases.lease_s, clock)
        self._periodic_tasks = [
            PeriodicTask("sweep", sweep_interval_s, self.sweep),
            PeriodicTask("webhooks", sweep_interval_s, webhooks.deliver_due),
            PeriodicTask("cleaning", _PURGE_INTERVAL_S, retention.purge),
        ]

    def submit(self, new_job: NewJob, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Store a job and send it to the queue; if the queue cannot be reached, the sweep sends it later.

        A retried request, by its idempotency key, creates one job. Errors: SourceForbidden for the webhook's URL.
        """
        if new_job.webhook is not None:
            self._webhooks.validate_url(new_job.webhook)
        return self._deliver(self._jobs.submit(new_job, idempotency_key))

    def retry(self, job_id: str, idempotency_key: IdempotencyKey | None = None) -> Job:
        """Run a failed or cancelled job again; `idempotency_key` as in `submit`. Errors: JobNotFound, JobConflict."""
        return self._deliver(self._jobs.retry(job_id, idempotency_key))

    def queue_depth(self, queue: JobQueueName) -> int:
        """Return the number of messages in a queue that no worker has taken. Errors: QueueUnavailable."""
        return self._queue.queue_depth(queue)

    def start(self, queues: Collection[JobQueueName] = tuple(JobQueueName)) -> None:
        """Start the sweep, and the inline workers of some queues; queued jobs of earlier processes are sent at once.

        Errors: those of the database.
        """
        self._queue.start(queues)
        self._reclaim_and_redeliver(0.0)
        for task in self._periodic_tasks:
            task.start()

    def close(self) -> None:
        """Stop the sweep and the inline workers; a running job stops at its next checkpoint and is released."""
        for task in self._periodic_tasks:
            task.stop()
        self._webhooks.stop()
        self._queue.close()
        for task in self._periodic_tasks:
            task.close()

    def sweep(self) -> None:
        """Sweep once. Errors: those of the database."""
        self._reclaim_and_redeliver(self._redeliver_after_s)

    def _reclaim_and_redeliver(self, redeliver_after_s: float) -> None:
        if not self._suspend_detector.recently_resumed():
            self._leases.reclaim_expired()
        with suppress(QueueUnavailable):
            drained = [queue for queue in JobQueueName if self._queue.queue_depth(queue) == 0]
            for job in self._jobs.take_undelivered(dict.fromkeys(drained, self._clock() - redeliver_after_s)):
                self._deliver(job)

    def _deliver(self, job: Job) -> Job:
        try:
            self._queue.send(job)
        except QueueUnavailable as error:
            _log.warning("job %s could not be sent to the queue yet: %s", job.id, error)
            with suppress(DatabaseUnavailable):
                self._jobs.mark_undelivered(job.id)
        return job
