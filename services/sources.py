"""Which files a path stands for, and whether they changed since they were indexed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.media.subtitles import find_sidecars

from indexer.errors import SourceError, SourceNotFound, UnsupportedMedia

_SIDECAR_SUFFIXES = {".srt", ".vtt"}
_MEDIA_SUFFIXES = {
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp"),
    *(".ogv", ".mxf", ".mp3", ".m4a", ".aac", ".wav", ".flac", ".ogg", ".opus", ".pdf", ".jpg", ".jpeg", ".png"),
    *(".gif", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp"),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be an asset. `name` is what people see: its path below the folder that was named.

    `expected`: whether it was named itself or looks like media; others are passed over quietly if nothing opens them.
    """

    path: Path
    name: str
    expected: bool

    @property
    def uri(self) -> str:
        """Where the source is, as a `file:` URI."""
        return self.path.resolve().as_uri()

    def sidecars(self) -> tuple[Path, ...]:
        """Subtitle files beside it."""
        return tuple(find_sidecars(self.path))

    def state(self) -> str:
        """Changes whenever the file or a sidecar is written to: sizes, times and inodes. SourceNotFound if gone."""
        return "|".join(_state(file) for file in (self.path, *self.sidecars()))


def candidates(path: Path) -> Iterator[Candidate | SourceError]:
    """The files that `path` stands for, in order of name; what cannot be taken comes as the error it is.

    Folders are searched through, links followed (a link back to a folder above it is an error, told once). Hidden
    files and subtitle files are passed over.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield SourceNotFound(str(path), _reason(error))
        return
    if stat.S_ISDIR(mode):
        yield from _below(path, path, ())
    elif stat.S_ISREG(mode):
        yield Candidate(path, path.name, expected=True)
    else:
        yield UnsupportedMedia(str(path), f"is a {_what(mode)}, not a file")


def _below(top: Path, folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Candidate | SourceError]:
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield SourceNotFound(str(folder), _reason(error))
        return
    here = (status.st_dev, status.st_ino)
    if here in above:
        yield SourceNotFound(str(folder), "is a link back to a folder above it")
        return
    for entry in entries:
        if not entry.name.startswith("."):
            yield from _entry(top, Path(entry.path), (*above, here))


def _entry(top: Path, path: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Candidate | SourceError]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        yield SourceNotFound(str(path), _reason(error))
        return
    suffix = path.suffix.lower()
    if stat.S_ISDIR(mode):
        yield from _below(top, path, above)
    elif not stat.S_ISREG(mode):
        yield UnsupportedMedia(str(path), f"is a {_what(mode)}, not a file")
    elif suffix not in _SIDECAR_SUFFIXES:
        yield Candidate(path, path.relative_to(top).as_posix(), expected=suffix in _MEDIA_SUFFIXES)


def _state(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        raise SourceNotFound(str(path), _reason(error)) from error
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"


def _reason(error: OSError) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "may not be read (permission denied)"
        case _:
            return f"cannot be read ({(error.strerror or str(error)).lower()})"


def _what(mode: int) -> str:
    kinds = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return kinds.get(stat.S_IFMT(mode), "special file")
