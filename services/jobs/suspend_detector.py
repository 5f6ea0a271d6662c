"""`Waking`: a machine that slept has workers that are late, and not lost."""

from __future__ import annotations

import time

_MAX_CLOCK_JUMP_S = 5.0


class SuspendDetector:
    """Knows by the clocks whether this machine was asleep, or its clock was put forward: the time of day goes on
    meanwhile, the monotonic clock does not. For `rest_s` after that its workers may renew their leases."""

    def __init__(self, grace_s: float) -> None:
        self._grace_s, self._grace_until = grace_s, 0.0
        self._clock_offset_s = time.time() - time.monotonic()

    def recently_resumed(self) -> bool:
        """Whether that was less than `rest_s` ago, as far as can be told between two calls."""
        awake = time.monotonic()
        ahead = time.time() - awake
        if ahead - self._clock_offset_s > _MAX_CLOCK_JUMP_S:
            self._grace_until = awake + self._grace_s
        self._clock_offset_s = ahead
        return awake < self._grace_until
