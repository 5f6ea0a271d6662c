"""Registry of the workers that are alive: each process that runs jobs says so every few seconds (SQLAlchemy)."""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from collections.abc import Collection

from sqlalchemy import delete, select

from indexer.errors import AfterimageError
from services.database import schema
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.jobs.periodic_task import PeriodicTask
from services.jobs.types import JobQueueName

_log = logging.getLogger(__name__)
_BEAT_INTERVAL_S = 5.0
"""Chosen: one small write; a worker that is gone is noticed within the next constant."""
_ALIVE_FOR_S = 30.0
"""Chosen: six beats, so that a busy machine or a restart of the database makes no worker look dead."""


def worker_name() -> str:
    """Return the name of this process as a worker: its host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


class WorkerRegistry:
    """Workers of all processes that share a database. Their clocks must agree to within seconds."""

    def __init__(self, database: SqlDatabase, clock: Clock = now) -> None:
        self._database, self._clock = database, clock

    def beat(self, worker: str, queues: Collection[JobQueueName]) -> None:
        """Record that a worker is alive and takes jobs from some queues; forget those that have long been silent."""
        values = {"queues": sorted(queue.value for queue in queues), "seen_at": self._clock()}
        with self._database.write() as connection:
            connection.execute(delete(schema.Workers).where(schema.Workers.seen_at < self._clock() - _ALIVE_FOR_S))
            row = self._database.insert(schema.Workers).values(worker=worker, **values)
            connection.execute(row.on_conflict_do_update(index_elements=["worker"], set_=values))

    def remove(self, worker: str) -> None:
        """Forget a worker that ends in order."""
        with self._database.write() as connection:
            connection.execute(delete(schema.Workers).where(schema.Workers.worker == worker))

    def count_alive(self) -> Counter[JobQueueName]:
        """Return the number of workers alive for each queue."""
        query = select(schema.Workers.queues).where(schema.Workers.seen_at >= self._clock() - _ALIVE_FOR_S)
        with self._database.read() as connection:
            return Counter(JobQueueName(name) for queues in connection.execute(query).scalars() for name in queues)


class WorkerPresence:
    """Keeps this process in the registry between `start` and `close`."""

    def __init__(self, registry: WorkerRegistry) -> None:
        self._registry = registry
        self._task: PeriodicTask | None = None

    def start(self, queues: Collection[JobQueueName]) -> None:
        """Record this process as a worker of some queues from now on. Errors: those of the database."""
        name, registry = worker_name(), self._registry
        registry.beat(name, queues)
        self._task = PeriodicTask("presence", _BEAT_INTERVAL_S, lambda: registry.beat(name, queues))
        self._task.start()

    def close(self) -> None:
        """Forget this process; where the database is away, it is forgotten for its silence."""
        if self._task is None:
            return
        self._task.close()
        try:
            self._registry.remove(worker_name())
        except AfterimageError as error:
            _log.info("this worker is forgotten later: %s", error)
