"""Ports of ingestion: write locks on assets and on the whole archive."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class WriteLock(Protocol):
    """The right to write, held. `check` raises DatabaseUnavailable where it was lost on the way."""

    def raise_if_lost(self) -> None: ...


class Locks(Protocol):
    """`writing` gives the right to change one asset (None: everything there is), once nobody else has it.

    It waits for up to `patience_s` seconds. Who dies gives back what it held. Who holds one does not ask for a second.
    Errors: IndexBusy where the wait was in vain, StorageFull, DatabaseUnavailable.
    """

    def write_lock(self, asset_id: str | None, timeout_s: float = 0.0) -> AbstractContextManager[WriteLock]: ...
