"""Discover the files below a path, and fingerprint them to see whether they changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from indexer.errors import SourceError, SourceNotFound, UnsupportedMedia
from indexer.media.subtitles import find_sidecars
from services.database.text import sanitize

_FolderId: TypeAlias = tuple[int, int]
"""Device and inode of a folder."""
_SIDECAR_SUFFIXES = {".srt", ".vtt"}
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
    to it, below the folder that was named; what it points to may be found under its own name.
    """

    path: Path
    name: str
    explicit: bool
    origin_uri: str | None = None
    is_link: bool = False

    @property
    def uri(self) -> str:
        """The URI of the source; a `file:` URI unless it was fetched or uploaded."""
        return self.path.resolve().as_uri() if self.origin_uri is None else self.origin_uri

    def sidecars(self) -> tuple[Path, ...]:
        """Return the subtitle files beside the file."""
        return tuple(find_sidecars(self.path))

    def fingerprint(self) -> str:
        """Return sizes, mtimes and inodes of the file and its sidecars as a string. Errors: SourceNotFound."""
        return "|".join(_file_fingerprint(_stat(file)) for file in (self.path, *self.sidecars()))

    def change_stamp(self) -> str:
        """Return the fingerprint with the times of the last change of any kind, which no program can set back.

        Errors: SourceNotFound.
        """
        files = (self.path, *self.sidecars())
        return "|".join(f"{_file_fingerprint(status)}:{status.st_ctime_ns}" for status in map(_stat, files))


def discover(path: Path) -> Iterator[DiscoveredFile | SourceError]:
    """Yield the files below a path, in order of name; what cannot be read is yielded as the error that it is.

    Folders are walked recursively and symbolic links followed; a link back to a folder above it is one error. Hidden
    files and subtitle files are skipped.
    """
    return _walk(path, [(path, (), False)])


def discover_within(folder: Path, path: Path) -> Iterator[DiscoveredFile | SourceError]:
    """Yield what `discover` of a folder finds at one path in it, or below that path."""
    ancestors: tuple[_FolderId, ...] = ()
    current, behind_link = folder, False
    try:
        for part in path.relative_to(folder).parts:
            if part.startswith("."):
                return
            ancestors = _enter_folder(current, current.stat(), ancestors)
            current /= part
            behind_link = behind_link or current.is_symlink()
    except SourceError as error:
        yield error
        return
    except OSError as error:
        yield SourceNotFound(sanitize(current), _explain(error))
        return
    yield from _walk(folder, [(path, ancestors, behind_link)])


def is_sidecar(path: Path) -> bool:
    """Return True for a subtitle file, which belongs to media beside it."""
    return path.suffix.lower() in _SIDECAR_SUFFIXES


def _walk(
    path: Path, pending: list[tuple[Path, tuple[_FolderId, ...], bool]]
) -> Iterator[DiscoveredFile | SourceError]:
    """Yield the files at pending paths (with the folders above them, and whether a link led there), or below them."""
    while pending:
        current, ancestors, behind_link = pending.pop()
        is_link = behind_link or (current != path and current.is_symlink())
        try:
            status = current.stat()
            if stat.S_ISDIR(status.st_mode):
                inside = _enter_folder(current, status, ancestors)
                pending += [(entry, inside, is_link) for entry in _list_entries(current)]
            elif not stat.S_ISREG(status.st_mode):
                yield UnsupportedMedia(sanitize(current), f"is a {_describe_kind(status.st_mode)}, not a file")
            elif current == path:
                yield DiscoveredFile(current, sanitize(current.name), explicit=True)
            elif not is_sidecar(current):
                name, is_media = (
                    sanitize(current.relative_to(path).as_posix()),
                    current.suffix.lower() in _MEDIA_SUFFIXES,
                )
                yield DiscoveredFile(current, name, explicit=is_media, is_link=is_link)
        except SourceError as error:
            yield error
        except OSError as error:
            yield SourceNotFound(sanitize(current), _explain(error))


def _enter_folder(folder: Path, status: os.stat_result, ancestors: tuple[_FolderId, ...]) -> tuple[_FolderId, ...]:
    """Return the ancestors of a folder's entries. Errors: SourceNotFound where the folder is its own ancestor."""
    here = (status.st_dev, status.st_ino)
    if here in ancestors:
        raise SourceNotFound(sanitize(folder), "is a link back to a folder above it")
    return (*ancestors, here)


def _list_entries(folder: Path) -> list[Path]:
    """Return the entries of a folder that are not hidden, last name first."""
    names = sorted((name for name in os.listdir(folder) if not name.startswith(".")), reverse=True)  # noqa: PTH208
    return [folder / name for name in names]


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise SourceNotFound(str(path), _explain(error)) from error


def _file_fingerprint(status: os.stat_result) -> str:
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _explain(error: OSError) -> str:
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
