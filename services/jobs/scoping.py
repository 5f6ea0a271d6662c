"""Access scoping of jobs: a job outside the caller's collections is reported as not found."""

from __future__ import annotations

from services.access.permissions import Permissions
from services.jobs.errors import JobNotFound
from services.jobs.store import JobStore
from services.jobs.types import Job


def require_job(jobs: JobStore, permissions: Permissions, job_id: str) -> Job:
    """Return a job that the caller may see; one of no collection needs access to all. Errors: JobNotFound."""
    job = jobs.get(job_id)
    if permissions.collections is not None and (job.collection is None or not permissions.allows(job.collection)):
        raise JobNotFound(f"no job {job_id!r}")
    return job
