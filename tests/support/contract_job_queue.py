"""What every queue of jobs promises, with its workers: inherit, and say where jobs are asked for and done."""

from __future__ import annotations

from collections.abc import Callable
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
    count_starts,
    import_job,
    make_photo,
    wait_for_job,
    wait_until_finished,
)


@dataclass(frozen=True, slots=True)
class QueueHarness:
    """Where jobs are asked for, by `container`. `work()` has a worker do them as long as its context lasts, and
    stopped in order afterwards; `lose()` loses what the queue carries."""

    container: Container
    files: Path
    run_worker: Callable[[], AbstractContextManager[object]]
    drop_messages: Callable[[], None]


class JobQueueContract:
    """Runs over every queue. A subclass has the fixture `place`."""

    @pytest.fixture
    def place(self) -> QueueHarness:
        raise NotImplementedError

    def test_jobs_of_every_kind_come_to_what_they_were_asked_for(self, place: QueueHarness) -> None:
        container = place.container
        with place.run_worker():
            (index_job,) = wait_until_finished(
                container, container.dispatcher.submit(import_job(place.files / "film.mp4"))
            )
            assert isinstance(index_job.result, IndexResult), index_job
            key = index_job.result.files[0].asset_id
            assert key is not None
            assert (index_job.state, index_job.asset_id) == (JobState.DONE, key)
            assert index_job.progress == JobProgress(40.0, 40.0, "film.mp4")
            summary_job, reindex_job = wait_until_finished(
                container,
                container.dispatcher.submit(NewJob(SummarizeRequest(key), "default")),
                container.dispatcher.submit(NewJob(ReindexRequest())),
            )
            assert isinstance(summary_job.result, SummarizeResult), summary_job
            assert summary_job.result.summary == container.summarizing.summarize(container.catalog.find(key))
            assert reindex_job.result == ReindexResult(1, container.catalog.find(key).segments, ())
            (delete_job,) = wait_until_finished(
                container, container.dispatcher.submit(NewJob(DeleteRequest(key), "default"))
            )
            assert delete_job.result == DeleteResult(key)
            assert container.jobs.get(summary_job.id).result is None, "what it said of the film is gone with it"
        with pytest.raises(AssetNotFound):
            container.catalog.find(key)

    def test_what_cannot_get_better_fails_at_once_and_says_why(self, place: QueueHarness) -> None:
        container = place.container
        requests = [
            import_job(place.files / "broken.mp4"),
            import_job(place.files / "missing.mp4"),
            import_job(place.files.parent / "outside.mp4"),
            NewJob(SummarizeRequest("f" * 64), "default"),
            NewJob(DeleteRequest("f" * 64), "default"),
        ]
        with place.run_worker():
            jobs = wait_until_finished(container, *(container.dispatcher.submit(new) for new in requests))
        assert {job.state for job in jobs} == {JobState.FAILED}
        assert [count_starts(container, job) for job in jobs] == [1] * len(jobs)
        errors = [job.error or "" for job in jobs]
        assert errors[0].startswith("broken.mp4: ")
        assert errors[1].endswith("missing.mp4: there is no such file")
        assert errors[2].endswith("is not below one of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS")
        assert errors[3:] == [f"no asset '{'f' * 64}'"] * 2

    def test_a_folder_is_one_job_which_fails_where_a_file_of_it_does(self, place: QueueHarness) -> None:
        container = place.container
        with place.run_worker():
            (job,) = wait_until_finished(container, container.dispatcher.submit(import_job(place.files)))
        assert isinstance(job.result, IndexResult), job
        taken = {file.name: file.asset_id is not None for file in job.result.files}
        assert taken == {"broken.mp4": False, "film.mp4": True, "photo.png": True, "report.pdf": True}
        assert job.state is JobState.FAILED
        assert (job.error or "").startswith("1 of 4 files not taken in; broken.mp4: ")
        assert len(container.catalog.assets()) == 3

    def test_many_jobs_are_done_once_each(self, place: QueueHarness) -> None:
        container = place.container
        jobs = [container.dispatcher.submit(import_job(make_photo(place.files, number))) for number in range(12)]
        with place.run_worker():
            done = wait_until_finished(container, *jobs)
        assert {job.state for job in done} == {JobState.DONE}
        assert [count_starts(container, job) for job in done] == [1] * 12
        assert len(container.catalog.assets()) == 12

    def test_what_the_queue_lost_is_sent_again(self, place: QueueHarness) -> None:
        container = place.container
        jobs = [container.dispatcher.submit(import_job(make_photo(place.files, number))) for number in range(5)]
        place.drop_messages()
        with place.run_worker():
            assert {job.state for job in wait_until_finished(container, *jobs)} == {JobState.DONE}

    def test_a_cancelled_job_stops_and_a_retry_goes_on_where_it_was(self, place: QueueHarness) -> None:
        container = place.container
        with place.run_worker():
            job = container.dispatcher.submit(import_job(place.files / "film.mp4"))
            wait_for_job(container, job, lambda current: current.state is JobState.RUNNING)
            container.jobs.cancel(job.id)
            after = container.dispatcher.submit(import_job(place.files / "photo.png"))
            assert wait_until_finished(container, after)[0].state is JobState.DONE
            assert container.jobs.get(job.id).state is JobState.CANCELLED
            (done,) = wait_until_finished(container, container.dispatcher.retry(job.id))
        assert done.state is JobState.DONE
        assert count_starts(container, job) == 2

    def test_a_worker_that_is_stopped_gives_its_job_back(self, place: QueueHarness) -> None:
        container = place.container
        job = container.dispatcher.submit(import_job(place.files / "film.mp4"))
        with place.run_worker():
            wait_for_job(container, job, lambda current: current.state is JobState.RUNNING)
        back = container.jobs.get(job.id)
        assert back.attempts == 0
        assert back.state is JobState.QUEUED
        with place.run_worker():
            (done,) = wait_until_finished(container, job)
        assert (done.state, done.attempts) == (JobState.DONE, 0)
        manifest = container.artifacts.read_manifest(*_single_asset(container))
        assert len(manifest.checkpoints) == CHECKPOINTS


def _single_asset(container: Container) -> tuple[str, str]:
    (asset,) = container.catalog.assets()
    return asset.asset_id, asset.version
