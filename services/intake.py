"""`Intake`: what someone sent, named or points to becomes files to index; nothing else of this machine does."""

from __future__ import annotations

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

from indexer.errors import NotAllowed, SourceError, StorageFull
from indexer.ports import BlobStore
from services.sources import Candidate, candidates, printable

if TYPE_CHECKING:
    from services.outbound.http import Outbound

Report: TypeAlias = Callable[[str, float, float | None], None]
"""Called while a URL is fetched: its name, the bytes that have come, and how many there are (None: not known)."""

_MEDIA = "media"
_UPLOAD = re.compile(rf"blob:({_MEDIA}/[0-9a-f]{{32}}/[A-Za-z0-9._-]+)")
_ROOTS = "AFTERIMAGE_INTAKE__ROOTS"
_LEFT_BEHIND_S = 24 * 3600


class Intake:
    """Sources by their URIs: `file:` below one of `roots`, `blob:` for an upload, `https:` and `http:` by `outbound`.

    What was uploaded or fetched is kept in the blob store, below `media/`, as long as a source names it, since that is
    where it can be played from. `folder` is for files on their way there. Errors of all methods: NotAllowed.
    """

    def __init__(
        self, blobs: BlobStore, outbound: Outbound, folder: Path, roots: Sequence[Path], most_bytes: int
    ) -> None:
        self._blobs, self._outbound, self._folder = blobs, outbound, folder
        self._roots, self._most_bytes = tuple(root.resolve() for root in roots), most_bytes

    def check(self, uri: str) -> None:
        """Whether a source that someone names by its URI may be taken in at all; whether there is something, its job
        will see. What is in the blob store has no name here: whoever knew it could be given another one's media.
        """
        if uri.partition(":")[0].lower() == "file":
            self._path(uri)
        else:
            self._outbound.check(uri)

    def keep(self, file: Path, name: str) -> str:
        """Put an uploaded file into the blob store; gives its URI, which nobody can guess. Errors: StorageFull."""
        key = f"{_MEDIA}/{secrets.token_hex(16)}/{_safe(name)}"
        self._blobs.put_file(key, file)
        return f"blob:{key}"

    def kept_at(self, collection: str, uri: str) -> str | None:
        """The key under which a source's media is in the blob store; None for files, which stay where they are."""
        match urlsplit(uri).scheme:
            case "file":
                return None
            case "blob":
                return _upload_key(uri)
        own = hashlib.sha256(f"{collection}\0{uri}".encode()).hexdigest()[:32]
        return f"{_MEDIA}/{own}/{_safe(unquote(urlsplit(uri).path))}"

    def drop(self, collection: str, uri: str) -> None:
        """Remove what is kept of a source that is no more."""
        if (key := self.kept_at(collection, uri)) is not None:
            self._blobs.delete(key.rpartition("/")[0])

    @contextmanager
    def found(
        self, uri: str, name: str, collection: str, report: Report
    ) -> Iterator[Iterable[Candidate | SourceError]]:
        """The files that a source stands for, while the context lasts. What was fetched is kept where it ends well.

        Errors: AddressUnavailable, LimitExceeded, SourceNotFound, StorageFull, and what `report` raises.
        """
        match urlsplit(uri).scheme:
            case "file":
                yield (self._inside(candidate) for candidate in candidates(self._path(uri)))
            case "blob":
                with self._blobs.fetched(_upload_key(uri)) as path:
                    yield [Candidate(path, printable(name), expected=True, origin=uri)]
            case _:
                with self._fetched(uri, name, report) as path:
                    yield [Candidate(path, printable(name), expected=True, origin=uri)]
                    self._blobs.put_file(str(self.kept_at(collection, uri)), path)

    @contextmanager
    def _fetched(self, url: str, name: str, report: Report) -> Iterator[Path]:
        with self._room() as folder:
            path = folder / _safe(unquote(urlsplit(url).path))
            self._outbound.fetch(url, path, self._most_bytes, lambda done, total: report(name, done, total))
            yield path

    def clear(self) -> None:
        """Remove what crashes left of files on their way more than a day ago."""
        with suppress(FileNotFoundError):  # of what somebody else clears away
            for old in self._folder.iterdir():
                if max(entry.stat().st_mtime for entry in (old, *old.glob("*"))) < time.time() - _LEFT_BEHIND_S:
                    shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _room(self) -> Iterator[Path]:
        """A folder for a file on its way."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.clear()
            room = TemporaryDirectory(dir=self._folder)
        except OSError as error:
            raise StorageFull(f"{self._folder}: cannot be written ({error.strerror})") from error
        with room as folder:
            yield Path(folder)

    def _path(self, uri: str) -> Path:
        """The path of a `file:` URI. Errors: NotAllowed, the same whether or not there is something."""
        try:
            parts = urlsplit(uri)
        except ValueError as error:
            raise NotAllowed(f"{printable(uri)[:200]}: is no address of a file") from error
        path = Path(unquote(parts.path))
        if parts.netloc or not path.is_absolute() or not self._open(path):
            raise NotAllowed(f"{printable(path)}: is not below one of the folders of {_ROOTS}")
        return path

    def _inside(self, candidate: Candidate | SourceError) -> Candidate | SourceError:
        """What was found, unless a link leads out."""
        if isinstance(candidate, Candidate) and not all(map(self._open, (candidate.path, *candidate.sidecars()))):
            return SourceError(candidate.name, f"leads out of the folders of {_ROOTS}")
        return candidate

    def _open(self, path: Path) -> bool:
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError, ValueError):  # a circle of links, a name too long, a NUL
            return False
        return any(resolved.is_relative_to(root) for root in self._roots)


def _upload_key(uri: str) -> str:
    found = _UPLOAD.fullmatch(uri)
    if found is None:
        raise NotAllowed(f"{printable(uri)[:200]}: is no upload")
    return found[1]


def _safe(name: str) -> str:
    """The last part of a name, as a key may have it."""
    last = name.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", last)[-100:].lstrip(".") or "file"
