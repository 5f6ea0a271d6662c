"""Discover the files below a path, and fingerprint them to see whether they changed."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from indexer.errors import SourceError, SourceNotFound, UnsupportedMedia
from indexer.media.subtitles.sidecar_names import SIDECAR_SUFFIXES, find_recording, find_sidecars, is_picture_subtitle
from services.database.text import sanitize

IsAllowedPath: TypeAlias = Callable[[Path], bool]
"""Tells whether a path may be read, after its symbolic links are resolved; it says the same of what does not exist."""
_FolderId: TypeAlias = tuple[int, int]
"""Device and inode of a folder."""
_LEADS_OUT = "leads out of the folders of AFTERIMAGE_INGEST__ALLOWED_ROOTS"
_MEDIA_SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"),
    *(".ogv", ".mxf", ".mp3", ".m4a", ".aac", ".wav", ".flac", ".ogg", ".opus", ".pdf", ".jpg", ".jpeg", ".png"),
    *(".gif", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp"),
}


@dataclass(frozen=True, slots=True)
class DiscoveredFile:
    """A file that may become an asset. `name` is its path below the folder that was named, as people see it.

    `explicit`: it was named itself or has the suffix of media; others are skipped if no decoder opens them.
    `origin_uri`: the source that this file is a copy of; None: the file is the source. `is_link`: a symbolic link leads
    to it, below the folder that was named; what it points to may be found under its own name. `is_allowed`: what the
    file and its sidecars must be whenever they are looked at; None: they may lie anywhere.
    """

    path: Path
    name: str
    explicit: bool
    origin_uri: str | None = None
    is_link: bool = False
    is_allowed: IsAllowedPath | None = field(default=None, compare=False)

    @property
    def uri(self) -> str:
        """The URI of the source; a `file:` URI unless it was fetched or uploaded."""
        return self.path.resolve().as_uri() if self.origin_uri is None else self.origin_uri

    def sidecars(self) -> tuple[Path, ...]:
        """Return the subtitle files beside the file."""
        return tuple(find_sidecars(self.path))

    def fingerprint(self) -> str:
        """Return sizes, mtimes and inodes of the file and its sidecars as a string.

        Errors: SourceNotFound, and SourceError where it is not allowed.
        """
        return "|".join(map(_file_fingerprint, self._stat_all()))

    def change_stamp(self) -> str:
        """Return the fingerprint with the times of the last change of any kind, which no program can set back.

        Errors: those of `fingerprint`.
        """
        return "|".join(f"{_file_fingerprint(status)}:{status.st_ctime_ns}" for status in self._stat_all())

    def modified_at(self) -> float:
        """Return the time of the last modification. Errors: SourceNotFound."""
        return _stat(self.path).st_mtime

    def require_allowed(self) -> None:
        """Raise SourceError where the file, or a sidecar, is a link out of what is allowed, or became one."""
        if self.is_allowed is not None and not all(
            map(self.is_allowed, (self.path, *_links_beside(self.path), *self.sidecars()))
        ):
            raise SourceError(self.name, _LEADS_OUT)

    def _stat_all(self) -> list[os.stat_result]:
        self.require_allowed()
        return [_stat(file) for file in (self.path, *self.sidecars())]


@dataclass(frozen=True, slots=True)
class SubtitleFile:
    """A subtitle file that belongs to no recording here, or a sidecar that was named itself.

    `name` is as for a DiscoveredFile, `recording` the name of the file that it is a sidecar of; empty where there is
    none. `reason` says it in words.
    """

    path: Path
    name: str
    recording: str
    reason: str


def discover(
    path: Path, is_allowed: IsAllowedPath | None = None
) -> Iterator[DiscoveredFile | SubtitleFile | SourceError]:
    """Yield the files below a path, in order of name; what cannot be read is yielded as the error that it is.

    Folders are walked recursively and symbolic links followed; a link back to a folder above it is one error. Hidden
    files are skipped, and sidecars, which come with their recording. A link out of what `is_allowed` is one error,
    whether or not there is anything where it leads: nothing behind it is looked at.
    """
    return _walk(path, [(path, (), False)], is_allowed)


def discover_within(folder: Path, path: Path) -> Iterator[DiscoveredFile | SubtitleFile | SourceError]:
    """Yield what `discover` of a folder finds at one path in it, or below that path."""
    ancestors: tuple[_FolderId, ...] = ()
    current, behind_link = folder, False
    try:
        for part in path.relative_to(folder).parts:
            if part.startswith("."):
                return
            ancestors = _enter_folder(current, folder, current.stat(), ancestors)
            current /= part
            behind_link = behind_link or current.is_symlink()
    except SourceError as error:
        yield error
        return
    except OSError as error:
        yield SourceNotFound(_display_name(current, folder), explain_os_error(error))
        return
    yield from _walk(folder, [(path, ancestors, behind_link)], None)


def is_sidecar(path: Path) -> bool:
    """Return True for a subtitle file, which belongs to media beside it."""
    return path.suffix.lower() in SIDECAR_SUFFIXES


def _walk(
    path: Path, pending: list[tuple[Path, tuple[_FolderId, ...], bool]], is_allowed: IsAllowedPath | None
) -> Iterator[DiscoveredFile | SubtitleFile | SourceError]:
    """Yield the files at pending paths (with the folders above them, and whether a link led there), or below them."""
    while pending:
        current, ancestors, behind_link = pending.pop()
        is_link = behind_link or (current != path and current.is_symlink())
        try:
            if is_allowed is not None and current.is_symlink() and not is_allowed(current):
                if current == path or not _may_be_sidecar(current):
                    yield SourceError(_display_name(current, path), _LEADS_OUT)
                continue
            status = current.stat()
            if stat.S_ISDIR(status.st_mode):
                inside = _enter_folder(current, path, status, ancestors)
                pending += [(entry, inside, is_link) for entry in _list_entries(current)]
            elif not stat.S_ISREG(status.st_mode):
                yield UnsupportedMedia(_error_name(current, path), f"is a {_describe_kind(status.st_mode)}, not a file")
            else:
                yield from _classify(current, path, is_link, is_allowed)
        except SourceError as error:
            yield error
        except OSError as error:
            yield SourceNotFound(_error_name(current, path), explain_os_error(error))


def _classify(
    file: Path, start: Path, is_link: bool, is_allowed: IsAllowedPath | None
) -> Iterator[DiscoveredFile | SubtitleFile | SourceError]:
    """Yield a file found from `start` on; nothing for a sidecar unless it was named itself."""
    suffix, name = file.suffix.lower(), _display_name(file, start)
    if suffix not in SIDECAR_SUFFIXES:
        explicit = file == start or suffix in _MEDIA_SUFFIXES
        yield DiscoveredFile(file, name, explicit, is_link=is_link, is_allowed=is_allowed)
        return
    recording = find_recording(file)
    if recording is None:
        pictures = "holds pictures of subtitles (VobSub), which are not read"
        reason = pictures if is_picture_subtitle(file) else "is a subtitle file that belongs to no recording here"
        yield UnsupportedMedia(name, reason) if file == start else SubtitleFile(file, name, "", reason)
    elif file == start:
        owner = sanitize(recording.name)
        yield SubtitleFile(file, name, owner, f"is a subtitle file, which is read when {owner} is indexed")


def _links_beside(file: Path) -> list[Path]:
    """Return the links that could be sidecars of a file by their names, also those that lead nowhere."""
    try:
        with os.scandir(file.parent) as entries:
            links = [entry.name for entry in entries if entry.is_symlink()]
    except OSError as error:
        raise SourceNotFound(sanitize(file.parent), explain_os_error(error)) from error
    stem = _comparable(file.stem)
    named_alike = [file.with_name(name) for name in links if _comparable(name).startswith(stem)]
    return [link for link in named_alike if link.suffix.lower() in SIDECAR_SUFFIXES]


def _may_be_sidecar(link: Path) -> bool:
    """Return True if a file beside a link to a subtitle file has a name that begins its name; it has the error then."""
    if not is_sidecar(link):
        return False
    name = _comparable(link.name)
    others = [Path(other).stem for other in os.listdir(link.parent) if other != link.name]  # noqa: PTH208
    return any(name.startswith(_comparable(stem)) for stem in others)


def _comparable(name: str) -> str:
    """Return a name without differences of case and Unicode form, by which sidecars may differ from their video."""
    return unicodedata.normalize("NFC", name).casefold()


def _display_name(file: Path, root: Path) -> str:
    """Return the name of a file as people see it: below the root, or its own where it is the root."""
    return sanitize(file.name if file == root else file.relative_to(root).as_posix())


def _error_name(file: Path, root: Path) -> str:
    """Return the name of a file in errors: that of its reports, or what was named, as it was written."""
    return sanitize(file) if file == root else _display_name(file, root)


def _enter_folder(
    folder: Path, root: Path, status: os.stat_result, ancestors: tuple[_FolderId, ...]
) -> tuple[_FolderId, ...]:
    """Return the ancestors of a folder's entries. Errors: SourceNotFound where the folder is its own ancestor."""
    here = (status.st_dev, status.st_ino)
    if here in ancestors:
        raise SourceNotFound(_error_name(folder, root), "is a link back to a folder above it")
    return (*ancestors, here)


def _list_entries(folder: Path) -> list[Path]:
    """Return the entries of a folder that are not hidden, last name first."""
    names = sorted((name for name in os.listdir(folder) if not name.startswith(".")), reverse=True)  # noqa: PTH208
    return [folder / name for name in names]


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise SourceNotFound(str(path), explain_os_error(error)) from error


def _file_fingerprint(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def explain_os_error(error: OSError) -> str:
    """Return the reason of an OSError in words: `may not be read (permission denied)`."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "may not be read (permission denied)"
        case _:
            return f"cannot be read ({(error.strerror or str(error)).lower()})"


def _describe_kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(mode), "special file")
