"""`ObjectStoreBlobs`: the blob store of several machines, S3 or whatever fsspec speaks."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
from fsspec.utils import get_protocol

from indexer.blobs.keys import require_key
from indexer.errors import AfterimageError, ArtifactError, BlobsUnavailable, SettingsError, StorageFull

_CHUNK = 4 << 20
_PART = 8 << 20
_PARTS_AT_ONCE = 4
_DELETED_AT_ONCE = 1000
_OF_A_FOLDER = ("file", "local")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": _PARTS_AT_ONCE}}
_UPLOAD: dict[str, dict[str, Any]] = {"s3": {"chunksize": _PART, "max_concurrency": _PARTS_AT_ONCE}}


class ObjectStoreBlobs:
    """Blobs below a URL such as `s3://bucket/prefix`. See `indexer.ports.BlobStore`.

    Writes are as atomic as the store makes them: S3 shows an object when all of it has arrived. Keys and addresses of
    the store come from where its own tools have them (for S3 `AWS_…` variables, a credentials file, or the machine's
    role). What was listed or read is never remembered, since other machines write too.
    """

    def __init__(self, url: str) -> None:
        protocol = "s3" if get_protocol(url) == "s3a" else get_protocol(url)
        if protocol in _OF_A_FOLDER:
            raise SettingsError(f"{url} is a folder; AFTERIMAGE_HOME names it, AFTERIMAGE_BLOBS__URL stays empty")
        options = {"use_listings_cache": False, "skip_instance_cache": True, **_OPTIONS.get(protocol, {})}
        try:
            self._store, self._root = fsspec.url_to_fs(url.rstrip("/"), **options)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"AFTERIMAGE_BLOBS__URL: {url} cannot be used ({error})") from error
        self._upload = _UPLOAD.get(protocol, {})

    def put(self, key: str, data: bytes) -> None:
        with _translated(key, StorageFull):
            self._store.pipe_file(self._path(key), data)

    def put_file(self, key: str, path: Path) -> None:
        path.stat()
        with _translated(key, StorageFull):
            self._store.put_file(str(path), self._path(key), **self._upload)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        data = self._range(key, offset, None if length is None else offset + length)
        if length is not None and len(data) != length:
            raise ArtifactError(f"{key}: is {length - len(data)} bytes short")
        return data

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        last = self.size(key) if end is None else end
        for first in range(start, last, _CHUNK):
            yield self.get(key, first, min(_CHUNK, last - first))

    @contextmanager
    def fetched(self, key: str) -> Iterator[Path]:
        """A copy on this machine, gone after the `with`."""
        with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
            path = Path(folder) / PurePosixPath(key).name
            with _translated(key, ArtifactError):
                self._store.get_file(self._path(key), str(path))
            yield path

    def size(self, key: str) -> int:
        with _translated(key, ArtifactError):
            found = self._store.info(self._path(key))
        if found["type"] != "file":
            raise ArtifactError(f"{key}: is no blob")
        return int(found["size"])

    def names(self, prefix: str) -> Iterator[str]:
        top = self._path(prefix)
        with _translated(prefix, ArtifactError):
            found = sorted(path for path in self._store.find(top) if path.startswith(f"{top}/"))
        return (path.removeprefix(f"{self._root}/") for path in found)

    def delete(self, prefix: str) -> int:
        """Remove all below `prefix`, last names first: a manifest goes before the numbered parts that it vouches for.

        Errors: StorageFull where something is still there.
        """
        names = list(self.names(prefix))[::-1]
        with _translated(prefix, StorageFull):
            for first in range(0, len(names), _DELETED_AT_ONCE):
                self._remove(names[first : first + _DELETED_AT_ONCE])
        if names and (left := list(self.names(prefix))):
            raise StorageFull(f"{left[0]} cannot be removed from the object store")
        return len(names)

    def _range(self, key: str, start: int, end: int | None) -> bytes:
        """What there is of a range. A store that is asked beyond the end of a blob gives an error, as S3 does, or
        nothing: both are nothing."""
        if start == end:
            self.size(key)
            return b""
        try:
            with _translated(key, ArtifactError):
                return bytes(self._store.cat_file(self._path(key), start=start or None, end=end))
        except BlobsUnavailable:
            if not start or start < self.size(key):
                raise
            return b""

    def _remove(self, names: list[str]) -> None:
        """In one request, but for names that `rm` would take for patterns."""
        plain = [self._path(name) for name in names if not set(name) & set("*?[]{}")]
        if plain:
            self._store.rm(plain)
        for name in names:
            if set(name) & set("*?[]{}"):
                self._store.rm_file(self._path(name))

    def _path(self, key: str) -> str:
        return f"{self._root}/{require_key(key)}".rstrip("/")


@contextmanager
def _translated(key: str, otherwise: type[ArtifactError | StorageFull]) -> Iterator[None]:
    """What the store raises, as ours: a missing key, a full disk, and else that the store does not do its work."""
    try:
        yield
    except AfterimageError:
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise otherwise(f"{key}: is not in the object store") from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(f"{key}: no space left to write ({error.strerror})") from error
        raise BlobsUnavailable(f"{key}: the object store refuses or fails ({error})") from error
    except Exception as error:  # drivers of fsspec raise errors of their vendors
        raise BlobsUnavailable(f"{key}: the object store cannot be reached ({error})") from error
