"""Periodic background task in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

_log = logging.getLogger(__name__)


class PeriodicTask:
    """Calls `action` every `interval_s` seconds between `start` and `close`; failures are logged, then it goes on."""

    def __init__(self, name: str, interval_s: float, action: Callable[[], object]) -> None:
        self._interval_s, self._action, self._stop_event = interval_s, action, Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; the first call comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Prevent further calls, without waiting for a running one."""
        self._stop_event.set()

    def close(self) -> None:
        """Stop, and wait for a running call to return."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop_event.wait(self._interval_s):
            try:
                self._action()
            except Exception as error:  # noqa: BLE001 (the task has to go on after any failure)
                _log.warning("%s failed: %s", self._thread.name, error, exc_info=_log.isEnabledFor(logging.DEBUG))
