"""Watch folders in a thread of a server, and log what becomes of their files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from threading import Event, Thread

from services.ingest.types import FileReport, Outcome
from services.ingest.watching.types import WatchedFolder
from services.ingest.watching.watching import Watching

_log = logging.getLogger(__name__)
_QUIET_OUTCOMES = {Outcome.UNCHANGED, Outcome.SKIPPED}


class FolderWatcher:
    """Runs a watch of folders between `start` and `close`; an error that would come again ends it, and is logged."""

    def __init__(self, folders: Sequence[WatchedFolder], watching: Watching) -> None:
        self._folders, self._watching, self._stop_event = folders, watching, Event()
        self._thread = Thread(target=self._run, name="watching folders", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """End the watch; a file that is being indexed stops at its next checkpoint."""
        self._stop_event.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._watching.run(self._folders, _LoggingListener(), self._stop_event)
        except Exception as error:  # noqa: BLE001 (whatever it is, the server goes on and the log says why)
            _log.error("folders are no longer watched: %s: %s", type(error).__name__, error)


class _LoggingListener:
    """WatchListener that logs."""

    def on_progress(self, name: str, done: float, total: float | None) -> None:
        """Say nothing."""

    def on_report(self, report: FileReport) -> None:
        """Log what became of a file, unless nothing did."""
        if report.outcome not in _QUIET_OUTCOMES:
            level = logging.WARNING if report.outcome is Outcome.FAILED else logging.INFO
            reason = f": {report.reason}" if report.reason else ""
            _log.log(level, "%s %s%s", report.outcome, report.name, reason)

    def on_notice(self, text: str) -> None:
        """Log a notice."""
        _log.warning("%s", text)

    def on_up_to_date(self, counts: Counter[Outcome]) -> None:
        """Log how many files became what."""
        counts_text = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
        _log.info("watched folders are up to date: %s", counts_text or "no files")
