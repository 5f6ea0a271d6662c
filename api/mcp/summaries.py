"""Providers of summaries for the tool `summarize`: in this process, or by a job."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio
from anyio import to_thread
from mcp.server.mcpserver.exceptions import ToolError

from api.http.concurrency import ConcurrencyLimits
from api.http.summary_jobs import submit_summary
from api.mcp.cancellation import ToolContext, make_progress_reporter, run_cancellable
from indexer.errors import AfterimageError
from services.access.api_keys import Scope
from services.access.errors import InsufficientScope
from services.access.permissions import Permissions
from services.catalog.types import Asset
from services.container import Container
from services.jobs.types import Job, SummarizeResult
from services.summaries.types import Summary

_POLL_INTERVAL_S = 0.25
"""Chosen: seconds between looks at a job; progress seems immediate, at four small queries a second."""


_NOT_YET = "this video has no summary yet; to have one made needs a key with the scope write"


class SummaryProvider(Protocol):
    """Port: a source of summaries."""

    async def summarize(self, asset: Asset, permissions: Permissions, context: ToolContext) -> Summary:
        """Return the summary of a video and report its sections as progress. Errors: AfterimageError, ToolError."""


@dataclass(frozen=True, slots=True)
class InProcessSummaryProvider:
    """Summarizes in this process, for servers without workers."""

    container: Container
    limits: ConcurrencyLimits

    async def summarize(self, asset: Asset, permissions: Permissions, context: ToolContext) -> Summary:
        """Summarize a video in a thread, under the limit of answers."""
        report, summarizing = make_progress_reporter(context), self.container.summarizing
        work = partial(summarizing.summarize, asset, lambda done, total: report(done, total, "sections"))
        return await self.limits.answers.run(run_cancellable, work)


@dataclass(frozen=True, slots=True)
class JobSummaryProvider:
    """Returns the cached summary, or submits a job and waits for it; a cancelled call cancels the job.

    A job needs the scope that `POST /v1/summaries` needs.
    """

    container: Container
    limits: ConcurrencyLimits

    async def summarize(self, asset: Asset, permissions: Permissions, context: ToolContext) -> Summary:
        """Return the cached summary of a video, or that of a job.

        Errors: InsufficientScope where there is none and the caller may not have one made, ToolError where the job has
        failed.
        """
        cached = await self.limits.lookups.run(self.container.summarizing.cached, asset)
        if cached is not None:
            return cached
        if Scope.WRITE not in permissions.scopes:
            raise InsufficientScope(_NOT_YET)
        job = await self.limits.lookups.run(submit_summary, self.container, permissions, asset)
        try:
            job = await self._wait_for_end(job, context)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), suppress(AfterimageError):
                await to_thread.run_sync(self.container.background.jobs.cancel, job.id)
            raise
        if isinstance(job.result, SummarizeResult):
            return job.result.summary
        raise ToolError(job.error or f"the job {job.id} was {job.state}")

    async def _wait_for_end(self, job: Job, context: ToolContext) -> Job:
        """Poll a job until it ends and report its progress."""
        reported = -1.0
        while not job.state.is_terminal:
            await anyio.sleep(_POLL_INTERVAL_S)
            job = await self.limits.lookups.run(self.container.background.jobs.get, job.id)
            if job.progress.total is not None and job.progress.done > reported:
                reported = job.progress.done
                await context.report_progress(reported, job.progress.total, "sections")
        return job
