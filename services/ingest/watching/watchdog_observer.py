"""Observation of folders by the operating system, or by looking through them regularly (watchdog)."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch
from watchdog.observers.polling import PollingObserver

from indexer.errors import SourceNotFound
from services.ingest.ports import ChangeCallback

_READING_EVENTS = {"opened", "closed_no_write"}
"""Events that reading a file causes, ours too."""


class WatchdogObserver:
    """FolderObserver over watchdog. `poll_interval_s`: seconds between two looks at everything below each folder;
    0: the operating system tells at once, which network file systems do not do for changes by other machines."""

    def __init__(self, poll_interval_s: float = 0.0) -> None:
        self._poll_interval_s = poll_interval_s
        self._observer: BaseObserver | None = None
        self._watches: dict[Path, ObservedWatch] = {}
        self._lock = Lock()

    def watch(self, folder: Path, on_change: ChangeCallback) -> None:
        """Begin to tell what changes below a folder. Errors: SourceNotFound where it cannot be watched."""
        with self._lock:
            try:
                self._watches[folder] = self._start().schedule(
                    _ChangeHandler(folder, on_change), str(folder), recursive=True
                )
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                raise SourceNotFound(str(folder), f"cannot be watched ({reason}); --poll needs no watches") from error

    def unwatch(self, folder: Path) -> None:
        """Stop telling of a folder; nothing happens where it is not watched."""
        with self._lock:
            watch = self._watches.pop(folder, None)
            if watch is not None and self._observer is not None:
                self._observer.unschedule(watch)

    def close(self) -> None:
        """Stop telling of all folders."""
        with self._lock:
            observer, self._observer = self._observer, None
            self._watches.clear()
        if observer is not None:
            observer.stop()
            observer.join()

    def _start(self) -> BaseObserver:
        if self._observer is None:
            if self._poll_interval_s:
                self._observer = PollingObserver(timeout=self._poll_interval_s)
            else:
                self._observer = Observer()
            self._observer.start()
        return self._observer


class _ChangeHandler(FileSystemEventHandler):
    """Passes on the paths of events, but for those of mere reading and of folders whose entries changed."""

    def __init__(self, folder: Path, on_change: ChangeCallback) -> None:
        self._folder, self._on_change = folder, on_change

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in _READING_EVENTS or (event.is_directory and event.event_type in ("modified", "attrib")):
            return
        for raw_path in (event.src_path, event.dest_path):
            path = Path(os.fsdecode(raw_path))
            if raw_path and path != self._folder and path.is_relative_to(self._folder):
                self._on_change(path)
