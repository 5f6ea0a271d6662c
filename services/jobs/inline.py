"""Inline job queue: jobs run in threads of this process, without a message broker."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Collection
from queue import SimpleQueue
from threading import Event, Thread

from indexer.errors import AfterimageError
from services.jobs.dispatcher import JobDispatcher
from services.jobs.types import Job, JobQueueName
from services.jobs.worker_registry import WorkerPresence

_log = logging.getLogger(__name__)


class InlineQueue:
    """JobQueue with one thread per queue, which runs jobs in order.

    `run` runs the job of an id; `stop` makes it release a running job. Waiting ids are lost with the process and sent
    again by the next one. `presence` records the process as a worker while the threads run.
    """

    def __init__(self, run: Callable[[str], None], stop: Callable[[], None], presence: WorkerPresence) -> None:
        self._run, self._stop, self._presence = run, stop, presence
        self._id_queues: dict[JobQueueName, SimpleQueue[str | None]] = {queue: SimpleQueue() for queue in JobQueueName}
        self._threads: list[Thread] = []

    def start(self, queues: Collection[JobQueueName]) -> None:
        """Start a thread for each of the queues. Errors: those of the database."""
        self._presence.start(queues)
        for queue in queues:
            thread = Thread(target=self._consume, args=(queue,), name=f"jobs-{queue}")
            thread.start()
            self._threads.append(thread)

    def send(self, job: Job) -> None:
        """Send a queued job's id without waiting for a worker."""
        self._id_queues[job.kind.queue].put(job.id)

    def queue_depth(self, queue: JobQueueName) -> int:
        """Return the number of ids in a queue that its thread has not taken."""
        return self._id_queues[queue].qsize()

    def close(self) -> None:
        """Release running jobs at their next checkpoint and join the threads."""
        self._stop()
        for ids in self._id_queues.values():
            ids.put(None)
        for thread in self._threads:
            thread.join()
        self._presence.close()

    def _consume(self, queue: JobQueueName) -> None:
        while (job_id := self._id_queues[queue].get()) is not None:
            try:
                self._run(job_id)
            except AfterimageError as error:
                _log.warning("job %s stays queued: %s", job_id, error)


class InlineWorker:
    """JobWorker process over the inline queue: the sweep picks up jobs that other processes queued."""

    def __init__(self, dispatcher: JobDispatcher) -> None:
        self._dispatcher = dispatcher

    def work(self, queues: Collection[JobQueueName]) -> None:
        """Run jobs until SIGTERM or SIGINT."""
        stopped = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        self._dispatcher.start(queues)
        stopped.wait()
        self._dispatcher.close()
