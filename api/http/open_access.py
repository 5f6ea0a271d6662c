"""Open access: a server over an archive without keys takes local requests without one, until the first key is made."""

from __future__ import annotations

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


class OpenAccess:
    """Tells whether requests need no key. `any_active` tells whether the archive has a key; it is asked each time.

    A server that was closed stays closed, also if all keys are revoked later.
    """

    def __init__(self, is_open: bool, any_active: Callable[[], bool]) -> None:
        self._is_open, self._any_active = is_open, any_active

    def is_open(self) -> bool:
        """Return whether a local request needs no key now. Errors: those of the database."""
        if self._is_open and self._any_active():
            self._is_open = False
            _log.warning("the archive has a key now: every request needs one from here on")
        return self._is_open
