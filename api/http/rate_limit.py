"""Rate limiting per API key by token buckets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from indexer.errors import AfterimageError

_MAX_BUCKETS = 10_000
"""Chosen: bounds memory to about a megabyte; above it, the buckets that are full again are deleted."""
_MINUTE_S = 60
"""Form: seconds of a minute, the unit of `requests_per_minute`."""


class TooManyRequests(AfterimageError, RuntimeError):
    """A key has used up its rate limit; its next request is possible after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"this key may ask again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated_at: float


class RateLimiter:
    """Token buckets of this process: a bucket holds the requests of one minute and refills steadily.

    `clock` returns seconds. Each process of a server counts for itself.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, Lock()
        self._buckets: dict[str, _Bucket] = {}

    def acquire(self, key_id: str, requests_per_minute: int) -> None:
        """Take a token for one request of a key. Errors: TooManyRequests."""
        with self._lock:
            now = self._clock()
            if len(self._buckets) >= _MAX_BUCKETS:
                self._buckets = {
                    key: bucket for key, bucket in self._buckets.items() if now - bucket.updated_at < _MINUTE_S
                }
            bucket = self._buckets.setdefault(key_id, _Bucket(float(requests_per_minute), now))
            refill = (now - bucket.updated_at) * requests_per_minute / _MINUTE_S
            bucket.tokens = min(float(requests_per_minute), bucket.tokens + refill)
            bucket.updated_at = now
            if bucket.tokens < 1:
                raise TooManyRequests((1 - bucket.tokens) * _MINUTE_S / requests_per_minute)
            bucket.tokens -= 1
