"""Paths that changed, held back until they have stayed as they are for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from services.database.clock import Clock

FileState: TypeAlias = str | None
"""What tells two states of a file apart; None: it is not there."""


@dataclass(slots=True)
class _Pending:
    state: FileState
    since_s: float
    quiet_s: float


class SettlingPaths:
    """Paths in the order of their last change.

    A path has settled once its state (`read_state`) has been the same for `quiet_s` seconds of the clock: neither a
    file that is being copied is taken up, nor one that an editor is about to put in the place of another.
    """

    def __init__(self, quiet_s: float, read_state: Callable[[Path], FileState], clock: Clock) -> None:
        self._quiet_s, self._read_state, self._clock = quiet_s, read_state, clock
        self._pending: dict[Path, _Pending] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, path: Path) -> bool:
        return path in self._pending

    def add(self, path: Path, quiet_s: float = 0.0) -> None:
        """Hold a path back from now on, again if it is held; for longer than others where `quiet_s` says so."""
        previous = self._pending.pop(path, None)
        quiet_s = max(self._quiet_s, quiet_s, 0.0 if previous is None else previous.quiet_s)
        self._pending[path] = _Pending(self._read_state(path), self._clock(), quiet_s)

    def take_settled(self, limit: int) -> dict[Path, FileState]:
        """Remove and return up to `limit` paths that have settled, with their states, the longest unchanged first."""
        settled: dict[Path, FileState] = {}
        for path, pending in list(self._pending.items()):
            quiet_for_s = self._clock() - pending.since_s
            if len(settled) == limit or quiet_for_s < self._quiet_s:
                break
            if quiet_for_s < pending.quiet_s:
                continue
            if self._read_state(path) == pending.state:
                settled[path] = self._pending.pop(path).state
            else:
                self.add(path)
        return settled

    def holds_from(self, time_s: float) -> bool:
        """Return True if a path has not changed since a time of the clock or before, and was not taken."""
        first = next(iter(self._pending.values()), None)
        return first is not None and first.since_s <= time_s

    def clear(self) -> None:
        """Forget all paths."""
        self._pending.clear()
