"""Leases: of several workers one has a job, and it ends once; on SQLite and on PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.database.engine import SqlDatabase
from services.jobs.errors import JobNotFound, LeaseLost
from services.jobs.leases import Leases
from services.jobs.outbox import Outbox
from services.jobs.store import JobStore
from services.jobs.types import Job, JobProgress, JobState
from tests.support.fake_clock import FakeClock
from tests.support.job_fixtures import INDEX_RESULT, new_index_job


@pytest.fixture
def expired_leases(database: SqlDatabase) -> Leases:
    """Leases that have run out when they are given."""
    return Leases(database, lease_s=-1, retry_backoff_s=0)


def test_of_many_workers_one_gets_a_job(jobs: JobStore, leases: Leases) -> None:
    job = jobs.submit(new_index_job())

    def claim(number: int) -> Job | None:
        try:
            return leases.claim(job.id, f"w{number}")
        except LeaseLost:
            return None

    with ThreadPoolExecutor(8) as threads:
        won = [claimed for claimed in threads.map(claim, range(16)) if claimed is not None]
    assert len(won) == 1
    assert jobs.get(job.id) == won[0]


def test_a_job_that_is_not_there_is_not_claimed(leases: Leases) -> None:
    with pytest.raises(JobNotFound):
        leases.claim("x", "w")


def test_a_worker_whose_clock_is_behind_takes_a_job_at_once(jobs: JobStore, database: SqlDatabase) -> None:
    job = jobs.submit(new_index_job())
    clock = FakeClock(job.created_at - 10)
    leases = Leases(database, lease_s=60, retry_backoff_s=0, clock=clock)
    with pytest.raises(LeaseLost):
        leases.claim(job.id, "w")
    clock.at = job.created_at - 4
    assert leases.claim(job.id, "w").state is JobState.RUNNING


def test_a_job_ends_once(jobs: JobStore, leases: Leases) -> None:
    claimed = leases.claim(jobs.submit(new_index_job()).id, "w")
    done = leases.finish(claimed, INDEX_RESULT)
    assert (done.state, done.result, done.asset_id) == (JobState.DONE, INDEX_RESULT, "a" * 64)
    for late_call in (
        lambda: leases.claim(claimed.id, "w"),
        lambda: leases.heartbeat(claimed, JobProgress(1)),
        lambda: leases.finish(claimed, INDEX_RESULT),
        lambda: leases.fail(claimed, "late"),
        lambda: leases.retry_with_backoff(claimed, "late"),
        lambda: leases.release(claimed, "late"),
    ):
        with pytest.raises(LeaseLost, match="is done"):
            late_call()
    assert jobs.get(claimed.id) == done


def test_a_worker_learns_at_its_next_heartbeat_that_the_job_is_cancelled(jobs: JobStore, leases: Leases) -> None:
    claimed = leases.heartbeat(leases.claim(jobs.submit(new_index_job()).id, "w"), JobProgress(1))
    jobs.cancel(claimed.id)
    with pytest.raises(LeaseLost, match="is cancelled"):
        leases.heartbeat(claimed, JobProgress(2))
    with pytest.raises(LeaseLost):
        leases.finish(claimed, INDEX_RESULT)


def test_who_lost_a_job_cannot_end_it_once_another_has_it(
    jobs: JobStore, leases: Leases, expired_leases: Leases
) -> None:
    lost = expired_leases.claim(jobs.submit(new_index_job()).id, "w1")
    assert leases.reclaim_expired() == 1
    claimed = leases.claim(lost.id, "w2")
    for late in (lambda: leases.finish(lost, INDEX_RESULT), lambda: leases.heartbeat(lost, JobProgress())):
        with pytest.raises(LeaseLost):
            late()
    assert jobs.get(claimed.id) == claimed
    assert claimed.attempts == 1
    assert jobs.list_events(claimed.id)[-2].note == "worker w1 was lost"


def test_a_job_that_costs_every_worker_fails(jobs: JobStore, expired_leases: Leases) -> None:
    job = jobs.submit(new_index_job())
    for _ in range(3):
        expired_leases.claim(job.id, "w")
        assert expired_leases.reclaim_expired() == 1
    assert expired_leases.reclaim_expired() == 0
    failed = jobs.get(job.id)
    assert (failed.state, failed.error) == (JobState.FAILED, "worker w was lost, in attempt 3 of 3")


def test_a_living_worker_keeps_its_job(jobs: JobStore, leases: Leases, expired_leases: Leases) -> None:
    held = expired_leases.claim(jobs.submit(new_index_job()).id, "w")
    leases.heartbeat(held, JobProgress())
    assert leases.reclaim_expired() == 0
    leases.finish(held, INDEX_RESULT)


def test_a_job_waits_longer_before_each_attempt_and_fails_with_the_last(jobs: JobStore, database: SqlDatabase) -> None:
    slow, at_once = Leases(database, 60, retry_backoff_s=100), Leases(database, 60, retry_backoff_s=0)
    job = jobs.submit(new_index_job())
    waiting = slow.retry_with_backoff(at_once.claim(job.id, "w"), "the server is down")
    assert (waiting.state, waiting.attempts, waiting.error) == (JobState.QUEUED, 1, "the server is down")
    assert 79 <= waiting.not_before - waiting.created_at <= 130
    with pytest.raises(LeaseLost, match="is queued"):
        at_once.claim(job.id, "w")
    jobs.cancel(job.id)
    jobs.retry(job.id)
    at_once.retry_with_backoff(at_once.claim(job.id, "w"), "down")
    assert at_once.retry_with_backoff(at_once.claim(job.id, "w"), "down").attempts == 2
    assert at_once.retry_with_backoff(at_once.claim(job.id, "w"), "still down").state is JobState.FAILED
    assert jobs.get(job.id).error == "still down"


def test_a_job_that_is_given_back_has_lost_no_attempt(jobs: JobStore, leases: Leases) -> None:
    job = jobs.submit(new_index_job())
    for _ in range(5):
        assert leases.release(leases.claim(job.id, "w"), "the worker is stopped").attempts == 0
    assert jobs.get(job.id).state is JobState.QUEUED


def test_every_end_of_a_job_with_a_webhook_is_to_be_told(jobs: JobStore, leases: Leases, database: SqlDatabase) -> None:
    job = jobs.submit(new_index_job(webhook="https://example.org/told"))
    leases.fail(leases.claim(job.id, "w"), "no")
    jobs.retry(job.id)
    jobs.cancel(job.id)
    leases.finish(leases.claim(jobs.retry(job.id).id, "w"), INDEX_RESULT)
    leases.finish(leases.claim(jobs.submit(new_index_job()).id, "w"), INDEX_RESULT)
    deliveries = Outbox(database).claim_due(visibility_timeout_s=60)
    assert sorted(one.body.split('"')[3] for one in deliveries) == ["job.cancelled", "job.done", "job.failed"]
    assert {one.job_id for one in deliveries} == {job.id}
    assert Outbox(database).claim_due(visibility_timeout_s=60) == []
