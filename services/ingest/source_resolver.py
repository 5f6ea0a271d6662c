"""Resolve sources (uploads, allowed paths, fetched URLs) to local files; everything else is forbidden."""

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

from indexer.errors import SourceError, StorageFull
from indexer.ports import BlobStore
from services.database.text import sanitize
from services.egress.errors import SourceForbidden
from services.ingest.file_discovery import DiscoveredFile, SubtitleFile, discover

if TYPE_CHECKING:
    from services.egress.http import OutboundClient

FetchProgressCallback: TypeAlias = Callable[[str, float, float | None], None]
"""Called while a URL is fetched: its name, bytes received, bytes in total (None: unknown)."""

MEDIA_PREFIX = "media"
_UPLOAD_URI = re.compile(rf"blob:({MEDIA_PREFIX}/[0-9a-f]{{32}}/[A-Za-z0-9._-]+)")
_ROOTS_SETTING = "AFTERIMAGE_INGEST__ALLOWED_ROOTS"
_TEMPORARY_FILE_TTL_S = 24 * 3600
"""Chosen: no fetch takes a day; older folders were left by a crash."""


class SourceResolver:
    """Resolves the URIs of sources: `file:` below an allowed root, `blob:` for uploads, `https:` and `http:`.

    Uploaded and fetched media is stored in the blob store, below `media/`, as long as a source names it: it is played
    from there. `folder` holds files that are being received. Errors of all methods: SourceForbidden.
    """

    def __init__(
        self, blobs: BlobStore, outbound: OutboundClient, folder: Path, allowed_roots: Sequence[Path], max_bytes: int
    ) -> None:
        self._blobs, self._outbound, self._folder = blobs, outbound, folder
        self._allowed_roots, self._max_bytes = tuple(root.resolve() for root in allowed_roots), max_bytes

    def validate(self, uri: str) -> None:
        """Check that a client may name this source; whether it exists is seen when it is resolved.

        Uploads cannot be named (`blob:`): whoever knew another client's key could be given its media.
        """
        if uri.partition(":")[0].lower() == "file":
            self._require_allowed_path(uri)
        else:
            self._outbound.validate(uri)

    def local_path(self, uri: str) -> Path | None:
        """Return the path of a `file:` source, which stays where it is; None for every other."""
        return self._require_allowed_path(uri) if urlsplit(uri).scheme == "file" else None

    def store_upload(self, file: Path, name: str) -> str:
        """Store an uploaded file in the blob store; return its URI, which cannot be guessed. Errors: StorageFull."""
        key = f"{MEDIA_PREFIX}/{secrets.token_hex(16)}/{_to_key_name(name)}"
        self._blobs.put_file(key, file)
        return f"blob:{key}"

    def media_key(self, collection: str, uri: str) -> str | None:
        """Return the blob key of a source's media; None for `file:` sources, which stay where they are."""
        match urlsplit(uri).scheme:
            case "file":
                return None
            case "blob":
                return _parse_upload_key(uri)
        own = hashlib.sha256(f"{collection}\0{uri}".encode()).hexdigest()[:32]
        return f"{MEDIA_PREFIX}/{own}/{_to_key_name(unquote(urlsplit(uri).path))}"

    def delete_media(self, collection: str, uri: str) -> None:
        """Delete the stored media of a source that was removed."""
        if (key := self.media_key(collection, uri)) is not None:
            self._blobs.delete_prefix(key.rpartition("/")[0])

    @contextmanager
    def resolve(
        self, uri: str, name: str, collection: str, on_progress: FetchProgressCallback
    ) -> Iterator[Iterable[DiscoveredFile | SubtitleFile | SourceError]]:
        """Yield the files of a source as local paths, for as long as the context lasts.

        Fetched media is stored if the context ends without an error. Errors: RemoteUnavailable, LimitExceeded,
        SourceNotFound, StorageFull, and what `on_progress` raises.
        """
        match urlsplit(uri).scheme:
            case "file":
                found = discover(self._require_allowed_path(uri), self._is_allowed)
                yield (_refuse_if_outside(candidate) for candidate in found)
            case "blob":
                with self._blobs.local_file(_parse_upload_key(uri)) as path:
                    yield [DiscoveredFile(path, sanitize(name), explicit=True, origin_uri=uri)]
            case _:
                with self._fetch(uri, name, on_progress) as path:
                    yield [DiscoveredFile(path, sanitize(name), explicit=True, origin_uri=uri)]
                    self._blobs.put_file(str(self.media_key(collection, uri)), path)

    @contextmanager
    def _fetch(self, url: str, name: str, on_progress: FetchProgressCallback) -> Iterator[Path]:
        with self._make_temporary_folder() as folder:
            path = folder / _to_key_name(unquote(urlsplit(url).path))
            self._outbound.fetch(url, path, self._max_bytes, lambda done, total: on_progress(name, done, total))
            yield path

    def purge_expired(self) -> None:
        """Delete temporary folders that a crash left more than a day ago."""
        with suppress(FileNotFoundError):  # another process may delete them at the same time
            for old in self._folder.iterdir():
                if max(entry.stat().st_mtime for entry in (old, *old.glob("*"))) < time.time() - _TEMPORARY_FILE_TTL_S:
                    shutil.rmtree(old, ignore_errors=True)

    @contextmanager
    def _make_temporary_folder(self) -> Iterator[Path]:
        """Make a temporary folder for a file that is being received. Errors: StorageFull."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.purge_expired()
            temporary = TemporaryDirectory(dir=self._folder)
        except OSError as error:
            raise StorageFull(f"{self._folder}: cannot be written ({error.strerror})") from error
        with temporary as folder:
            yield Path(folder)

    def _require_allowed_path(self, uri: str) -> Path:
        """Return the path of a `file:` URI. Errors: SourceForbidden, the same whether or not the file exists."""
        try:
            parts = urlsplit(uri)
        except ValueError as error:
            raise SourceForbidden(f"{sanitize(uri)[:200]}: is not a valid file URI") from error
        path = Path(unquote(parts.path))
        if parts.netloc or not path.is_absolute() or not self._is_allowed(path):
            raise SourceForbidden(f"{sanitize(path)}: is not below one of the folders of {_ROOTS_SETTING}")
        return path

    def _is_allowed(self, path: Path) -> bool:
        """Return whether a path lies below an allowed root, after its symbolic links are resolved."""
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError, ValueError):  # a cycle of links, a name that is too long, a NUL
            return False
        return any(resolved.is_relative_to(root) for root in self._allowed_roots)


def _refuse_if_outside(
    file: DiscoveredFile | SubtitleFile | SourceError,
) -> DiscoveredFile | SubtitleFile | SourceError:
    """Return the file, or an error if it or a sidecar leads out of the allowed roots by a symbolic link."""
    try:
        if isinstance(file, DiscoveredFile):
            file.require_allowed()
    except SourceError as error:
        return error
    return file


def _parse_upload_key(uri: str) -> str:
    match = _UPLOAD_URI.fullmatch(uri)
    if match is None:
        raise SourceForbidden(f"{sanitize(uri)[:200]}: is not an upload")
    return match[1]


def _to_key_name(name: str) -> str:
    """Return the last part of a name, with the characters that a blob key may have."""
    last = name.rstrip("/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", last)[-100:].lstrip(".") or "file"
