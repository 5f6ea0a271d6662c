"""Contract of job queues with their workers: a test class inherits it and gives it a queue as a fixture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer.errors import AssetNotFound
from services.container import Container
from services.jobs.types import (
    DeleteRequest,
    DeleteResult,
    IndexResult,
    JobProgress,
    JobState,
    NewJob,
    ReindexRequest,
    ReindexResult,
    SummarizeRequest,
    SummarizeResult,
)
from tests.support.job_workers import (
    CHECKPOINTS,
    SlowFilm,
    count_starts,
    import_job,
    make_photo,
    serve_slow_film,
    wait_for_job,
    wait_until_finished,
)


@dataclass(frozen=True, slots=True)
class QueueHarness:
    """A queue under test: jobs are submitted at `container`.

    `run_worker()` has a worker do them as long as its context lasts, and stops it in order afterwards;
    `drop_messages()` loses what the queue carries.
    """

    container: Container
    files: Path
    run_worker: Callable[[], AbstractContextManager[object]]
    drop_messages: Callable[[], None]


class JobQueueContract:
    """Tests of every queue. A subclass has the fixture `place`."""

    @pytest.fixture
    def harness(self) -> QueueHarness:
        raise NotImplementedError

    @pytest.fixture
    def slow_film(self, files: Path) -> Iterator[SlowFilm]:
        with serve_slow_film(files / "film.mp4") as film:
            yield film

    def test_jobs_of_every_kind_come_to_what_they_were_asked_for(self, harness: QueueHarness) -> None:
        container = harness.container
        with harness.run_worker():
            (index_job,) = wait_until_finished(
                container, container.background.dispatcher.submit(import_job(harness.files / "film.mp4"))
            )
            assert isinstance(index_job.result, IndexResult), index_job
            key = index_job.result.files[0].asset_id
            assert key is not None
            assert (index_job.state, index_job.asset_id) == (JobState.DONE, key)
            assert index_job.progress == JobProgress(40.0, 40.0, "film.mp4")
            summary_job, reindex_job = wait_until_finished(
                container,
                container.background.dispatcher.submit(NewJob(SummarizeRequest(key), "default")),
                container.background.dispatcher.submit(NewJob(ReindexRequest())),
            )
            assert isinstance(summary_job.result, SummarizeResult), summary_job
            assert summary_job.result.summary == container.summarizing.summarize(container.catalog.find(key))
            assert reindex_job.result == ReindexResult(1, container.catalog.find(key).segments, ())
            (delete_job,) = wait_until_finished(
                container, container.background.dispatcher.submit(NewJob(DeleteRequest(key), "default"))
            )
            assert delete_job.result == DeleteResult(key)
            assert container.background.jobs.get(summary_job.id).result is None, (
                "what it said of the film is gone with it"
            )
        with pytest.raises(AssetNotFound):
            container.catalog.find(key)

    def test_what_cannot_get_better_fails_at_once_and_says_why(self, harness: QueueHarness) -> None:
        container = harness.container
        requests = [
            import_job(harness.files / "broken.mp4"),
            import_job(harness.files / "missing.mp4"),
            import_job(harness.files.parent / "outside.mp4"),
            NewJob(SummarizeRequest("f" * 64), "default"),
            NewJob(DeleteRequest("f" * 64), "default"),
        ]
        with harness.run_worker():
            jobs = wait_until_finished(container, *(container.background.dispatcher.submit(new) for new in requests))
        assert {job.state for job in jobs} == {JobState.FAILED}
        assert [count_starts(container, job) for job in jobs] == [1] * len(jobs)
        errors = [job.error or "" for job in jobs]
        assert errors[0].startswith("broken.mp4: ")
        assert errors[1].endswith("missing.mp4: there is no such file")
        assert errors[2].endswith("is not below one of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS")
        assert errors[3:] == [f"no asset '{'f' * 64}'"] * 2

    def test_a_folder_is_one_job_which_fails_where_a_file_of_it_does(self, harness: QueueHarness) -> None:
        container = harness.container
        with harness.run_worker():
            (job,) = wait_until_finished(container, container.background.dispatcher.submit(import_job(harness.files)))
        assert isinstance(job.result, IndexResult), job
        taken = {file.name: file.asset_id is not None for file in job.result.files}
        assert taken == {"broken.mp4": False, "film.mp4": True, "photo.png": True, "report.pdf": True}
        assert job.state is JobState.FAILED
        assert (job.error or "").startswith("1 of 4 files not indexed; broken.mp4: ")
        assert len(container.catalog.assets()) == 3

    def test_many_jobs_are_done_once_each(self, harness: QueueHarness) -> None:
        container = harness.container
        jobs = [
            container.background.dispatcher.submit(import_job(make_photo(harness.files, number)))
            for number in range(12)
        ]
        with harness.run_worker():
            done = wait_until_finished(container, *jobs)
        assert {job.state for job in done} == {JobState.DONE}
        assert [count_starts(container, job) for job in done] == [1] * 12
        assert len(container.catalog.assets()) == 12

    def test_what_the_queue_lost_is_sent_again(self, harness: QueueHarness) -> None:
        container = harness.container
        jobs = [
            container.background.dispatcher.submit(import_job(make_photo(harness.files, number))) for number in range(5)
        ]
        harness.drop_messages()
        with harness.run_worker():
            assert {job.state for job in wait_until_finished(container, *jobs)} == {JobState.DONE}

    def test_a_cancelled_job_stops_and_a_retry_goes_on_where_it_was(
        self, harness: QueueHarness, slow_film: SlowFilm
    ) -> None:
        container = harness.container
        with harness.run_worker():
            job = container.background.dispatcher.submit(slow_film.import_job())
            wait_for_job(container, job, lambda current: current.state is JobState.RUNNING)
            container.background.jobs.cancel(job.id)
            after = container.background.dispatcher.submit(import_job(harness.files / "photo.png"))
            assert wait_until_finished(container, after)[0].state is JobState.DONE
            assert container.background.jobs.get(job.id).state is JobState.CANCELLED
            slow_film.speed_up()
            (done,) = wait_until_finished(container, container.background.dispatcher.retry(job.id))
        assert done.state is JobState.DONE
        assert count_starts(container, job) == 2

    def test_a_worker_that_is_stopped_gives_its_job_back(self, harness: QueueHarness, slow_film: SlowFilm) -> None:
        container = harness.container
        job = container.background.dispatcher.submit(slow_film.import_job())
        with harness.run_worker():
            wait_for_job(container, job, lambda current: current.state is JobState.RUNNING)
        back = container.background.jobs.get(job.id)
        assert back.attempts == 0
        assert back.state is JobState.QUEUED
        slow_film.speed_up()
        with harness.run_worker():
            (done,) = wait_until_finished(container, job)
        assert (done.state, done.attempts) == (JobState.DONE, 0)
        manifest = container.artifacts.read_manifest(*_single_asset(container))
        assert len(manifest.checkpoints) == CHECKPOINTS


def _single_asset(container: Container) -> tuple[str, str]:
    (asset,) = container.catalog.assets()
    return asset.asset_id, asset.version
