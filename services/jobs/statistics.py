"""Statistics of jobs for operators: jobs by kind and state, and for each queue its depth, oldest job and workers."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from services.database import schema
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.jobs.types import JobKind, JobQueueName, JobState
from services.jobs.worker_registry import WorkerRegistry


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """A queue now: jobs that are due and wait, the seconds that the oldest of them has waited, workers alive."""

    depth: int
    oldest_s: float
    workers: int


class JobStatistics:
    """Statistics of the jobs of all servers that share a database. Errors: those of the database."""

    def __init__(self, database: SqlDatabase, workers: WorkerRegistry, clock: Clock = now) -> None:
        self._database, self._workers, self._clock = database, workers, clock

    def count_by_kind_and_state(self) -> dict[tuple[JobKind, JobState], int]:
        """Return the number of jobs of each kind in each state."""
        query = select(schema.Jobs.kind, schema.Jobs.state, func.count()).group_by(schema.Jobs.kind, schema.Jobs.state)
        with self._database.read() as connection:
            return {(JobKind(kind), JobState(state)): count for kind, state, count in connection.execute(query)}

    def count_unfinished(self) -> int:
        """Return the number of jobs that are queued or running."""
        unfinished = {JobState.QUEUED, JobState.RUNNING}
        return sum(count for (_, state), count in self.count_by_kind_and_state().items() if state in unfinished)

    def describe_queues(self) -> dict[JobQueueName, QueueStatistics]:
        """Return the statistics of every queue."""
        at, table = self._clock(), schema.Jobs
        query = (
            select(table.kind, func.count(), func.min(table.not_before))
            .where(table.state == JobState.QUEUED.value, table.not_before <= at)
            .group_by(table.kind)
        )
        with self._database.read() as connection:
            rows = [(JobKind(kind).queue, count, due) for kind, count, due in connection.execute(query)]
        alive = self._workers.count_alive()
        return {
            queue: QueueStatistics(
                depth=sum(count for name, count, _ in rows if name is queue),
                oldest_s=max((at - due for name, _, due in rows if name is queue), default=0.0),
                workers=alive[queue],
            )
            for queue in JobQueueName
        }
