"""One watched folder: whether it is there, and which of its files have changed and settled."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from indexer.errors import SourceError
from indexer.media.subtitles.sidecar_names import is_subtitle_folder
from services.database.clock import Clock
from services.ingest.file_discovery import DiscoveredFile, SubtitleFile, discover, discover_within, is_sidecar
from services.ingest.ports import FolderObserver
from services.ingest.watching.settling import FileState, SettlingPaths
from services.ingest.watching.types import WatchedFolder

_MAX_QUIET_S = 900.0
"""Chosen: a file that changes again whenever it is indexed is looked at four times an hour."""


@dataclass(frozen=True, slots=True)
class SettledChanges:
    """Paths of a folder that have settled: files that are there with their states, and paths that are gone."""

    there: dict[Path, FileState]
    gone: list[Path]


class FolderChanges:
    """Follows a folder. All methods but the observer's callback belong to one thread.

    `count_known` returns how many files of the folder are known and not found to be gone: a folder that is empty
    although there are some is taken to be a disk that is not connected.
    """

    def __init__(
        self,
        folder: WatchedFolder,
        observer: FolderObserver,
        quiet_s: float,
        rescan_interval_s: float,
        count_known: Callable[[], int],
        clock: Clock,
    ) -> None:
        self.folder = folder
        self._observer, self._count_known, self._clock = observer, count_known, clock
        self._quiet_s, self._rescan_interval_s = quiet_s, rescan_interval_s
        self._settling = SettlingPaths(quiet_s, self._read_state, clock)
        self._handled: dict[Path, FileState] = {}
        self._restless: dict[Path, int] = {}
        self._unreadable: dict[str, SourceError] = {}
        self._told_unreadable: set[str] = set()
        self._changed: set[Path] = set()
        self._changed_lock = Lock()
        self._identity: tuple[Path, int, int] | None = None
        self._absence = ""
        self._scanned_at = 0.0
        self._must_look_for_gone = False

    @property
    def root(self) -> Path:
        """The folder without symbolic links."""
        return self.folder.path.resolve() if self._identity is None else self._identity[0]

    @property
    def is_there(self) -> bool:
        """Whether the folder was there at the last `follow`."""
        return self._identity is not None

    @property
    def is_settled(self) -> bool:
        """Whether nothing has changed that has not been taken."""
        return not self._settling and not self._changed and not self._must_look_for_gone

    def follow(self) -> str:
        """Take up what has changed since the last call; begin anew where the folder went or came back.

        Return a sentence on a folder that has just gone or come back; empty where neither happened.
        """
        identity, absence = self._identify()
        notice = ""
        if identity != self._identity:
            notice = self._leave(absence) if identity is None else self._enter(identity)
        elif identity is None and absence != self._absence:
            self._absence, notice = absence, absence
        if self.is_there:
            self._take_changes()
            if self._clock() - self._scanned_at >= self._rescan_interval_s:
                self._scan()
        return notice

    def take_settled(self, limit: int) -> SettledChanges:
        """Remove and return up to `limit` paths that have settled and were not handled in this state before."""
        settled = self._settling.take_settled(limit)
        there: dict[Path, FileState] = {
            path: state
            for path, state in settled.items()
            if state is not None and (path not in self._handled or self._handled[path] != state)
        }
        gone = [path for path, state in settled.items() if state is None]
        for path in gone:
            self._handled.pop(path, None)
            self._restless.pop(path, None)
        return SettledChanges(there, gone)

    def take_unreadable(self) -> list[SourceError]:
        """Return what could not be read when files were looked for; each once."""
        errors = [error for text, error in self._unreadable.items() if text not in self._told_unreadable]
        self._told_unreadable = set(self._unreadable)
        return errors

    def take_gone_places(self, gone: Iterable[Path]) -> set[Path]:
        """Return the folders below which files may be gone.

        After a whole pass this is the folder itself, once the files of the pass were taken: a moved file is found at
        its new place first.
        """
        if self._must_look_for_gone and not self._settling.holds_from(self._scanned_at):
            self._must_look_for_gone = False
            return {self.root}
        return {self._nearest_folder(path) for path in gone}

    def finish(self, path: Path, state: FileState) -> None:
        """Remember that a path was handled in a state, and take it up again where it has changed meanwhile.

        Each time that this happens it has to be quiet for twice as long.
        """
        if self._read_state(path) == state:
            self._handled[path] = state
            self._restless.pop(path, None)
            return
        attempts = self._restless[path] = self._restless.get(path, 0) + 1
        self._settling.add(path, min(_MAX_QUIET_S, self._quiet_s * 2**attempts))

    def postpone(self, paths: Iterable[Path]) -> None:
        """Take paths up again later, in this order."""
        for path in paths:
            self._settling.add(path)

    def files_at(self, path: Path) -> list[DiscoveredFile | SubtitleFile | SourceError]:
        """Return what indexing the folder would find at a path; nothing where it has just gone."""
        return list(discover_within(self.root, path)) if path.exists() else []

    def _nearest_folder(self, path: Path) -> Path:
        """Return the lowest folder above a path that is still there, the watched folder at the highest."""
        return next((parent for parent in path.parents if parent == self.root or parent.is_dir()), self.root)

    def _identify(self) -> tuple[tuple[Path, int, int] | None, str]:
        """Return what tells this folder from another one at its path, or why it is not there."""
        path = self.folder.path
        try:
            resolved = path.resolve()
            status = resolved.stat()
            identity = (resolved, status.st_dev, status.st_ino)
            is_empty = identity != self._identity and _is_empty(resolved)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return None, f"{path} is not there ({reason.lower()}): waiting for it"
        if is_empty and (known := self._count_known()):
            what = "1 file of it is" if known == 1 else f"{known} files of it are"
            return None, f"{path} is empty, but {what} known: waiting for its disk"
        return identity, ""

    def _enter(self, identity: tuple[Path, int, int]) -> str:
        was_away = self._absence
        if self._identity is not None:
            self._leave("")
        try:
            self._observer.watch(identity[0], self._on_change)
        except SourceError as error:
            notice = "" if self._absence == str(error) else str(error)
            self._absence = str(error)
            return notice
        self._identity, self._absence = identity, ""
        self._scan()
        return f"{self.folder.path} is back" if was_away else ""

    def _leave(self, absence: str) -> str:
        if self._identity is not None:
            self._observer.unwatch(self._identity[0])
        self._identity, self._absence = None, absence
        self._settling.clear()
        with self._changed_lock:
            self._changed.clear()
        self._must_look_for_gone = False
        return absence

    def _on_change(self, path: Path) -> None:
        with self._changed_lock:
            self._changed.add(path)

    def _take_changes(self) -> None:
        with self._changed_lock:
            changed, self._changed = self._changed, set()
        for path in sorted(changed):
            if is_sidecar(path):
                for media in _media_of_sidecar(path):
                    self._settling.add(media)
            elif path.is_dir():
                self._add_files(path)
            else:
                self._settling.add(path)

    def _scan(self) -> None:
        """Take up all files of the folder, and have gone ones looked for."""
        self._unreadable = {}
        self._add_files(self.root)
        self._scanned_at = self._clock()
        self._must_look_for_gone = True

    def _add_files(self, path: Path) -> None:
        found = discover(self.root) if path == self.root else discover_within(self.root, path)
        for file in found:
            if isinstance(file, SourceError):
                self._unreadable[str(file)] = file
            elif isinstance(file, SubtitleFile):
                continue
            elif file.path not in self._settling and self._read_state(file.path) != self._handled.get(file.path):
                self._settling.add(file.path)

    def _read_state(self, path: Path) -> FileState:
        try:
            return DiscoveredFile(path, path.name, explicit=False).fingerprint() if path.exists() else None
        except (SourceError, OSError):
            return None


def _is_empty(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _media_of_sidecar(sidecar: Path) -> list[Path]:
    """Return the files that a subtitle file, which may be gone, can belong to.

    These are those beside it whose name begins its name, and all beside its folder of subtitles.
    """
    name, parent = _fold(sidecar.name), sidecar.parent
    found = [path for path in _list_files(parent) if name.startswith(_fold(path.stem))]
    if is_subtitle_folder(parent.name):
        found += _list_files(parent.parent)
    elif is_subtitle_folder(parent.parent.name):
        found += _list_files(parent.parent.parent)
    return [path for path in found if not is_sidecar(path)]


def _list_files(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if entry.is_file()]
    except OSError:
        return []


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
