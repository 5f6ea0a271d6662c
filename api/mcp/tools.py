"""Tools of the MCP server: each checks permissions, calls one service and returns a JSON shape.

The docstrings of the tools and the descriptions of their arguments are sent to models.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Concatenate, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ImageContent, TextContent
from pydantic import Field

from api.http.concurrency import ConcurrencyLimit, ConcurrencyLimits
from api.mcp.cancellation import ReportProgress, ToolContext, make_progress_reporter, run_cancellable
from api.mcp.principals import Principal, ResolvePrincipal
from api.mcp.shapes import NO_FILTER, AssetListShape, McpFilter, PictureShape
from api.mcp.summaries import SummaryProvider
from api.schemas.requests import MAX_QUERY_CHARS, Seconds
from api.schemas.results import AnswerShape, AssetShape, HitShape, SearchShape, SummaryShape
from indexer.errors import AfterimageError, InvalidInput
from indexer.media.jpeg import render
from indexer.types import AssetKind, PictureRef, SegmentFilter
from services.access.api_keys import Scope
from services.access.permissions import Permissions
from services.access.scoping import allowed_collections, count_assets_by_collection, scope_filters
from services.answering.answering import build_answer
from services.catalog.types import Asset
from services.container import Container
from services.search.types import Query

P = ParamSpec("P")
T = TypeVar("T")

QuestionArgument = Annotated[
    str, Field(max_length=MAX_QUERY_CHARS, description="What to look for, or to answer, in words.")
]
FilterArgument = Annotated[
    McpFilter, Field(description="Where to look; what is left out, or empty, does not restrict.")
]
AssetArgument = Annotated[str, Field(description="An asset: its id (or how it begins), or its name.")]


@dataclass(frozen=True, slots=True)
class McpTools:
    """The tools of one archive. `resolve_principal` determines who calls: their permissions are part of every filter;
    `summaries` provides summaries."""

    container: Container
    limits: ConcurrencyLimits
    resolve_principal: ResolvePrincipal
    summaries: SummaryProvider

    def tools_by_title(self) -> dict[str, Callable[..., Awaitable[object]]]:
        """Return every tool by its title for people."""
        return {
            "Search the archive": self.search,
            "Ask the archive": self.ask,
            "Look at a frame, page or picture": self.get_frame,
            "Summarize a video": self.summarize,
            "List what is in the archive": self.list_assets,
        }

    async def search(
        self,
        context: ToolContext,
        question: QuestionArgument,
        where: FilterArgument = NO_FILTER,
        limit: Annotated[int, Field(ge=1, le=100, description="Maximum number of results.")] = 10,
    ) -> SearchShape:
        """Find moments of videos, pages of documents and pictures. Each hit has its asset, its time in seconds or its
        page, and the text that was found there; no hits: nothing in the archive fits."""
        return await self._run(context, self.limits.searches, self._search, question, where, limit)

    async def ask(
        self,
        context: ToolContext,
        question: QuestionArgument,
        where: FilterArgument = NO_FILTER,
    ) -> AnswerShape:
        """Answer a question from what is in the archive. Each sentence has citations (asset, time in seconds or page,
        quoted words) and a verdict: whether these carry it. `abstained`: nothing in the archive answers it."""
        report = make_progress_reporter(context)
        return await self._run(context, self.limits.answers, self._answer, question, where, report)

    async def get_frame(
        self,
        context: ToolContext,
        asset: AssetArgument,
        time_s: Annotated[Seconds | None, Field(description="Of a video: the time, in seconds.")] = None,
        page: Annotated[int | None, Field(ge=1, description="Of a document: the page, from 1.")] = None,
        max_px: Annotated[int, Field(ge=64, le=4096, description="The longer side at most.")] = 1024,
    ) -> Annotated[CallToolResult, PictureShape]:
        """Look at what a citation or a hit points to: the frame that shows a video at a time, a page of a document, or
        an image."""
        return await self._run(context, self.limits.lookups, self._show_picture, asset, time_s, page, max_px)

    async def summarize(self, context: ToolContext, asset: AssetArgument) -> SummaryShape:
        """Summarize a video: all of it in a few sentences, and chapters where its content changes, each with its times
        in seconds. This takes long for a long video that was not summarized before."""
        with self._authorize(context) as permissions:
            video = await self.limits.lookups.run(self._find_asset, permissions, asset)
            return SummaryShape.of(video, await self.summaries.summarize(video, permissions, context))

    async def list_assets(
        self,
        context: ToolContext,
        collection: Annotated[str | None, Field(description="Only this collection.")] = None,
        after: Annotated[str | None, Field(description="`after` of the part before; none: from the newest on.")] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="Assets at most.")] = 50,
    ) -> AssetListShape:
        """List the videos, documents and images in the archive, the newest first, and its collections."""
        return await self._run(context, self.limits.lookups, self._list_page, collection, after, limit)

    async def _run(
        self,
        context: ToolContext,
        limit: ConcurrencyLimit,
        work: Callable[Concatenate[Permissions, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run blocking work with the permissions of the caller, under a concurrency limit."""
        with self._authorize(context) as permissions:
            return await limit.run(run_cancellable, partial(work, permissions, *args, **kwargs))

    @contextmanager
    def _authorize(self, context: ToolContext) -> Iterator[Permissions]:
        """Yield the permissions of the caller; raise what goes wrong in the block as ToolError, which models read."""
        principal: Principal = self.resolve_principal(context.request_context.request)
        try:
            principal.permissions.require(Scope.READ)
            yield principal.permissions
        except AfterimageError as error:
            raise ToolError(principal.public_message(error)) from error

    def _search(self, permissions: Permissions, question: str, filters: McpFilter, limit: int) -> SearchShape:
        moments = self.container.retrieval.search(Query(question), self._scope_filters(permissions, filters), limit)
        return SearchShape(hits=[HitShape.of(moment) for moment in moments])

    def _answer(
        self, permissions: Permissions, question: str, filters: McpFilter, report: ReportProgress
    ) -> AnswerShape:
        """Answer a question; report the number of pieces of evidence, then each sentence."""
        evidence = self.container.answering.gather_evidence(question, self._scope_filters(permissions, filters))
        report(0, None, f"{len(evidence)} pieces of evidence")
        sentences = []
        for sentence in self.container.answering.stream_sentences(question, evidence):
            sentences.append(sentence)
            report(len(sentences), None, sentence.text)
        return AnswerShape.of(build_answer(question, sentences))

    def _show_picture(
        self, permissions: Permissions, asset: str, time_s: float | None, page: int | None, max_px: int
    ) -> CallToolResult:
        ref, shape = self._find_picture(self._find_asset(permissions, asset), time_s, page)
        data = render(self.container.artifacts.read_picture(ref), max_px, webp=False)
        picture = ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type="image/jpeg")
        text = TextContent(type="text", text=shape.model_dump_json())
        return CallToolResult(content=[picture, text], structured_content=shape.model_dump(mode="json"))

    def _list_page(
        self, permissions: Permissions, collection: str | None, after: str | None, limit: int
    ) -> AssetListShape:
        catalog = self.container.catalog
        only = SegmentFilter(None if collection is None else frozenset([collection]))
        page = catalog.list_page(scope_filters(catalog, permissions, only).collections, after, limit)
        return AssetListShape(
            assets=[AssetShape.of(asset) for asset in page.items],
            after=page.next_cursor,
            collections=count_assets_by_collection(catalog, permissions),
        )

    def _find_asset(self, permissions: Permissions, name: str) -> Asset:
        return self.container.catalog.find(name, allowed_collections(permissions))

    def _scope_filters(self, permissions: Permissions, filters: McpFilter) -> SegmentFilter:
        """Return a filter of a tool as one of the services, restricted to what the caller may access."""
        ids = None
        if filters.assets is not None:
            ids = {self._find_asset(permissions, name).asset_id for name in filters.assets}
        return scope_filters(self.container.catalog, permissions, filters.to_segment_filter(ids))

    def _find_picture(self, asset: Asset, time_s: float | None, page: int | None) -> tuple[PictureRef, PictureShape]:
        """Return the stored picture that a time, a page or an image names, and its description. Errors: InvalidInput,
        those of MediaAccess."""
        shape = PictureShape(
            asset=asset.asset_id, name=asset.name, kind=asset.kind, start_s=None, end_s=None, page=None, text=""
        )
        match asset.kind:
            case AssetKind.VIDEO if time_s is not None:
                frame = self.container.media_access.key_frame_at(asset, time_s)
                span = {"start_s": round(frame.start_s, 3), "end_s": round(frame.end_s, 3), "text": frame.text}
                return frame.picture, shape.model_copy(update=span)
            case AssetKind.VIDEO:
                raise InvalidInput(f"{asset.name} is a video: name a time_s")
            case AssetKind.DOCUMENT if page is None:
                raise InvalidInput(f"{asset.name} is a document: name a page")
            case AssetKind.DOCUMENT:
                return self.container.media_access.page_image(asset, page), shape.model_copy(update={"page": page})
            case AssetKind.IMAGE:
                return self.container.media_access.page_image(asset, None), shape
