"""The inline queue: jobs in threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from contract_jobs import JobQueueContract, Place
from places import ended, photo, take_in

from services.container import Container

AskingAt = Callable[..., Container]


class TestInlineQueue(JobQueueContract):
    """Asked at one container, done by another, as by two processes: what one has in memory the other never sees."""

    @pytest.fixture
    def place(self, asking: AskingAt, files: Path) -> Place:
        @contextmanager
        def work() -> Iterator[None]:
            container = asking()
            container.dispatcher.start()
            try:
                yield
            finally:
                container.close()

        return Place(asking(), files, work, lambda: None)


def test_jobs_asked_for_where_they_are_done_need_no_sweep(asking: AskingAt, files: Path) -> None:
    container = asking(jobs__sweep_interval_s="1000")
    container.dispatcher.start()
    job = container.dispatcher.submit(take_in(files / "photo.png"))
    assert ended(container, job)[0].state == "done"


def test_many_jobs_that_fill_the_archive_have_it_measured_by_the_last(
    asking: AskingAt, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = asking()
    calibration, refresh, measured = container.calibration, container.calibration.refresh, []
    monkeypatch.setattr(calibration, "refresh", lambda: (refresh(), measured.append(container.index.generation())))
    jobs = [container.dispatcher.submit(take_in(photo(files, number))) for number in range(9)]
    jobs.append(container.dispatcher.submit(take_in(files / "nowhere.png")))
    container.dispatcher.start()
    assert {job.state.value for job in ended(container, *jobs)} == {"done", "failed"}
    assert len(measured) == 2, "once before there was anything to go by, once at the end"
    assert measured[-1] == container.index.generation()
