"""Workers are known while they live, and queues by what waits in them."""

from __future__ import annotations

import pytest

from services.database.engine import SqlDatabase
from services.jobs.statistics import JobStatistics, QueueStatistics
from services.jobs.store import JobStore
from services.jobs.types import JobKind, JobQueueName, JobState
from services.jobs.worker_registry import WorkerPresence, WorkerRegistry, worker_name
from tests.support.fake_clock import FakeClock
from tests.support.job_fixtures import new_index_job

BOTH = tuple(JobQueueName)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry(database: SqlDatabase, clock: FakeClock) -> WorkerRegistry:
    return WorkerRegistry(database, clock)


def test_a_worker_is_alive_as_long_as_it_says_so(registry: WorkerRegistry, clock: FakeClock) -> None:
    registry.beat("a:1", BOTH)
    registry.beat("b:2", [JobQueueName.INDEX])
    assert registry.count_alive() == {JobQueueName.INDEX: 2, JobQueueName.SUMMARIZE: 1}
    clock.at += 29
    registry.beat("b:2", [JobQueueName.INDEX])
    clock.at += 29
    assert registry.count_alive() == {JobQueueName.INDEX: 1}
    registry.remove("b:2")
    assert registry.count_alive() == {}


def test_a_process_is_known_from_its_start_to_its_end(registry: WorkerRegistry) -> None:
    presence = WorkerPresence(registry)
    presence.close()
    presence.start(BOTH)
    assert registry.count_alive() == dict.fromkeys(BOTH, 1)
    presence.close()
    assert registry.count_alive() == {}
    assert worker_name().rpartition(":")[2].isdigit()


def test_a_queue_is_as_deep_as_the_jobs_that_are_due(
    database: SqlDatabase, registry: WorkerRegistry, clock: FakeClock
) -> None:
    jobs = JobStore(database, max_attempts=3, clock=clock)
    statistics = JobStatistics(database, registry, clock)
    assert statistics.describe_queues() == dict.fromkeys(BOTH, QueueStatistics(0, 0.0, 0))
    jobs.submit(new_index_job())
    clock.at += 60
    jobs.submit(new_index_job())
    registry.beat("a:1", [JobQueueName.SUMMARIZE])
    queues = statistics.describe_queues()
    assert (queues[JobQueueName.INDEX].depth, queues[JobQueueName.INDEX].workers) == (2, 0)
    assert queues[JobQueueName.INDEX].oldest_s == pytest.approx(60)
    assert queues[JobQueueName.SUMMARIZE] == QueueStatistics(0, 0.0, 1)
    assert statistics.count_unfinished() == 2
    jobs.cancel(jobs.list_page().items[0].id)
    assert statistics.describe_queues()[JobQueueName.INDEX].depth == statistics.count_unfinished() == 1
    assert statistics.count_by_kind_and_state() == {
        (JobKind.INDEX, JobState.QUEUED): 1,
        (JobKind.INDEX, JobState.CANCELLED): 1,
    }
