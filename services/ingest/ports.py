"""Ports of ingestion: write locks on assets and on the whole archive."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class WriteLock(Protocol):
    """A write lock that is held."""

    def raise_if_lost(self) -> None:
        """Raise DatabaseUnavailable if the lock was lost, so that nothing more is written."""
        ...


class Locks(Protocol):
    """Write locks: one writer of an asset at a time. The lock of a process that dies is released."""

    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> AbstractContextManager[WriteLock]:
        """Acquire the lock of an asset (None: of the whole archive), waiting for up to `timeout_s` seconds.

        Not reentrant. Errors: WriteLockTimeout, StorageFull, DatabaseUnavailable.
        """
        ...
