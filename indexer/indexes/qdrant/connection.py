"""The connection to Qdrant: a server, or Qdrant's own local mode inside this process."""

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


class QdrantCollectionMissing(ArtifactError):
    """A collection was removed: by a reindex that has put another in its place, or by somebody else."""


class QdrantCollectionExists(ArtifactError):
    """A collection was made by another process at the same moment."""


class QdrantConnection:
    """Hands out the client. Errors: IndexUnavailable, StorageFull, CollectionGone, AlreadyThere.

    Qdrant's local mode is for one process and one thread at a time: a lock keeps threads apart.
    """

    def __init__(self, client: QdrantClient, name: str, *, is_local: bool) -> None:
        self._client, self._name = client, name
        self.is_local = is_local
        self._lock: AbstractContextManager[object] = RLock() if is_local else nullcontext()

    @classmethod
    def connect(cls, url: str, api_key: str = "", timeout_s: int = _TIMEOUT_S) -> QdrantConnection:
        """A server. Nothing is sent yet."""
        with warnings.catch_warnings():  # it warns of keys on plain http, which inside a cluster is meant
            warnings.simplefilter("ignore")
            client = QdrantClient(url=url, api_key=api_key or None, timeout=timeout_s, check_compatibility=False)
        return cls(client, url, is_local=False)

    @classmethod
    def in_folder(cls, folder: Path) -> QdrantConnection:
        """Local mode, kept in a folder. Errors: IndexBusy where another process has it, StorageFull."""
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
        """Local mode, gone with the process."""
        return cls(QdrantClient(":memory:", force_disable_check_same_thread=True), "memory", is_local=True)

    @contextmanager
    def client(self) -> Iterator[QdrantClient]:
        """The client, for one request; what it raises is ours."""
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
        """The version that answers. Errors: IndexUnavailable."""
        with self.client() as client:
            return client.info().version

    def close(self) -> None:
        """Give the connection, or the folder, back."""
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
