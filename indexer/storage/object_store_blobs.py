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

from indexer.errors import AfterimageError, ArtifactError, BlobStoreUnavailable, SettingsError, StorageFull
from indexer.storage.blob_keys import validate_key

_CHUNK_BYTES = 4 << 20
_PART_BYTES = 8 << 20
_MAX_CONCURRENT_PARTS = 4
_MAX_KEYS_PER_DELETE = 1000
_LOCAL_PROTOCOLS = ("file", "local")
_DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FILESYSTEM_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": _MAX_CONCURRENT_PARTS}}
_UPLOAD_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"chunksize": _PART_BYTES, "max_concurrency": _MAX_CONCURRENT_PARTS}
}


class ObjectStoreBlobs:
    """Blobs below a URL such as `s3://bucket/prefix`. See `indexer.ports.BlobStore`.

    Writes are as atomic as the store makes them: S3 shows an object when all of it has arrived. Keys and addresses of
    the store come from where its own tools have them (for S3 `AWS_…` variables, a credentials file, or the machine's
    role). What was listed or read is never remembered, since other machines write too.
    """

    def __init__(self, url: str) -> None:
        protocol = "s3" if get_protocol(url) == "s3a" else get_protocol(url)
        if protocol in _LOCAL_PROTOCOLS:
            raise SettingsError(f"{url} is a folder; AFTERIMAGE_HOME names it, AFTERIMAGE_BLOBS__URL stays empty")
        options = {"use_listings_cache": False, "skip_instance_cache": True, **_FILESYSTEM_OPTIONS.get(protocol, {})}
        try:
            self._filesystem, self._root = fsspec.url_to_fs(url.rstrip("/"), **options)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"AFTERIMAGE_BLOBS__URL: {url} cannot be used ({error})") from error
        self._upload_options = _UPLOAD_OPTIONS.get(protocol, {})

    def put(self, key: str, data: bytes) -> None:
        with _translate_errors(key, StorageFull):
            self._filesystem.pipe_file(self._path(key), data)

    def put_file(self, key: str, path: Path) -> None:
        path.stat()
        with _translate_errors(key, StorageFull):
            self._filesystem.put_file(str(path), self._path(key), **self._upload_options)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        data = self._read_range(key, offset, None if length is None else offset + length)
        if length is not None and len(data) != length:
            raise ArtifactError(f"{key}: is {length - len(data)} bytes short")
        return data

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        last = self.size(key) if end is None else end
        for first in range(start, last, _CHUNK_BYTES):
            yield self.get(key, first, min(_CHUNK_BYTES, last - first))

    @contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """A copy on this machine, gone after the `with`."""
        with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
            path = Path(folder) / PurePosixPath(key).name
            with _translate_errors(key, ArtifactError):
                self._filesystem.get_file(self._path(key), str(path))
            yield path

    def size(self, key: str) -> int:
        with _translate_errors(key, ArtifactError):
            found = self._filesystem.info(self._path(key))
        if found["type"] != "file":
            raise ArtifactError(f"{key}: is no blob")
        return int(found["size"])

    def list_keys(self, prefix: str) -> Iterator[str]:
        top = self._path(prefix)
        with _translate_errors(prefix, ArtifactError):
            found = sorted(path for path in self._filesystem.find(top) if path.startswith(f"{top}/"))
        return (path.removeprefix(f"{self._root}/") for path in found)

    def delete_prefix(self, prefix: str) -> int:
        """Remove all below `prefix`, last names first: a manifest goes before the numbered parts that it vouches for.

        Errors: StorageFull where something is still there.
        """
        names = list(self.list_keys(prefix))[::-1]
        with _translate_errors(prefix, StorageFull):
            for first in range(0, len(names), _MAX_KEYS_PER_DELETE):
                self._remove(names[first : first + _MAX_KEYS_PER_DELETE])
        if names and (left := list(self.list_keys(prefix))):
            raise StorageFull(f"{left[0]} cannot be removed from the object store")
        return len(names)

    def _read_range(self, key: str, start: int, end: int | None) -> bytes:
        """What there is of a range. A store that is asked beyond the end of a blob gives an error, as S3 does, or
        nothing: both are nothing."""
        if start == end:
            self.size(key)
            return b""
        try:
            with _translate_errors(key, ArtifactError):
                return bytes(self._filesystem.cat_file(self._path(key), start=start or None, end=end))
        except BlobStoreUnavailable:
            if not start or start < self.size(key):
                raise
            return b""

    def _remove(self, names: list[str]) -> None:
        """In one request, but for names that `rm` would take for patterns."""
        plain = [self._path(name) for name in names if not set(name) & set("*?[]{}")]
        if plain:
            self._filesystem.rm(plain)
        for name in names:
            if set(name) & set("*?[]{}"):
                self._filesystem.rm_file(self._path(name))

    def _path(self, key: str) -> str:
        return f"{self._root}/{validate_key(key)}".rstrip("/")


@contextmanager
def _translate_errors(key: str, missing_error: type[ArtifactError | StorageFull]) -> Iterator[None]:
    """What the store raises, as ours: a missing key, a full disk, and else that the store does not do its work."""
    try:
        yield
    except AfterimageError:
        raise
    except (FileNotFoundError, IsADirectoryError) as error:
        raise missing_error(f"{key}: is not in the object store") from error
    except OSError as error:
        if error.errno in _DISK_FULL_ERRNOS:
            raise StorageFull(f"{key}: no space left to write ({error.strerror})") from error
        raise BlobStoreUnavailable(f"{key}: the object store refuses or fails ({error})") from error
    except Exception as error:  # drivers of fsspec raise errors of their vendors
        raise BlobStoreUnavailable(f"{key}: the object store cannot be reached ({error})") from error
