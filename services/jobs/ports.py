"""Ports of jobs: the queue that delivers them and the worker process that runs them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from services.jobs.types import Job, JobQueueName


class JobQueue(Protocol):
    """Delivers the ids of jobs to workers; requests and results are in the database alone.

    So it may lose ids, which are sent again, and may deliver an id twice, whose second claim fails.
    Errors: QueueUnavailable.
    """

    def start(self, queues: Collection[JobQueueName]) -> None:
        """Start workers for some queues, if the workers are threads of this process."""

    def send(self, job: Job) -> None:
        """Send a queued job's id without waiting for a worker."""

    def queue_depth(self, queue: JobQueueName) -> int:
        """Return the number of ids in a queue that no worker has taken yet."""
        ...

    def close(self) -> None:
        """Stop what `start` started; a running job stops at its next checkpoint and is released."""


class JobWorker(Protocol):
    """Process that runs the jobs of some queues."""

    def work(self, queues: Collection[JobQueueName]) -> None:
        """Run jobs until SIGTERM or SIGINT; return once the running job has stopped at a checkpoint and is released."""
