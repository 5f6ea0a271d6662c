"""How `summarize` comes by a summary: in this process, or by a job."""

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
from services.access.permissions import Permissions
from services.catalog.types import Asset
from services.container import Container
from services.jobs.types import Job, SummarizeResult
from services.summaries.types import Summary

_POLL_INTERVAL_S = 0.25


class SummaryProvider(Protocol):
    """Gives the summary of a video; the call is told of its sections. Errors: those of whoever makes it, ToolError."""

    async def summarize(self, asset: Asset, permissions: Permissions, context: ToolContext) -> Summary: ...


@dataclass(frozen=True, slots=True)
class InProcessSummaryProvider:
    """Makes it here, where nobody else does jobs."""

    container: Container
    limits: ConcurrencyLimits

    async def summarize(self, asset: Asset, permissions: Permissions, context: ToolContext) -> Summary:
        report, summarizing = make_progress_reporter(context), self.container.summarizing
        work = partial(summarizing.summarize, asset, lambda done, parts: report(done, parts, "sections"))
        return await self.limits.answers.run(partial(run_cancellable, work))


@dataclass(frozen=True, slots=True)
class JobSummaryProvider:
    """Gives what is there already, or else has a job make it, which is waited for; with its call it is cancelled."""

    container: Container
    limits: ConcurrencyLimits

    async def summarize(self, asset: Asset, permissions: Permissions, context: ToolContext) -> Summary:
        cached = await self.limits.lookups.run(partial(self.container.summarizing.cached, asset))
        if cached is not None:
            return cached
        job = await self.limits.lookups.run(partial(submit_summary, self.container, permissions, asset))
        try:
            job = await self._wait_for_end(job, context)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), suppress(AfterimageError):
                await to_thread.run_sync(self.container.jobs.cancel, job.id)
            raise
        if isinstance(job.result, SummarizeResult):
            return job.result.summary
        raise ToolError(job.error or f"the job {job.id} was {job.state}")

    async def _wait_for_end(self, job: Job, context: ToolContext) -> Job:
        reported = -1.0
        while not job.state.is_terminal:
            await anyio.sleep(_POLL_INTERVAL_S)
            job = await self.limits.lookups.run(partial(self.container.jobs.get, job.id))
            if job.progress.total is not None and job.progress.done > reported:
                reported = job.progress.done
                await context.report_progress(reported, job.progress.total, "sections")
        return job
