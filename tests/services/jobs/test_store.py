"""Jobs: what is asked for, and what became of it; on SQLite and on PostgreSQL."""

from __future__ import annotations

import time

import pytest

from services.catalog.catalog import Catalog
from services.database.engine import SqlDatabase
from services.jobs.errors import JobConflict, JobNotFound
from services.jobs.leases import Leases
from services.jobs.store import JobStore, delete_summary_results
from services.jobs.types import (
    DeleteRequest,
    JobProgress,
    JobQueueName,
    JobRequest,
    JobState,
    NewJob,
    ReindexRequest,
    SummarizeRequest,
    SummarizeResult,
)
from services.summaries.types import Summary
from tests.support.job_fixtures import INDEX_RESULT, new_index_job

REQUESTS = [new_index_job().request, SummarizeRequest("a" * 64), DeleteRequest("a" * 64), ReindexRequest()]


@pytest.mark.parametrize("job_request", REQUESTS)
def test_a_job_comes_back_as_it_was_asked_for(jobs: JobStore, job_request: JobRequest) -> None:
    job = jobs.submit(NewJob(job_request, "trips", key_id="k1", webhook="https://example.org/told"))
    assert jobs.get(job.id) == job
    assert (job.state, job.request, job.collection) == (JobState.QUEUED, job_request, "trips")
    assert (job.key_id, job.webhook) == ("k1", "https://example.org/told")
    assert job.asset_id == getattr(job_request, "asset_id", None)
    assert (job.progress, job.attempts, job.max_attempts) == (JobProgress(), 0, 3)


def test_a_job_that_is_not_there_is_named(jobs: JobStore) -> None:
    for ask in (jobs.get, jobs.cancel, jobs.retry):
        with pytest.raises(JobNotFound, match="no job 'x'"):
            ask("x")


def test_pages_go_from_the_newest_job_to_the_oldest_without_a_gap(jobs: JobStore) -> None:
    job_ids = [jobs.submit(new_index_job("one" if number % 2 else "two")).id for number in range(7)]
    first = jobs.list_page(limit=3)
    second = jobs.list_page(limit=3, after=first.next_cursor)
    third = jobs.list_page(limit=3, after=second.next_cursor)
    assert [job.id for page in (first, second, third) for job in page.items] == sorted(job_ids, reverse=True)
    assert third.next_cursor is None
    assert {job.id for job in jobs.list_page(["one"]).items} == set(job_ids[1::2])
    assert jobs.list_page([]).items == ()


def test_pages_can_be_of_some_states(jobs: JobStore) -> None:
    kept, gone = jobs.submit(new_index_job()), jobs.submit(new_index_job())
    jobs.cancel(gone.id)
    assert [job.id for job in jobs.list_page(states=[JobState.QUEUED]).items] == [kept.id]
    assert [job.id for job in jobs.list_page(states=[JobState.CANCELLED, JobState.DONE]).items] == [gone.id]


def test_what_happens_to_a_job_is_written_down_in_order(jobs: JobStore, leases: Leases) -> None:
    running = leases.claim(jobs.submit(new_index_job()).id, "w")
    leases.finish(leases.heartbeat(running, JobProgress(60, 600, "film.mp4")), INDEX_RESULT)
    events = jobs.list_events(running.id)
    assert [(event.state, event.progress.done, event.note) for event in events] == [
        (JobState.QUEUED, 0, ""),
        (JobState.RUNNING, 0, ""),
        (JobState.RUNNING, 60, "film.mp4"),
        (JobState.DONE, 60, ""),
    ]
    assert jobs.list_events(running.id, after=events[1].number) == events[2:]
    assert jobs.list_events(jobs.submit(new_index_job()).id)[0].number > events[-1].number


def test_a_queued_job_is_cancelled_at_once_and_twice_is_the_same(jobs: JobStore) -> None:
    job = jobs.submit(new_index_job())
    cancelled = jobs.cancel(job.id)
    assert (cancelled.state, cancelled.finished_at is not None) == (JobState.CANCELLED, True)
    assert jobs.cancel(job.id) == cancelled
    assert len(jobs.list_events(job.id)) == 2


def test_a_job_at_its_end_is_not_cancelled(jobs: JobStore, leases: Leases) -> None:
    job = jobs.submit(new_index_job())
    leases.finish(leases.claim(job.id, "w"), INDEX_RESULT)
    with pytest.raises(JobConflict, match=f"job {job.id} is done"):
        jobs.cancel(job.id)


def test_a_failed_job_is_queued_again_with_all_its_attempts(jobs: JobStore, leases: Leases) -> None:
    job = jobs.submit(new_index_job())
    with pytest.raises(JobConflict, match="is running"):
        jobs.retry(leases.claim(job.id, "w").id)
    leases.fail(jobs.get(job.id), "the disk is full", INDEX_RESULT)
    again = jobs.retry(job.id)
    assert (again.state, again.attempts, again.error, again.result) == (JobState.QUEUED, 0, None, None)
    assert leases.claim(job.id, "w").state is JobState.RUNNING


def test_a_job_is_due_where_its_message_may_be_lost_or_its_wait_is_over(
    jobs: JobStore, leases: Leases, database: SqlDatabase
) -> None:
    job, other = jobs.submit(new_index_job()), jobs.submit(NewJob(SummarizeRequest("a" * 64), "default"))
    assert jobs.take_undelivered({}) == []
    assert jobs.take_undelivered({JobQueueName.SUMMARIZE: time.time() + 1}) == [other]
    leases.release(leases.claim(job.id, "w"), "stopped")
    assert [one.id for one in jobs.take_undelivered({})] == [job.id]
    assert jobs.take_undelivered({}) == []
    Leases(database, 60, retry_backoff_s=1000).retry_with_backoff(leases.claim(job.id, "w"), "down")
    assert jobs.take_undelivered({JobQueueName.INDEX: time.time() + 1}) == []


def test_old_jobs_are_forgotten_with_what_was_written_down_of_them(jobs: JobStore, leases: Leases) -> None:
    old, queued = jobs.submit(new_index_job(webhook="https://example.org")), jobs.submit(new_index_job())
    done = leases.finish(leases.claim(old.id, "w"), INDEX_RESULT)
    assert jobs.finished_before(0.0) == []
    assert jobs.finished_before(time.time() + 1) == [done]
    jobs.delete_finished(done)
    assert [job.id for job in jobs.list_page().items] == [queued.id]
    assert jobs.list_events(old.id) == []


def test_summaries_of_an_asset_go_with_it_from_the_collection_that_loses_it(
    jobs: JobStore, leases: Leases, database: SqlDatabase
) -> None:
    catalog = Catalog(database, on_remove=[delete_summary_results])
    for collection in ("one", "two"):
        catalog.create_collection(collection)
    places = [("a" * 64, "one"), ("a" * 64, "two"), ("b" * 64, "one")]
    ids = [jobs.submit(NewJob(SummarizeRequest(asset_id), collection)).id for asset_id, collection in places]
    for job_id in ids:
        leases.finish(leases.claim(job_id, "w"), SummarizeResult(Summary((), ())))
    catalog.remove_from_collection("a" * 64, "one")
    assert [jobs.get(job_id).result is None for job_id in ids] == [True, False, False]
    catalog.remove_from_collection("a" * 64, None)
    assert [jobs.get(job_id).result is None for job_id in ids] == [True, True, False]
