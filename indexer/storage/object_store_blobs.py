"""Blob store in an object store shared by several machines: S3, or another file system of fsspec."""

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

_CHUNK_BYTES = 4 << 20  # Form: bytes of a ranged read
_PART_BYTES = 8 << 20
"""Chosen: size of a part of a multipart upload; with S3's 10,000 parts files may have 78 GiB, larger parts take more
memory."""

_MAX_CONCURRENT_PARTS = 4
"""Chosen: parts in transfer at once, 32 MiB of memory; more are faster over distant networks."""

_MAX_KEYS_PER_DELETE = 1000
"""Source: the limit of S3's DeleteObjects."""
_LOCAL_PROTOCOLS = ("file", "local")
_DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FILESYSTEM_OPTIONS: dict[str, dict[str, Any]] = {"s3": {"max_concurrency": _MAX_CONCURRENT_PARTS}}
_UPLOAD_OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"chunksize": _PART_BYTES, "max_concurrency": _MAX_CONCURRENT_PARTS}
}


class ObjectStoreBlobs:
    """`BlobStore` below a URL such as `s3://bucket/prefix`.

    Writes are as atomic as the store makes them: S3 shows an object once it is complete. Credentials and endpoints come
    from the store's own configuration (for S3 `AWS_…` variables, a credentials file, or the machine's role). Listings
    and contents are never cached, since other machines write too. Errors beside those of each method:
    BlobStoreUnavailable.
    """

    def __init__(self, url: str) -> None:
        protocol = "s3" if get_protocol(url) == "s3a" else get_protocol(url)
        if protocol in _LOCAL_PROTOCOLS:
            raise SettingsError(f"{url} is a folder: name it by AFTERIMAGE_HOME, and leave AFTERIMAGE_BLOBS__URL empty")
        options = {"use_listings_cache": False, "skip_instance_cache": True, **_FILESYSTEM_OPTIONS.get(protocol, {})}
        try:
            self._filesystem, self._root = fsspec.url_to_fs(url.rstrip("/"), **options)
        except (ImportError, ValueError) as error:
            raise SettingsError(f"AFTERIMAGE_BLOBS__URL: {url} cannot be used ({error})") from error
        self._upload_options = _UPLOAD_OPTIONS.get(protocol, {})

    def put(self, key: str, data: bytes) -> None:
        """Write a blob. Errors: StorageFull."""
        with _translate_errors(key, StorageFull):
            self._filesystem.pipe_file(self._path(key), data)

    def put_file(self, key: str, path: Path) -> None:
        """Copy a local file to a blob, in parts where it is large. Errors: StorageFull."""
        path.stat()
        with _translate_errors(key, StorageFull):
            self._filesystem.put_file(str(path), self._path(key), **self._upload_options)

    def get(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Read `length` bytes from `offset` on, all that follow if None. Errors: ArtifactError."""
        data = self._read_range(key, offset, None if length is None else offset + length)
        if length is not None and len(data) != length:
            raise ArtifactError(f"{key}: is {length - len(data)} bytes short")
        return data

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes `[start, end)` in chunks, to the last byte if `end` is None. Errors: ArtifactError."""
        last = self.size(key) if end is None else end
        for first in range(start, last, _CHUNK_BYTES):
            yield self.get(key, first, min(_CHUNK_BYTES, last - first))

    @contextmanager
    def local_file(self, key: str) -> Iterator[Path]:
        """Yield the path of a temporary local copy, deleted after the `with`. Errors: ArtifactError."""
        with tempfile.TemporaryDirectory(prefix="afterimage-") as folder:
            path = Path(folder) / PurePosixPath(key).name
            with _translate_errors(key, ArtifactError):
                self._filesystem.get_file(self._path(key), str(path))
            yield path

    def size(self, key: str) -> int:
        """Return the size in bytes. Errors: ArtifactError."""
        with _translate_errors(key, ArtifactError):
            info = self._filesystem.info(self._path(key))
        if info["type"] != "file":
            raise ArtifactError(f"{key}: is no blob")
        return int(info["size"])

    def list_keys(self, prefix: str) -> Iterator[str]:
        """Yield the keys below a prefix, sorted."""
        top = self._path(prefix)
        with _translate_errors(prefix, ArtifactError):
            paths = sorted(path for path in self._filesystem.find(top) if path.startswith(f"{top}/"))
        return (path.removeprefix(f"{self._root}/") for path in paths)

    def delete_prefix(self, prefix: str) -> int:
        """Delete all blobs below a prefix and return their number.

        Keys are deleted in reverse order, so that a manifest goes before the checkpoints that it lists. Errors:
        StorageFull where a blob is still there afterwards.
        """
        names = list(self.list_keys(prefix))[::-1]
        with _translate_errors(prefix, StorageFull):
            for first in range(0, len(names), _MAX_KEYS_PER_DELETE):
                self._remove(names[first : first + _MAX_KEYS_PER_DELETE])
        if names and (remaining := list(self.list_keys(prefix))):
            raise StorageFull(f"{remaining[0]} cannot be removed from the object store")
        return len(names)

    def _read_range(self, key: str, start: int, end: int | None) -> bytes:
        """Read the existing bytes of a range: none beyond the end of the blob, where S3 raises."""
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
        """Delete keys in one request, except those that fsspec would take for glob patterns."""
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
    """Translate exceptions of the store: `missing_error` for a missing key, StorageFull, else BlobStoreUnavailable."""
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
