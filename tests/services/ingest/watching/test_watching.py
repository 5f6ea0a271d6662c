"""A watch of folders, look by look: no time passes but on the test's clock, and the test tells what changed."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from indexer.errors import SourceNotFound, StorageFull
from services.container import Container
from services.ingest.indexing import Indexing
from services.ingest.ports import ChangeCallback
from services.ingest.types import FileReport, Outcome
from services.ingest.watching.types import WatchedFolder
from services.ingest.watching.watching import Watching, WatchingTimes
from tests.support.containers import MakeContainer
from tests.support.fake_clock import FakeClock
from tests.support.pictures import draw_noise
from tests.support.small_archive import WITHOUT_MODELS
from tests.support.video_fixtures import make_video

TIMES = WatchingTimes()


@dataclass
class ToldChanges:
    """FolderObserver that knows what a test tells it."""

    callbacks: dict[Path, ChangeCallback] = field(default_factory=dict)
    refusal: str = ""

    def watch(self, folder: Path, on_change: ChangeCallback) -> None:
        if self.refusal:
            raise SourceNotFound(str(folder), self.refusal)
        self.callbacks[folder] = on_change

    def unwatch(self, folder: Path) -> None:
        self.callbacks.pop(folder, None)

    def close(self) -> None:
        self.callbacks.clear()

    def tell(self, *paths: Path) -> None:
        for path in paths:
            for folder, on_change in self.callbacks.items():
                if path.is_relative_to(folder):
                    on_change(path)


@dataclass
class Heard:
    """WatchListener that keeps what it is told."""

    reports: list[FileReport] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    rests: list[dict[str, int]] = field(default_factory=list)
    progress: Callable[[], None] = lambda: None

    def on_progress(self, name: str, done: float, total: float | None) -> None:
        self.progress()

    def on_report(self, report: FileReport) -> None:
        self.reports.append(report)

    def on_notice(self, text: str) -> None:
        self.notices.append(text)

    def on_up_to_date(self, counts: Counter[Outcome]) -> None:
        self.rests.append({outcome.value: number for outcome, number in counts.items()})

    def take(self) -> list[tuple[str, str]]:
        """Outcome and name of what was reported since the last call."""
        taken, self.reports = [(report.outcome.value, report.name) for report in self.reports], []
        return taken


@dataclass
class Watched:
    """A watch of a folder, and what drives it."""

    container: Container
    folder: Path
    watching: Watching
    clock: FakeClock
    changes: ToldChanges
    heard: Heard

    def look(self, *changed: Path, after_s: float = 0.0) -> list[tuple[str, str]]:
        """Tell of changes, let time pass, and look once; what was reported."""
        self.changes.tell(*changed)
        self.clock.at += after_s
        self.watching.step(self.heard)
        return self.heard.take()

    def settle(self, *changed: Path) -> list[tuple[str, str]]:
        """Look at changes at once, and again when they have settled; what was reported."""
        return self.look(*changed) + self.look(after_s=TIMES.quiet_s)

    def names(self) -> list[str]:
        return sorted(asset.name for asset in self.container.catalog.assets())


@pytest.fixture
def container(make_container: MakeContainer) -> Container:
    return make_container(**WITHOUT_MODELS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a/report.png", "b/report.png", "c.png")):
        draw_noise(tmp_path / "files" / name, number)
    return tmp_path / "files"


@pytest.fixture
def make_watch(container: Container, folder: Path) -> Callable[..., Watched]:
    def make(prune: bool = False) -> Watched:
        clock, changes = FakeClock(), ToldChanges()
        services = (container.indexing, container.missing_sources, container.calibration)
        watching = Watching(*services, lambda: changes, prune=prune, clock=clock)
        watching.begin([WatchedFolder("default", folder)], changes)
        return Watched(container, folder, watching, clock, changes, Heard())

    return make


@pytest.fixture
def watched(make_watch: Callable[..., Watched]) -> Iterator[Watched]:
    """A watch whose first pass is done."""
    made = make_watch()
    made.settle()
    made.heard.take()
    yield made


def test_a_watch_begins_with_all_files_once_they_have_settled_and_rests(make_watch: Callable[..., Watched]) -> None:
    watched = make_watch()
    assert watched.look() == []
    assert watched.look(after_s=TIMES.quiet_s - 0.1) == []
    assert watched.look(after_s=0.1) == [
        ("indexed", "a/report.png"),
        ("indexed", "b/report.png"),
        ("indexed", "c.png"),
    ]
    assert watched.heard.rests == [{"indexed": 3}]
    assert watched.look(after_s=60) == [] and len(watched.heard.rests) == 1


def test_what_changed_while_nobody_watched_is_found_at_the_next_start(make_watch: Callable[..., Watched]) -> None:
    make_watch().settle()
    folder = make_watch().folder
    draw_noise(folder / "new.png", 7)
    draw_noise(folder / "c.png", 8)
    (folder / "a" / "report.png").rename(folder / "moved.png")
    (folder / "b" / "report.png").unlink()
    assert sorted(make_watch().settle()) == [
        ("gone", "b/report.png"),
        ("indexed", "new.png"),
        ("moved", "moved.png"),
        ("updated", "c.png"),
    ]


def test_a_file_is_taken_up_only_once_it_rests(watched: Watched) -> None:
    new = watched.folder / "d" / "new.png"
    for number in range(10):
        draw_noise(new, number)
        assert watched.look(new, after_s=1.0) == []
    assert watched.look(after_s=TIMES.quiet_s) == [("indexed", "d/new.png")]


def test_a_change_that_nobody_told_of_delays_a_file_too(watched: Watched) -> None:
    new = watched.folder / "new.png"
    draw_noise(new, 7)
    watched.look(new)
    draw_noise(new, 8)
    assert watched.look(after_s=TIMES.quiet_s) == []
    assert watched.look(after_s=TIMES.quiet_s) == [("indexed", "new.png")]


def test_a_new_folder_is_taken_up_with_all_that_is_in_it_but_what_is_hidden(watched: Watched, tmp_path: Path) -> None:
    draw_noise(tmp_path / "made" / "x" / "deep.png", 7)
    draw_noise(tmp_path / "made" / ".hidden" / "no.png", 8)
    (tmp_path / "made").rename(watched.folder / "made")
    assert watched.settle(watched.folder / "made") == [("indexed", "made/x/deep.png")]
    assert watched.settle(watched.folder / "made" / ".hidden" / "no.png") == []


def test_a_moved_file_is_reported_as_moved_and_not_as_gone(watched: Watched) -> None:
    old, new = watched.folder / "c.png", watched.folder / "z" / "renamed.png"
    new.parent.mkdir()
    old.rename(new)
    assert watched.settle(old, new) == [("moved", "z/renamed.png")]
    assert watched.names() == ["a/report.png", "b/report.png", "z/renamed.png"]


def test_a_gone_file_is_marked_and_said_once_and_its_return_unmarks_it(watched: Watched, tmp_path: Path) -> None:
    gone = watched.folder / "c.png"
    shutil.move(gone, tmp_path / "aside.png")
    assert watched.settle(gone) == [("gone", "c.png")]
    assert watched.container.catalog.find("c.png").missing_since is not None
    assert watched.settle(gone) == []
    shutil.move(tmp_path / "aside.png", gone)
    assert watched.settle(gone) == [("unchanged", "c.png")]
    assert watched.container.catalog.find("c.png").missing_since is None


def test_a_removed_folder_takes_all_that_was_in_it(watched: Watched) -> None:
    draw_noise(watched.folder / "a" / "deep" / "d.png", 7)
    watched.settle(watched.folder / "a" / "deep" / "d.png")
    shutil.rmtree(watched.folder / "a")
    assert sorted(watched.settle(watched.folder / "a")) == [("gone", "a/deep/d.png"), ("gone", "a/report.png")]


def test_a_watch_that_may_prune_removes_what_is_gone(make_watch: Callable[..., Watched]) -> None:
    watched = make_watch(prune=True)
    watched.settle()
    (watched.folder / "c.png").unlink()
    watched.settle(watched.folder / "c.png")
    assert watched.names() == ["a/report.png", "b/report.png"]
    assert watched.heard.notices == ["c.png was removed from the archive"]


def test_a_watch_that_may_prune_keeps_a_file_that_moves_slowly(make_watch: Callable[..., Watched]) -> None:
    watched = make_watch(prune=True)
    watched.settle()
    asset_id = watched.container.catalog.find("c.png").asset_id
    old, new = watched.folder / "c.png", watched.folder / "new.png"
    content = old.read_bytes()
    new.write_bytes(content[:10])
    watched.look(old, new)
    old.unlink()
    for end in (100, 1000, len(content)):
        new.write_bytes(content[:end])
        watched.look(old, new, after_s=TIMES.quiet_s - 1)
    watched.look(after_s=TIMES.quiet_s)
    assert watched.container.catalog.find("new.png").asset_id == asset_id


def test_a_watch_that_may_prune_removes_nothing_where_everything_is_gone(make_watch: Callable[..., Watched]) -> None:
    watched = make_watch(prune=True)
    watched.settle()
    for path in ("a", "b"):
        shutil.rmtree(watched.folder / path)
    (watched.folder / "c.png").unlink()
    watched.settle(*(watched.folder / name for name in ("a", "b", "c.png")))
    assert len(watched.names()) == 3
    (notice,) = watched.heard.notices
    assert "nothing is removed" in notice


def test_a_folder_that_goes_away_is_named_waited_for_and_looked_through_again(watched: Watched, tmp_path: Path) -> None:
    watched.folder.rename(tmp_path / "unmounted")
    assert watched.settle(watched.folder / "c.png") == []
    assert watched.heard.notices == [f"{watched.folder} is not there (no such file or directory): waiting for it"]
    assert watched.changes.callbacks == {}
    draw_noise(tmp_path / "unmounted" / "new.png", 7)
    (tmp_path / "unmounted").rename(watched.folder)
    assert watched.settle() == [("indexed", "new.png")]
    assert watched.heard.notices[1:] == [f"{watched.folder} is back"]
    assert list(watched.changes.callbacks) == [watched.folder]


def test_an_empty_place_where_a_disk_was_is_no_folder_of_gone_files(watched: Watched, tmp_path: Path) -> None:
    watched.folder.rename(tmp_path / "unmounted")
    watched.folder.mkdir()
    assert watched.settle() == []
    (notice,) = watched.heard.notices
    assert notice == f"{watched.folder} is empty, but 3 files of it are known: waiting for its disk"
    assert all(asset.missing_since is None for asset in watched.container.catalog.assets())
    watched.folder.rmdir()
    (tmp_path / "unmounted").rename(watched.folder)
    watched.settle()
    assert watched.heard.notices[-1] == f"{watched.folder} is back"


def test_a_folder_that_cannot_be_watched_is_said_once_and_tried_again(make_watch: Callable[..., Watched]) -> None:
    watched = make_watch()
    watched.changes.refusal = "cannot be watched (inotify instance limit reached)"
    for _ in range(3):
        assert watched.settle() == []
    assert len(watched.heard.notices) == 1
    watched.changes.refusal = ""
    assert len(watched.settle()) == 3


def test_a_damaged_file_fails_once_and_again_only_when_it_changes(watched: Watched) -> None:
    bad = watched.folder / "bad.png"
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + b"damaged" * 9)
    assert watched.settle(bad) == [("failed", "bad.png")]
    assert watched.settle(bad) == []
    assert watched.look(after_s=TIMES.rescan_interval_s) + watched.look(after_s=TIMES.quiet_s) == []
    draw_noise(bad, 7)
    assert watched.settle(bad) == [("indexed", "bad.png")]


def test_what_no_event_told_of_is_found_by_the_next_whole_pass(watched: Watched) -> None:
    draw_noise(watched.folder / "new.png", 7)
    (watched.folder / "c.png").unlink()
    assert watched.settle() == []
    watched.look(after_s=TIMES.rescan_interval_s)
    assert sorted(watched.look(after_s=TIMES.quiet_s)) == [("gone", "c.png"), ("indexed", "new.png")]


def test_a_file_that_changes_whenever_it_is_indexed_is_looked_at_less_and_less_often(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, numbers, tries = watched.folder / "new.png", iter(range(10, 1000)), []
    draw_noise(new, 9)
    original = Indexing._index_file

    def change_meanwhile(self: Indexing, *arguments: object) -> FileReport:
        report = original(self, *arguments)  # type: ignore[arg-type]
        tries.append(watched.clock.at)
        draw_noise(new, next(numbers))
        return report

    monkeypatch.setattr(Indexing, "_index_file", change_meanwhile)
    watched.look(new)
    for _ in range(600):
        watched.look(after_s=1.0)
    pauses = [later - earlier for earlier, later in pairwise(tries)]
    assert pauses == sorted(pauses) and pauses[-1] >= 10 * pauses[0]
    assert len(tries) < 10
    monkeypatch.undo()
    assert watched.look(after_s=3600) == [("updated", "new.png")]


def test_a_subtitle_file_has_the_film_beside_it_taken_up_again(watched: Watched) -> None:
    make_video(watched.folder / "film.mp4", count=10)
    assert watched.settle(watched.folder / "film.mp4") == [("indexed", "film.mp4")]
    (watched.folder / "Subs").mkdir()
    for name in ("film.en.srt", "Subs/2_English.srt"):
        (watched.folder / name).write_text("1\n00:00:00,000 --> 00:00:00,300\nThe gurnard sings.\n")
        assert watched.settle(watched.folder / name) == [("updated", "film.mp4")]
        (watched.folder / name).unlink()
        assert watched.settle(watched.folder / name) == [("updated", "film.mp4")]


def test_a_full_disk_is_said_and_tried_again_and_loses_no_file(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = [watched.folder / f"new{number}.png" for number in range(3)]
    for number, path in enumerate(new):
        draw_noise(path, 20 + number)

    def fail(*_: object) -> None:
        raise StorageFull("the disk is full")

    monkeypatch.setattr(Indexing, "_index_file", fail)
    assert watched.settle(*new) == []
    assert watched.heard.notices == ["the disk is full; trying again in 10 s"]
    watched.look(after_s=5.0)
    watched.look(after_s=5.0)
    assert watched.heard.notices[1:] == ["the disk is full; trying again in 20 s"]
    monkeypatch.undo()
    assert sorted(watched.look(after_s=20.0)) == [("indexed", f"new{number}.png") for number in range(3)]


def test_a_stopped_watch_ends_at_the_next_checkpoint(make_watch: Callable[..., Watched]) -> None:
    watched, stopped = make_watch(), []
    watched.heard.progress = lambda: stopped.append(True)
    watched.look()
    watched.clock.at += TIMES.quiet_s
    watched.watching.step(watched.heard, lambda: bool(stopped))
    assert watched.heard.take() == [] and stopped == [True]


def test_more_files_than_a_batch_are_all_indexed(watched: Watched) -> None:
    new = [watched.folder / f"{number}.png" for number in range(70)]
    for path in new:
        path.write_bytes(b"no picture")
    first = watched.settle(*new)
    assert len(first) == 64
    assert len(first + watched.look()) == 70
    assert watched.heard.rests[-1] == {"failed": 70}
