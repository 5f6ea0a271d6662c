"""`InlineQueue` and `InlineWorker`: jobs in threads of a process, with nothing but the database between."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Collection
from queue import SimpleQueue
from threading import Event, Thread

from indexer.errors import AfterimageError
from services.jobs.dispatcher import JobDispatcher
from services.jobs.types import Job, JobQueueName

_log = logging.getLogger(__name__)


class InlineQueue:
    """A thread for each queue, which runs its jobs in order. See `services.jobs.ports.JobQueue`.

    `run` does the job of an id, `stop` tells it to give back what is under way. What waits is lost with the process,
    and sent again by the next one.
    """

    def __init__(self, run: Callable[[str], None], stop: Callable[[], None]) -> None:
        self._run, self._stop = run, stop
        self._id_queues: dict[JobQueueName, SimpleQueue[str | None]] = {queue: SimpleQueue() for queue in JobQueueName}
        self._threads: list[Thread] = []

    def start(self, queues: Collection[JobQueueName]) -> None:
        for queue in queues:
            thread = Thread(target=self._consume, args=(queue,), name=f"jobs-{queue}")
            thread.start()
            self._threads.append(thread)

    def send(self, job: Job) -> None:
        self._id_queues[job.kind.queue].put(job.id)

    def queue_depth(self, queue: JobQueueName) -> int:
        return self._id_queues[queue].qsize()

    def close(self) -> None:
        self._stop()
        for ids in self._id_queues.values():
            ids.put(None)
        for thread in self._threads:
            thread.join()

    def _consume(self, queue: JobQueueName) -> None:
        while (job_id := self._id_queues[queue].get()) is not None:
            try:
                self._run(job_id)
            except AfterimageError as error:
                _log.warning("job %s waits: %s", job_id, error)


class InlineWorker:
    """The inline queue as a process of its own: it does what other processes wrote down, and left."""

    def __init__(self, dispatcher: JobDispatcher) -> None:
        self._dispatcher = dispatcher

    def work(self, queues: Collection[JobQueueName]) -> None:
        over = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        self._dispatcher.start(queues)
        over.wait()
        self._dispatcher.close()
