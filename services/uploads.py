"""`Uploads`: files that arrive piece by piece, and may be taken up again where they were cut off."""

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

from indexer.errors import AfterimageError, StorageFull, UploadConflict, UploadNotFound
from services.repeats import Repeatable

_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on its way: `length` bytes in all, for a collection, from a key (None: nobody's). `job_id` is the job that
    indexes it, once it is complete. `expires_at`: a Unix time."""

    id: str
    length: int
    name: str
    collection: str
    key_id: str | None
    webhook: str | None
    expires_at: float
    job_id: str | None = None


class Uploads:
    """Each is two files in `folder`: `<id>.json`, what it is, and `<id>.part`, what has come of it, whose size is how
    much. What nobody has written to for `keep_s` is cleared away.

    Errors: UploadNotFound, StorageFull.
    """

    def __init__(self, folder: Path, keep_s: float) -> None:
        self._folder, self._keep_s = folder, keep_s

    def begin(
        self,
        length: int,
        name: str,
        collection: str,
        key_id: str | None,
        webhook: str | None,
        once: Repeatable | None = None,
    ) -> Upload:
        """A new one, of which nothing has come yet; sent again as `once`, the one that was begun then."""
        upload_id = secrets.token_hex(16) if once is None else _id_of(once)
        with suppress(UploadNotFound):
            return self.get(upload_id)
        upload = Upload(upload_id, length, name, collection, key_id, webhook, time.time() + self._keep_s)
        with self._written():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._clear()
            self._part(upload.id).touch()
            self._note(upload)
        return upload

    def get(self, upload_id: str) -> Upload:
        """The upload of an id."""
        try:
            if _ID.fullmatch(upload_id):
                upload = msgspec.json.decode((self._folder / f"{upload_id}.json").read_bytes(), type=Upload)
                if upload.expires_at > time.time():
                    return upload
        except (FileNotFoundError, msgspec.MsgspecError):
            pass
        raise UploadNotFound(f"no upload {upload_id!r}")

    def offset(self, upload: Upload) -> int:
        """How many bytes of it have come."""
        if upload.job_id is not None:
            return upload.length
        try:
            return self._part(upload.id).stat().st_size
        except FileNotFoundError as error:
            raise UploadNotFound(f"no upload {upload.id!r}") from error

    @contextmanager
    def writing(self, upload: Upload, offset: int) -> Iterator[BinaryIO]:
        """The file, to be written on from `offset` on; what was written is durable when the context ends, however.

        Errors: UploadConflict where other bytes come next, or another request is writing.
        """
        with self._written(), self._opened(upload) as part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UploadConflict(f"upload {upload.id} is being written by another request") from error
            there = part.seek(0, os.SEEK_END)
            if there != offset:
                raise UploadConflict(f"{there} bytes of upload {upload.id} have come; these would go on at {offset}")
            try:
                yield part
            finally:
                part.flush()
                os.fsync(part.fileno())
                if self._part(upload.id).exists():  # else a job has it
                    self._note(replace(upload, expires_at=time.time() + self._keep_s))

    def path(self, upload: Upload) -> Path:
        """The file of what has come."""
        return self._part(upload.id)

    def finish(self, upload: Upload, job_id: str) -> None:
        """It is complete, and a job has it: its bytes may go."""
        with self._written():
            self._note(replace(upload, job_id=job_id))
            self._part(upload.id).unlink(missing_ok=True)

    def drop(self, upload: Upload) -> None:
        """Forget it."""
        for path in (self._part(upload.id), self._folder / f"{upload.id}.json"):
            path.unlink(missing_ok=True)

    def _part(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.part"

    def _opened(self, upload: Upload) -> BinaryIO:
        try:
            return self._part(upload.id).open("r+b")
        except FileNotFoundError as error:
            raise UploadNotFound(f"no upload {upload.id!r}") from error

    def _note(self, upload: Upload) -> None:
        path = self._folder / f"{upload.id}.json"
        unfinished = path.with_suffix(".writing")
        unfinished.write_bytes(msgspec.json.encode(upload))
        unfinished.replace(path)

    def _clear(self) -> None:
        for path in self._folder.glob("*.json"):
            try:
                upload = msgspec.json.decode(path.read_bytes(), type=Upload)
            except (FileNotFoundError, msgspec.MsgspecError):
                continue
            if upload.expires_at < time.time():
                self.drop(upload)

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, AfterimageError):  # of whoever writes, such as a database that went away
                raise
            raise StorageFull(f"{self._folder}: cannot be written ({error.strerror})") from error


def _id_of(once: Repeatable) -> str:
    return hashlib.sha256("\0".join((once.who, once.name, once.request)).encode()).hexdigest()[:32]
