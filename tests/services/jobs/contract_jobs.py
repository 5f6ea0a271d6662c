"""What every queue of jobs promises, with its workers: inherit, and say where jobs are asked for and done."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from places import CHECKPOINTS, ended, photo, take_in, times_begun, until

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where jobs are asked for, by `container`. `work()` has a worker do them as long as its context lasts, and
    stopped in order afterwards; `lose()` loses what the queue carries."""

    container: Container
    files: Path
    work: Callable[[], AbstractContextManager[object]]
    lose: Callable[[], None]


class JobQueueContract:
    """Runs over every queue. A subclass has the fixture `place`."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    def test_jobs_of_every_kind_come_to_what_they_were_asked_for(self, place: Place) -> None:
        container = place.container
        with place.work():
            (taken,) = ended(container, container.dispatcher.submit(take_in(place.files / "film.mp4")))
            assert isinstance(taken.result, IndexResult), taken
            key = taken.result.files[0].asset_id
            assert key is not None
            assert (taken.state, taken.asset_id) == (JobState.DONE, key)
            assert taken.progress == JobProgress(40.0, 40.0, "film.mp4")
            told, made = ended(
                container,
                container.dispatcher.submit(NewJob(SummarizeRequest(key), "default")),
                container.dispatcher.submit(NewJob(ReindexRequest())),
            )
            assert isinstance(told.result, SummarizeResult), told
            assert told.result.summary == container.summarizing.summarize(container.catalog.find(key))
            assert made.result == ReindexResult(1, container.catalog.find(key).segments, ())
            (gone,) = ended(container, container.dispatcher.submit(NewJob(DeleteRequest(key), "default")))
            assert gone.result == DeleteResult(key)
            assert container.jobs.get(told.id).result is None, "what it said of the film is gone with it"
        with pytest.raises(AssetNotFound):
            container.catalog.find(key)

    def test_what_cannot_get_better_fails_at_once_and_says_why(self, place: Place) -> None:
        container = place.container
        asked = [
            take_in(place.files / "broken.mp4"),
            take_in(place.files / "missing.mp4"),
            take_in(place.files.parent / "outside.mp4"),
            NewJob(SummarizeRequest("f" * 64), "default"),
            NewJob(DeleteRequest("f" * 64), "default"),
        ]
        with place.work():
            jobs = ended(container, *(container.dispatcher.submit(new) for new in asked))
        assert {job.state for job in jobs} == {JobState.FAILED}
        assert [times_begun(container, job) for job in jobs] == [1] * len(jobs)
        said = [job.error or "" for job in jobs]
        assert said[0].startswith("broken.mp4: ")
        assert said[1].endswith("missing.mp4: there is no such file")
        assert said[2].endswith("is not below one of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS")
        assert said[3:] == [f"no asset '{'f' * 64}'"] * 2

    def test_a_folder_is_one_job_which_fails_where_a_file_of_it_does(self, place: Place) -> None:
        container = place.container
        with place.work():
            (job,) = ended(container, container.dispatcher.submit(take_in(place.files)))
        assert isinstance(job.result, IndexResult), job
        taken = {file.name: file.asset_id is not None for file in job.result.files}
        assert taken == {"broken.mp4": False, "film.mp4": True, "photo.png": True, "report.pdf": True}
        assert job.state is JobState.FAILED
        assert (job.error or "").startswith("1 of 4 files not taken in; broken.mp4: ")
        assert len(container.catalog.assets()) == 3

    def test_many_jobs_are_done_once_each(self, place: Place) -> None:
        container = place.container
        jobs = [container.dispatcher.submit(take_in(photo(place.files, number))) for number in range(12)]
        with place.work():
            done = ended(container, *jobs)
        assert {job.state for job in done} == {JobState.DONE}
        assert [times_begun(container, job) for job in done] == [1] * 12
        assert len(container.catalog.assets()) == 12

    def test_what_the_queue_lost_is_sent_again(self, place: Place) -> None:
        container = place.container
        jobs = [container.dispatcher.submit(take_in(photo(place.files, number))) for number in range(5)]
        place.lose()
        with place.work():
            assert {job.state for job in ended(container, *jobs)} == {JobState.DONE}

    def test_a_cancelled_job_stops_and_a_retry_goes_on_where_it_was(self, place: Place) -> None:
        container = place.container
        with place.work():
            job = container.dispatcher.submit(take_in(place.files / "film.mp4"))
            until(container, job, lambda current: current.state is JobState.RUNNING)
            container.jobs.cancel(job.id)
            after = container.dispatcher.submit(take_in(place.files / "photo.png"))
            assert ended(container, after)[0].state is JobState.DONE
            assert container.jobs.get(job.id).state is JobState.CANCELLED
            (done,) = ended(container, container.dispatcher.retry(job.id))
        assert done.state is JobState.DONE
        assert times_begun(container, job) == 2

    def test_a_worker_that_is_stopped_gives_its_job_back(self, place: Place) -> None:
        container = place.container
        job = container.dispatcher.submit(take_in(place.files / "film.mp4"))
        with place.work():
            until(container, job, lambda current: current.state is JobState.RUNNING)
        back = container.jobs.get(job.id)
        assert back.attempts == 0
        assert back.state is JobState.QUEUED
        with place.work():
            (done,) = ended(container, job)
        assert (done.state, done.attempts) == (JobState.DONE, 0)
        manifest = container.artifacts.read_manifest(*_only(container))
        assert len(manifest.checkpoints) == CHECKPOINTS


def _only(container: Container) -> tuple[str, str]:
    (asset,) = container.catalog.assets()
    return asset.asset_id, asset.version
