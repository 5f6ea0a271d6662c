"""What jobs need of the outside world."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from services.jobs.types import Job, JobQueueName


class JobQueue(Protocol):
    """Carries the ids of jobs to workers; what is to be done, and what became of it, is in the database alone.

    So it may lose ids (they are sent again) and may hand one over twice (the second claim fails). `start` begins to
    work on some queues, where the workers are threads of this process. `send` hands over a queued job and does not wait
    for it. `waiting` is how many ids of a queue no worker has taken yet. `close` stops what `start` began; a job that
    is being worked on stops at its next checkpoint and goes back. Errors: QueueUnavailable.
    """

    def start(self, queues: Collection[JobQueueName]) -> None: ...
    def send(self, job: Job) -> None: ...
    def queue_depth(self, queue: JobQueueName) -> int: ...
    def close(self) -> None: ...


class JobWorker(Protocol):
    """A process that does jobs of some queues: `work` returns after SIGTERM or SIGINT, when what was under way has
    stopped at a checkpoint and gone back."""

    def work(self, queues: Collection[JobQueueName]) -> None: ...
