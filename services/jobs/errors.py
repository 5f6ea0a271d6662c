"""Errors of jobs, leases and queues."""

from __future__ import annotations

from indexer.errors import AfterimageError


class JobNotFound(AfterimageError, LookupError):
    """No job of that id."""


class JobConflict(AfterimageError, RuntimeError):
    """A job's state does not allow what is asked of it."""


class LeaseLost(AfterimageError, RuntimeError):
    """A job is not, or no longer, this worker's: it was cancelled, came to its end, or its lease ran out."""


class QueueUnavailable(AfterimageError, ConnectionError):
    """The queue that carries jobs to workers cannot be reached."""
