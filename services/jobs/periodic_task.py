"""Something that is done again and again, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

_log = logging.getLogger(__name__)


class PeriodicTask:
    """Calls `do` every so many seconds from `start` to `close`; what fails in it is logged, and tried again."""

    def __init__(self, name: str, interval_s: float, action: Callable[[], object]) -> None:
        self._interval_s, self._action, self._stop_event = interval_s, action, Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after the first wait."""
        self._thread.start()

    def stop(self) -> None:
        """No further call."""
        self._stop_event.set()

    def close(self) -> None:
        """`stop`, and wait for a call that is under way."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop_event.wait(self._interval_s):
            try:
                self._action()
            except Exception as error:  # noqa: BLE001 (it has to go on, whatever failed)
                _log.warning("%s: %s", self._thread.name, error, exc_info=_log.isEnabledFor(logging.DEBUG))
