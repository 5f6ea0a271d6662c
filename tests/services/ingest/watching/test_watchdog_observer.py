"""A watch of real folders by the operating system and by polling: what is written, moved and removed arrives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from indexer.errors import SourceNotFound
from services.container import Container
from services.ingest.watching.types import WatchedFolder
from services.ingest.watching.watchdog_observer import WatchdogObserver
from services.ingest.watching.watching import Watching, WatchingTimes
from tests.services.ingest.watching.test_watching import Heard
from tests.support.containers import MakeContainer
from tests.support.pictures import draw_noise
from tests.support.small_archive import WITHOUT_MODELS
from tests.support.waiting import TIMEOUT_S, wait_until

TIMES = WatchingTimes(interval_s=0.02, quiet_s=0.3)


@pytest.fixture
def container(make_container: MakeContainer) -> Container:
    return make_container(**WITHOUT_MODELS)


@contextmanager
def watch_in_thread(container: Container, folder: Path, poll_interval_s: float, heard: Heard) -> Iterator[None]:
    """Watch a folder in a thread until the context ends."""
    services = (container.indexing, container.missing_sources, container.calibration)
    watching, stop = Watching(*services, lambda: WatchdogObserver(poll_interval_s), times=TIMES), Event()
    thread = Thread(target=watching.run, args=([WatchedFolder("default", folder)], heard, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize("poll_interval_s", [0.0, 0.1], ids=["told", "polled"])
def test_a_collection_stays_in_step_with_a_real_folder(
    container: Container, tmp_path: Path, poll_interval_s: float
) -> None:
    folder, heard = tmp_path / "files", Heard()
    draw_noise(folder / "first.png", 0)

    def expect(outcome: str, name: str) -> None:
        wait_until(
            lambda: (outcome, name) in [(report.outcome.value, report.name) for report in heard.reports],
            f"{outcome} {name} among {[(report.outcome.value, report.name) for report in heard.reports]}",
        )

    with watch_in_thread(container, folder, poll_interval_s, heard):
        expect("indexed", "first.png")
        draw_noise(folder / "new" / "deep" / "second.png", 1)
        expect("indexed", "new/deep/second.png")
        draw_noise(folder / "first.png", 2)
        expect("updated", "first.png")
        (folder / "new").rename(folder / "renamed")
        expect("moved", "renamed/deep/second.png")
        draw_noise(tmp_path / "outside" / "third.png", 3)
        (tmp_path / "outside").rename(folder / "inside")
        expect("indexed", "inside/third.png")
        shutil.rmtree(folder / "renamed")
        expect("gone", "renamed/deep/second.png")
        (folder / "inside").rename(tmp_path / "outside")
        expect("gone", "inside/third.png")
        folder.rename(tmp_path / "away")
        wait_until(lambda: any("is not there" in text for text in heard.notices), "the folder is missed")
        draw_noise(tmp_path / "away" / "fourth.png", 4)
        (tmp_path / "away").rename(folder)
        expect("indexed", "fourth.png")
        draw_noise(folder / "fifth.png", 5)
        expect("indexed", "fifth.png")
    assert [report.reason for report in heard.reports if report.outcome == "failed"] == []
    assert not any(report.name == "first.png" and report.outcome == "gone" for report in heard.reports)


def test_reading_a_file_is_no_change_and_closing_ends_the_telling(tmp_path: Path) -> None:
    told, lock = set(), Lock()

    def on_change(path: Path) -> None:
        with lock:
            told.add(path.name)

    (tmp_path / "read.txt").write_text("read")
    with closing(WatchdogObserver()) as observer:
        observer.watch(tmp_path, on_change)
        (tmp_path / "read.txt").read_text()
        (tmp_path / "written.txt").write_text("written")
        wait_until(lambda: "written.txt" in told, "a written file is told of")
        assert told == {"written.txt"}
        observer.unwatch(tmp_path)
        observer.unwatch(tmp_path)


def test_a_folder_that_is_not_there_cannot_be_watched(tmp_path: Path) -> None:
    with closing(WatchdogObserver()) as observer, pytest.raises(SourceNotFound, match="cannot be watched"):
        observer.watch(tmp_path / "nowhere", lambda _: None)
