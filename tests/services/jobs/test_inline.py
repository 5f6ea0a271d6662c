"""The inline queue: jobs in threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.container import Container
from tests.support.contract_job_queue import JobQueueContract, QueueHarness
from tests.support.job_workers import import_job, make_photo, wait_until_finished

MakeContainer = Callable[..., Container]


class TestInlineQueue(JobQueueContract):
    """Asked at one container, done by another, as by two processes: what one has in memory the other never sees."""

    @pytest.fixture
    def harness(self, make_job_container: MakeContainer, files: Path) -> QueueHarness:
        @contextmanager
        def work() -> Iterator[None]:
            container = make_job_container()
            container.background.dispatcher.start()
            try:
                yield
            finally:
                container.close()

        return QueueHarness(make_job_container(), files, work, lambda: None)


def test_jobs_asked_for_where_they_are_done_need_no_sweep(make_job_container: MakeContainer, files: Path) -> None:
    container = make_job_container(jobs__sweep_interval_s="1000")
    container.background.dispatcher.start()
    job = container.background.dispatcher.submit(import_job(files / "photo.png"))
    assert wait_until_finished(container, job)[0].state == "done"


def test_many_jobs_that_fill_the_archive_have_it_measured_by_the_last(
    make_job_container: MakeContainer, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = make_job_container()
    calibration, refresh, generations = container.calibration, container.calibration.refresh, []
    monkeypatch.setattr(
        calibration, "refresh", lambda *_: (refresh(), generations.append(container.index.generation()))
    )
    jobs = [container.background.dispatcher.submit(import_job(make_photo(files, number))) for number in range(9)]
    jobs.append(container.background.dispatcher.submit(import_job(files / "nowhere.png")))
    container.background.dispatcher.start()
    assert {job.state.value for job in wait_until_finished(container, *jobs)} == {"done", "failed"}
    assert len(generations) == 2, "once before there was anything to go by, once at the end"
    assert generations[-1] == container.index.generation()
