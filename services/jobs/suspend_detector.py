"""Detection of a suspended machine, whose workers are late but not lost (decision 0069)."""

from __future__ import annotations

import time

from services.database.clock import Clock, now

_MAX_CLOCK_DRIFT_S = 5.0
"""Chosen: above what NTP corrects between two calls; a lease outlasts a suspension shorter than this."""


class SuspendDetector:
    """Detects that this machine was suspended, or its wall clock set forward.

    The wall clock then ran ahead of the monotonic clock. For `grace_s` seconds after that, workers may renew leases
    that have expired meanwhile.
    """

    def __init__(self, grace_s: float, wall_clock: Clock = now, monotonic_clock: Clock = time.monotonic) -> None:
        self._wall_clock, self._monotonic_clock = wall_clock, monotonic_clock
        self._grace_s, self._grace_until = grace_s, 0.0
        self._clock_offset_s = wall_clock() - monotonic_clock()

    def recently_resumed(self) -> bool:
        """Return whether a suspension was detected, by this or an earlier call, less than `grace_s` ago."""
        at_s = self._monotonic_clock()
        offset_s = self._wall_clock() - at_s
        if offset_s - self._clock_offset_s > _MAX_CLOCK_DRIFT_S:
            self._grace_until = at_s + self._grace_s
        self._clock_offset_s = offset_s
        return at_s < self._grace_until
