"""Connection to Qdrant, a server or its local mode in this process, with translation of its errors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import RLock

from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from indexer.errors import AfterimageError, ArtifactError, IndexUnavailable, StorageFull, WriteLockTimeout

_TIMEOUT_S = 60
"""Chosen: of a request; a shorter one fails large requests on a busy server, a longer one notices a dead one later."""


class QdrantCollectionMissing(ArtifactError):
    """Collection that does not exist any more, mostly because a reindex has replaced it."""


class QdrantCollectionExists(ArtifactError):
    """Collection or named vector that another process has just created."""


class QdrantConnection:
    """Qdrant client that raises our errors, thread-safe also in local mode, where a lock serialises requests.

    Errors: IndexUnavailable, StorageFull, QdrantCollectionMissing, QdrantCollectionExists.
    """

    def __init__(self, client: QdrantClient, name: str, *, is_local: bool) -> None:
        self._client, self._name = client, name
        self.is_local = is_local
        self._lock: AbstractContextManager[object] = RLock() if is_local else nullcontext()

    @classmethod
    def connect(cls, url: str, api_key: str = "", timeout_s: int = _TIMEOUT_S) -> QdrantConnection:
        """Connect to a server; nothing is sent yet."""
        with warnings.catch_warnings():  # it warns of keys over plain http, which is intended inside a cluster
            warnings.simplefilter("ignore")
            client = QdrantClient(url=url, api_key=api_key or None, timeout=timeout_s, check_compatibility=False)
        return cls(client, url, is_local=False)

    @classmethod
    def in_folder(cls, folder: Path) -> QdrantConnection:
        """Open local mode in a folder. Errors: WriteLockTimeout where another process uses it, StorageFull."""
        try:
            client = QdrantClient(path=str(folder), force_disable_check_same_thread=True)
        except RuntimeError as error:
            raise WriteLockTimeout(
                f"{folder} is in use; Qdrant without a server is for one process at a time"
            ) from error
        except OSError as error:
            raise StorageFull(f"{folder} cannot be written ({error.strerror})") from error
        return cls(client, str(folder), is_local=True)

    @classmethod
    def in_memory(cls) -> QdrantConnection:
        """Open local mode in memory; its data ends with the process."""
        return cls(QdrantClient(":memory:", force_disable_check_same_thread=True), "memory", is_local=True)

    @contextmanager
    def client(self) -> Iterator[QdrantClient]:
        """Lend the client for one request, and translate its exceptions."""
        with self._lock:
            try:
                yield self._client
            except UnexpectedResponse as error:
                raise self._to_error(error.status_code or 0, _error_message(error)) from error
            except ResourceExhaustedResponse as error:
                raise IndexUnavailable(f"Qdrant at {self._name} has too much to do ({error})") from error
            except ResponseHandlingException as error:
                raise IndexUnavailable(f"Qdrant at {self._name} cannot be reached ({error.source})") from error
            except ValueError as error:
                if not self.is_local:
                    raise
                raise self._to_error(404 if "not found" in str(error) else 409, str(error)) from error

    def version(self) -> str:
        """Return the version of the server. Errors: IndexUnavailable."""
        with self.client() as client:
            return client.info().version

    def close(self) -> None:
        """Close the connection, or release the folder."""
        self._client.close()

    def _to_error(self, status: int, message: str) -> AfterimageError:
        if status == 404:
            return QdrantCollectionMissing(f"Qdrant at {self._name}: {message}; afterimage reindex rebuilds it")
        if status == 409 or "already exists" in message:
            return QdrantCollectionExists(f"Qdrant at {self._name}: {message}")
        if status in (401, 403):
            return IndexUnavailable(f"Qdrant at {self._name} refuses the key ({message})")
        if status == 507 or "no space left" in message.lower():
            return StorageFull(f"Qdrant at {self._name}: {message}")
        return IndexUnavailable(f"Qdrant at {self._name} fails ({status}: {message})")


def _error_message(error: UnexpectedResponse) -> str:
    try:
        return str(error.structured()["status"]["error"])
    except (ValueError, KeyError, TypeError):
        return error.content[:200].decode("utf-8", "replace").strip() or error.reason_phrase
