"""The runner: holds on to what it does, stops when told, and says how each job ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread

import pytest

from indexer.errors import AfterimageError, SourceError, WriteLockTimeout
from services.database.engine import SqlDatabase
from services.egress.errors import SourceForbidden
from services.generators.errors import GeneratorUnavailable
from services.jobs.leases import Leases
from services.jobs.runner import JobProgressCallback, JobRunner
from services.jobs.store import JobStore
from services.jobs.types import IndexedFile, IndexResult, Job, JobProgress, JobResult, JobState
from tests.support.database_servers import PostgresServer
from tests.support.job_fixtures import INDEX_RESULT, new_index_job
from tests.support.waiting import wait_for

PARTLY_FAILED = IndexResult((IndexedFile("a.mp4", "a" * 64, ""), IndexedFile("b.mp4", None, "is empty")))


class _CallableHandlers:
    """Calls what it is given, once for every job that is done."""

    def __init__(self, do: Callable[[JobProgressCallback], JobResult]) -> None:
        self._do = do

    def handle(self, job: Job, report: JobProgressCallback) -> JobResult:
        return self._do(report)


def _raising(error: Exception) -> Callable[[JobProgressCallback], JobResult]:
    def do(report: JobProgressCallback) -> JobResult:
        raise error

    return do


def _run_job(jobs: JobStore, leases: Leases, do: Callable[[JobProgressCallback], JobResult]) -> Job:
    job = jobs.submit(new_index_job())
    JobRunner(leases, _CallableHandlers(do)).run(job.id)
    return jobs.get(job.id)


def test_a_job_is_done_with_its_result_and_its_last_progress(jobs: JobStore, leases: Leases) -> None:
    def do(report: JobProgressCallback) -> JobResult:
        report("film.mp4", 30, 60)
        report("film.mp4", 60, 60)
        return INDEX_RESULT

    job = _run_job(jobs, leases, do)
    assert (job.state, job.result, job.progress) == (JobState.DONE, INDEX_RESULT, JobProgress(60, 60, "film.mp4"))


def test_files_that_were_not_taken_in_fail_the_job_and_the_others_are_told(jobs: JobStore, leases: Leases) -> None:
    job = _run_job(jobs, leases, lambda report: PARTLY_FAILED)
    assert (job.state, job.result) == (JobState.FAILED, PARTLY_FAILED)
    assert job.error == "1 of 2 files not indexed; b.mp4: is empty"
    assert _run_job(jobs, leases, lambda report: IndexResult(())).error == "no video, photo or PDF found"


@pytest.mark.parametrize("error", [SourceError("b.mp4", "is empty"), SourceForbidden("/etc/passwd: is not below")])
def test_what_cannot_get_better_fails_at_once(jobs: JobStore, leases: Leases, error: AfterimageError) -> None:
    job = _run_job(jobs, leases, _raising(error))
    assert (job.state, job.error, job.fencing_token) == (JobState.FAILED, str(error), 1)


@pytest.mark.parametrize(
    "error", [GeneratorUnavailable("the server is down"), OSError("no space"), ZeroDivisionError()]
)
def test_all_else_is_tried_again_and_fails_with_the_last_attempt(
    jobs: JobStore, leases: Leases, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was, addresses and paths included, is for the log."""
    job = jobs.submit(new_index_job())
    for number in (1, 2):
        JobRunner(leases, _CallableHandlers(_raising(error))).run(job.id)
        assert (jobs.get(job.id).state, jobs.get(job.id).attempts) == (JobState.QUEUED, number)
    JobRunner(leases, _CallableHandlers(_raising(error))).run(job.id)
    assert jobs.get(job.id).state is JobState.FAILED
    assert jobs.get(job.id).error == f"{type(error).__name__}: the worker's log has more under the id of this job"
    assert f"job {job.id}: {type(error).__name__}: {error}" in caplog.text


def test_a_job_that_finds_the_archive_in_use_waits_without_losing_an_attempt(jobs: JobStore, leases: Leases) -> None:
    job = _run_job(jobs, leases, _raising(WriteLockTimeout("process 7 is writing")))
    assert (job.state, job.attempts, job.error) == (JobState.QUEUED, 0, None)
    assert job.not_before > job.created_at + 4
    assert jobs.list_events(job.id)[-1].note == "process 7 is writing"


def test_an_id_that_comes_late_or_twice_changes_nothing(jobs: JobStore, leases: Leases) -> None:
    done = _run_job(jobs, leases, lambda report: INDEX_RESULT)
    never = JobRunner(leases, _CallableHandlers(_raising(AssertionError())))
    never.run(done.id)
    never.run("unknown")
    assert jobs.get(done.id) == done


def test_a_runner_that_is_stopped_takes_nothing_more(jobs: JobStore, leases: Leases) -> None:
    job = jobs.submit(new_index_job())
    runner = JobRunner(leases, _CallableHandlers(_raising(AssertionError())))
    runner.stop()
    runner.run(job.id)
    assert jobs.get(job.id) == job


def test_a_stop_gives_the_job_back_at_its_next_checkpoint(jobs: JobStore, leases: Leases) -> None:
    job = jobs.submit(new_index_job())

    def do(report: JobProgressCallback) -> JobResult:
        report("film.mp4", 5, 60)
        runner.stop()
        report("film.mp4", 10, 60)
        raise AssertionError("it goes on")

    runner = JobRunner(leases, _CallableHandlers(do))
    runner.run(job.id)
    back = jobs.get(job.id)
    assert (back.state, back.attempts, back.worker) == (JobState.QUEUED, 0, None)


class _ManualHeartbeat:
    """Stands in for the periodic task of a held job: the test moves the clock and sends the heartbeats."""

    def __init__(self) -> None:
        self.now_s = time.time()
        self._interval_s = 0.0
        self._action: Callable[[], object] = _never
        self._is_running = False

    def make(self, _name: str, interval_s: float, action: Callable[[], object]) -> _ManualHeartbeat:
        self._interval_s, self._action = interval_s, action
        return self

    def start(self) -> None:
        self._is_running = True

    def close(self) -> None:
        self._is_running = False

    def beat(self) -> None:
        """Let the time of one heartbeat pass, and send it."""
        assert self._is_running
        self.now_s += self._interval_s
        self._action()


def _never() -> None:
    raise AssertionError("there is no heartbeat yet")


@pytest.fixture
def heartbeat(monkeypatch: pytest.MonkeyPatch) -> _ManualHeartbeat:
    heartbeat = _ManualHeartbeat()
    monkeypatch.setattr("services.jobs.heartbeat.PeriodicTask", heartbeat.make)
    return heartbeat


def test_a_job_that_takes_longer_than_its_lease_is_held(
    jobs: JobStore, database: SqlDatabase, heartbeat: _ManualHeartbeat
) -> None:
    leases = Leases(database, lease_s=60, retry_backoff_s=0, clock=lambda: heartbeat.now_s)

    def do(report: JobProgressCallback) -> JobResult:
        for _ in range(12):  # each a quarter of a lease
            heartbeat.beat()
            assert leases.reclaim_expired() == 0
        return INDEX_RESULT

    assert _run_job(jobs, leases, do).state is JobState.DONE


def test_work_stops_at_the_checkpoint_after_the_job_was_cancelled(
    jobs: JobStore, leases: Leases, heartbeat: _ManualHeartbeat
) -> None:
    job = jobs.submit(new_index_job())

    def do(report: JobProgressCallback) -> JobResult:
        jobs.cancel(job.id)
        heartbeat.beat()
        report("film.mp4", 1, 1000)
        raise AssertionError("it goes on")

    JobRunner(leases, _CallableHandlers(do)).run(job.id)
    assert jobs.get(job.id).state is JobState.CANCELLED


def test_a_database_that_is_away_for_a_while_costs_no_job(postgres_server: PostgresServer, postgres_url: str) -> None:
    database, stopped = SqlDatabase(postgres_url), Event()
    jobs, leases = JobStore(database, max_attempts=3), Leases(database, lease_s=60, retry_backoff_s=0)

    def do(report: JobProgressCallback) -> JobResult:
        postgres_server.stop()
        stopped.set()
        return INDEX_RESULT

    job = jobs.submit(new_index_job())
    running = Thread(target=JobRunner(leases, _CallableHandlers(do)).run, args=(job.id,))
    running.start()
    wait_for(stopped, "the database is stopped")
    postgres_server.start()
    running.join()
    assert (jobs.get(job.id).state, jobs.get(job.id).fencing_token) == (JobState.DONE, 1)
    database.close()
