"""Receive files in pieces and resume interrupted uploads (the storage behind tus)."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from indexer.errors import AfterimageError, StorageFull
from services.database.idempotency import IdempotencyKey
from services.ingest.errors import UploadConflict, UploadNotFound

_ID_PATTERN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload of `length` bytes into a collection, by an API key (None: no key was needed).

    `job_id` is the job that indexes it once it is complete; `expires_at` is a Unix time.
    """

    id: str
    length: int
    name: str
    collection: str
    key_id: str | None
    webhook: str | None
    expires_at: float
    job_id: str | None = None


class ResumableUploads:
    """Stores each upload as two files in `folder`: `<id>.json` (metadata) and `<id>.part` (the bytes received).

    An upload expires `ttl_s` seconds after its last write. Errors: UploadNotFound, StorageFull.
    """

    def __init__(self, folder: Path, ttl_s: float) -> None:
        self._folder, self._ttl_s = folder, ttl_s

    def create(
        self,
        length: int,
        name: str,
        collection: str,
        key_id: str | None,
        webhook: str | None,
        idempotency_key: IdempotencyKey | None = None,
    ) -> Upload:
        """Create an empty upload; a repeat with the same idempotency key returns the one that was created first."""
        upload_id = secrets.token_hex(16) if idempotency_key is None else _derive_id(idempotency_key)
        with suppress(UploadNotFound):
            return self.get(upload_id)
        upload = Upload(upload_id, length, name, collection, key_id, webhook, time.time() + self._ttl_s)
        with self._translate_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._purge_expired()
            self._part_path(upload.id).touch()
            self._write_metadata(upload)
        return upload

    def get(self, upload_id: str) -> Upload:
        """Return the upload with an id. Errors: UploadNotFound."""
        try:
            if _ID_PATTERN.fullmatch(upload_id):
                upload = msgspec.json.decode((self._folder / f"{upload_id}.json").read_bytes(), type=Upload)
                if upload.expires_at > time.time():
                    return upload
        except (FileNotFoundError, msgspec.MsgspecError):
            pass
        raise UploadNotFound(f"no upload {upload_id!r}")

    def offset(self, upload: Upload) -> int:
        """Return the number of bytes received."""
        if upload.job_id is not None:
            return upload.length
        try:
            return self._part_path(upload.id).stat().st_size
        except FileNotFoundError as error:
            raise UploadNotFound(f"no upload {upload.id!r}") from error

    @contextmanager
    def append(self, upload: Upload, offset: int) -> Iterator[BinaryIO]:
        """Open the part file for writing at `offset`; it is fsynced when the context ends, even by an error.

        Errors: UploadConflict where `offset` is not the number of bytes received, or another request is writing.
        """
        with self._translate_errors(), self._open_part(upload) as part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UploadConflict(f"upload {upload.id} is being written by another request") from error
            size = part.seek(0, os.SEEK_END)
            if size != offset:
                raise UploadConflict(f"upload {upload.id} has {size} bytes; this request begins at {offset}")
            try:
                yield part
            finally:
                part.flush()
                os.fsync(part.fileno())
                if self._part_path(upload.id).exists():  # otherwise the job owns it
                    self._write_metadata(replace(upload, expires_at=time.time() + self._ttl_s))

    def path(self, upload: Upload) -> Path:
        """Return the path of the part file."""
        return self._part_path(upload.id)

    def finish(self, upload: Upload, job_id: str) -> None:
        """Record the job that owns the complete upload, and delete the part file."""
        with self._translate_errors():
            self._write_metadata(replace(upload, job_id=job_id))
            self._part_path(upload.id).unlink(missing_ok=True)

    def discard(self, upload: Upload) -> None:
        """Delete an upload with its metadata."""
        for path in (self._part_path(upload.id), self._folder / f"{upload.id}.json"):
            path.unlink(missing_ok=True)

    def _part_path(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.part"

    def _open_part(self, upload: Upload) -> BinaryIO:
        try:
            return self._part_path(upload.id).open("r+b")
        except FileNotFoundError as error:
            raise UploadNotFound(f"no upload {upload.id!r}") from error

    def _write_metadata(self, upload: Upload) -> None:
        path = self._folder / f"{upload.id}.json"
        unfinished = path.with_suffix(".writing")
        unfinished.write_bytes(msgspec.json.encode(upload))
        unfinished.replace(path)

    def _purge_expired(self) -> None:
        for path in self._folder.glob("*.json"):
            try:
                upload = msgspec.json.decode(path.read_bytes(), type=Upload)
            except (FileNotFoundError, msgspec.MsgspecError):
                continue
            if upload.expires_at < time.time():
                self.discard(upload)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, AfterimageError):  # raised by the caller within the context
                raise
            raise StorageFull(f"{self._folder}: cannot be written ({error.strerror})") from error


def _derive_id(key: IdempotencyKey) -> str:
    return hashlib.sha256("\0".join((key.owner, key.key, key.request_hash)).encode()).hexdigest()[:32]
