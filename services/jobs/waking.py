"""`Waking`: a machine that slept has workers that are late, and not lost."""

from __future__ import annotations

import time

_MOST_S = 5.0


class Waking:
    """Knows by the clocks whether this machine was asleep, or its clock was put forward: the time of day goes on
    meanwhile, the monotonic clock does not. For `rest_s` after that its workers may renew their leases."""

    def __init__(self, rest_s: float) -> None:
        self._rest_s, self._until = rest_s, 0.0
        self._ahead = time.time() - time.monotonic()

    def lately(self) -> bool:
        """Whether that was less than `rest_s` ago, as far as can be told between two calls."""
        awake = time.monotonic()
        ahead = time.time() - awake
        if ahead - self._ahead > _MOST_S:
            self._until = awake + self._rest_s
        self._ahead = ahead
        return awake < self._until
