"""How `summarize` comes by a summary: in this process, or by a job."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import anyio
from anyio import to_thread
from mcp.server.mcpserver.exceptions import ToolError

from api.mcp.calls import Call, reporter, until_given_up
from api.submitting import summary_job
from api.turns import Turns
from indexer.errors import AfterimageError
from services.catalog import Asset
from services.container import Container
from services.jobs.types import Job, SummarizeResult
from services.rights import Rights
from services.summarizing import Summary

_LOOK_S = 0.25


class Summaries(Protocol):
    """Gives the summary of a video; the call is told of its sections. Errors: those of whoever makes it, ToolError."""

    async def of(self, asset: Asset, rights: Rights, call: Call) -> Summary: ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """Makes it here, where nobody else does jobs."""

    container: Container
    turns: Turns

    async def of(self, asset: Asset, rights: Rights, call: Call) -> Summary:
        report, summarizing = reporter(call), self.container.summarizing
        work = partial(summarizing.summarize, asset, lambda done, parts: report(done, parts, "sections"))
        return await self.turns.answers.take(partial(until_given_up, work))


@dataclass(frozen=True, slots=True)
class ByJob:
    """Gives what is there already, or else has a job make it, which is waited for; with its call it is cancelled."""

    container: Container
    turns: Turns

    async def of(self, asset: Asset, rights: Rights, call: Call) -> Summary:
        kept = await self.turns.lookups.take(partial(self.container.summarizing.kept, asset))
        if kept is not None:
            return kept
        job = await self.turns.lookups.take(partial(summary_job, self.container, rights, asset))
        try:
            job = await self._ended(job, call)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), suppress(AfterimageError):
                await to_thread.run_sync(self.container.jobs.cancel, job.id)
            raise
        if isinstance(job.result, SummarizeResult):
            return job.result.summary
        raise ToolError(job.error or f"the job {job.id} was {job.state}")

    async def _ended(self, job: Job, call: Call) -> Job:
        told = -1.0
        while not job.state.finished:
            await anyio.sleep(_LOOK_S)
            job = await self.turns.lookups.take(partial(self.container.jobs.get, job.id))
            if job.progress.total is not None and job.progress.done > told:
                told = job.progress.done
                await call.report_progress(told, job.progress.total, "sections")
        return job
