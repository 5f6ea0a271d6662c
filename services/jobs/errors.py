"""Errors of jobs, leases and queues."""

from __future__ import annotations

from indexer.errors import AfterimageError


class JobNotFound(AfterimageError, LookupError):
    """No job has this id, or none that the caller may see."""


class JobConflict(AfterimageError, RuntimeError):
    """The state of a job does not allow the requested change."""


class LeaseLost(AfterimageError, RuntimeError):
    """The worker does not hold the job: it was cancelled, has ended, or its lease expired."""


class QueueUnavailable(AfterimageError, ConnectionError):
    """The queue that delivers jobs to workers cannot be reached."""
