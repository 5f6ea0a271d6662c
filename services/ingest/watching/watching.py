"""Keep collections in step with folders: a whole pass at first, then what changes, as long as it is wanted."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from indexer.errors import AfterimageError, IndexMismatch, InvalidInput, ModelError, SettingsError, SourceError
from services.cancellation import Cancelled
from services.database.clock import Clock
from services.ingest.file_discovery import DiscoveredFile, SubtitleFile
from services.ingest.indexing import Indexing
from services.ingest.missing_sources import MissingSources
from services.ingest.ports import FolderObserver
from services.ingest.types import FileReport, Outcome
from services.ingest.watching.folder import FolderChanges, SettledChanges
from services.ingest.watching.types import WatchedFolder, WatchListener
from services.search.calibration import Calibration

_BATCH_FILES = 64
"""Chosen: between two batches gone files are marked and new changes seen; smaller ones open the archive more often."""
_LOCK_TIMEOUT_S = 10.0
"""Chosen: as for jobs; whoever writes longer is waited for with the others of the batch."""
_CALIBRATION_INTERVAL_S = 600.0
"""Chosen: while files keep coming, scores are calibrated every ten minutes, which costs a query per null query."""
_GONE = "its file is gone; it is still searched"
_LASTING_ERRORS = (IndexMismatch, InvalidInput, ModelError, SettingsError)
"""Errors that another try would meet again."""


@dataclass(frozen=True, slots=True)
class WatchingTimes:
    """Seconds: between two looks, of a file's rest, between whole passes, and of the first and longest pause."""

    interval_s: float = 1.0
    """Chosen: a change is noticed within a second; each look costs a few system calls."""
    quiet_s: float = 3.0
    """Chosen: longer than programs that copy pause between two writes; a recording's pauses are longer."""
    rescan_interval_s: float = 3600.0
    """Chosen: what the observer missed is seen within the hour; a pass reads the sizes and times of all files."""
    first_retry_s: float = 10.0
    """Chosen: another writer is done by then, mostly."""
    max_retry_s: float = 600.0
    """Chosen: a full disk is tried six times an hour."""


class Watching:
    """Watches folders, and indexes what changes below them; one file at a time, under the locks of `Indexing`.

    What is gone is marked, or removed where `prune` says so. One thread calls `run`, or `step`, which is one look.
    """

    def __init__(
        self,
        indexing: Indexing,
        missing: MissingSources,
        calibration: Calibration,
        make_observer: Callable[[], FolderObserver],
        *,
        prune: bool = False,
        times: WatchingTimes | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._indexing, self._missing, self._calibration = indexing, missing, calibration
        self._make_observer, self._prune, self._clock = make_observer, prune, clock
        self._times = times or WatchingTimes()
        self._folders: list[FolderChanges] = []
        self._retry_at, self._retry_s = 0.0, self._times.first_retry_s
        self._counts: Counter[Outcome] = Counter()
        self._is_idle = False

    def run(self, folders: Sequence[WatchedFolder], listener: WatchListener, stop: Event) -> None:
        """Watch folders until `stop` is set, which ends a running file at its next checkpoint.

        Errors: IndexMismatch, ModelError, SettingsError, InvalidInput. All others are told and tried again.
        """
        with closing(self._make_observer()) as observer:
            self.begin(folders, observer)
            while not stop.is_set():
                self.step(listener, stop.is_set)
                stop.wait(self._times.interval_s)

    def begin(self, folders: Sequence[WatchedFolder], observer: FolderObserver) -> None:
        """Prepare to look at folders."""
        times = self._times
        self._folders = [
            FolderChanges(
                folder,
                observer,
                times.quiet_s,
                times.rescan_interval_s,
                partial(self._missing.count_present, folder.collection, folder.path),
                self._clock,
            )
            for folder in folders
        ]

    def step(self, listener: WatchListener, is_stopped: Callable[[], bool] = lambda: False) -> None:
        """Look at the folders once, and index what has settled. Errors: those of `run`."""
        for changes in self._folders:
            if notice := changes.follow():
                listener.on_notice(notice)
        if self._clock() < self._retry_at:
            return
        try:
            for changes in self._folders:
                if changes.is_there:
                    self._update(changes, listener, is_stopped)
            self._rest_if_settled(listener)
            self._retry_s = self._times.first_retry_s
        except Cancelled:
            return
        except _LASTING_ERRORS:
            raise
        except (AfterimageError, OSError) as error:
            listener.on_notice(f"{error}; trying again in {self._retry_s:g} s")
            self._retry_at = self._clock() + self._retry_s
            self._retry_s = min(self._times.max_retry_s, 2 * self._retry_s)

    def _update(self, changes: FolderChanges, listener: WatchListener, is_stopped: Callable[[], bool]) -> None:
        """Index the settled files of a folder, then mark what is gone: a moved file is found at its new place first."""
        settled = changes.take_settled(_BATCH_FILES)
        for error in changes.take_unreadable():
            self._tell(FileReport(error.name, Outcome.FAILED, reason=error.reason), listener)
        try:
            self._index(changes, settled, listener, is_stopped)
            self._mark_gone(changes, settled.gone, listener)
        except BaseException:
            changes.postpone(settled.gone)
            raise

    def _index(
        self,
        changes: FolderChanges,
        settled: SettledChanges,
        listener: WatchListener,
        is_stopped: Callable[[], bool],
    ) -> None:
        if not settled.there:
            return
        waiting = deque(settled.there.items())

        def on_progress(name: str, done: float, total: float | None) -> None:
            listener.on_progress(name, done, total)
            if is_stopped():
                raise Cancelled("the watch was ended")

        def read_files() -> Iterator[DiscoveredFile | SubtitleFile | SourceError]:
            """Yield the files one by one; a path leaves the queue once its report was made."""
            while waiting and not is_stopped():
                yield from changes.files_at(waiting[0][0])
                changes.finish(*waiting.popleft())

        collection = changes.folder.collection
        try:
            for report in self._indexing.index_files(read_files(), collection, on_progress, _LOCK_TIMEOUT_S):
                self._tell(report, listener)
        finally:
            waiting.rotate(-1)  # what fails for a reason of its own must not keep the others waiting
            changes.postpone(path for path, _ in waiting)

    def _mark_gone(self, changes: FolderChanges, gone: Sequence[Path], listener: WatchListener) -> None:
        for place in sorted(changes.take_gone_places(gone)):
            for entry in self._missing.refresh(changes.folder.collection, place):
                if entry.source.missing_since is None:
                    reason = "" if self._prune else _GONE
                    self._tell(FileReport(entry.source.name, Outcome.GONE, entry.asset, reason), listener)

    def _rest_if_settled(self, listener: WatchListener) -> None:
        """Once nothing is left to do: remove what is gone where that is wanted, and refresh the calibration."""
        if not all(changes.is_settled for changes in self._folders if changes.is_there):
            self._is_idle = False
            self._calibration.refresh_if_stale(_CALIBRATION_INTERVAL_S)
            return
        if self._is_idle or not any(changes.is_there for changes in self._folders):
            return
        if self._prune:
            for changes in self._folders:
                self._remove_gone(changes, listener)
        self._calibration.refresh_if_stale()
        listener.on_up_to_date(self._counts)
        self._counts, self._is_idle = Counter(), True

    def _remove_gone(self, changes: FolderChanges, listener: WatchListener) -> None:
        """Remove what is gone below a folder, unless all of it is: then its disk may be missing."""
        if not changes.is_there:
            return
        collection, root = changes.folder.collection, changes.root
        missing = self._missing.find([collection], [root])
        if not missing:
            return
        if self._missing.count_present(collection, root) == 0 and len(missing) > 1:
            listener.on_notice(f"every file of {root} is gone: nothing is removed, its disk may be missing")
            return
        for entry in self._missing.prune(missing, _LOCK_TIMEOUT_S):
            listener.on_notice(f"{entry.source.name} was removed from the archive")

    def _tell(self, report: FileReport, listener: WatchListener) -> None:
        self._counts[report.outcome] += 1
        self._is_idle = False
        listener.on_report(report)
