"""What the tools do: each parses, calls one service in its turn, and gives a shape.

The first paragraph of a tool and what is said of its arguments is what a model reads before it calls it.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, ImageContent, TextContent
from pydantic import Field

from api.http.concurrency import ConcurrencyLimit, ConcurrencyLimits
from api.mcp.cancellation import ToolContext, make_progress_reporter, run_cancellable
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
    """The tools of one archive. `who` says whose rights a call has: they are part of every filter. `summaries` are
    where the summaries come from."""

    container: Container
    limits: ConcurrencyLimits
    resolve_principal: ResolvePrincipal
    summaries: SummaryProvider

    def tools_by_title(self) -> dict[str, Callable[..., Awaitable[object]]]:
        """Every tool, by its title for people."""
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
        limit: Annotated[int, Field(ge=1, le=100, description="Results at most.")] = 10,
    ) -> SearchShape:
        """Find moments of videos, pages of documents and pictures. Each hit has its asset, its time in seconds or its
        page, and the text that was found there; no hits: nothing in the archive fits."""

        def find(permissions: Permissions) -> SearchShape:
            moments = self.container.retrieval.search(Query(question), self._scope_filters(permissions, where), limit)
            return SearchShape(hits=[HitShape.of(moment) for moment in moments])

        return await self._run(context, self.limits.searches, find)

    async def ask(
        self,
        context: ToolContext,
        question: QuestionArgument,
        where: FilterArgument = NO_FILTER,
    ) -> AnswerShape:
        """Answer a question from what is in the archive. Each sentence has citations (asset, time in seconds or page,
        quoted words) and a verdict: whether these carry it. `abstained`: nothing in the archive answers it."""

        def answer(permissions: Permissions) -> AnswerShape:
            report = make_progress_reporter(context)
            evidence = self.container.answering.gather_evidence(question, self._scope_filters(permissions, where))
            report(0, None, f"{len(evidence)} pieces of evidence")
            sentences = []
            for sentence in self.container.answering.stream_sentences(question, evidence):
                sentences.append(sentence)
                report(len(sentences), None, sentence.text)
            return AnswerShape.of(build_answer(sentences))

        return await self._run(context, self.limits.answers, answer)

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

        def show(permissions: Permissions) -> CallToolResult:
            ref, shape = self._find_picture(self._find_asset(permissions, asset), time_s, page)
            data = render(self.container.artifacts.read_picture(ref), max_px, webp=False)
            picture = ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type="image/jpeg")
            text = TextContent(type="text", text=shape.model_dump_json())
            return CallToolResult(content=[picture, text], structured_content=shape.model_dump(mode="json"))

        return await self._run(context, self.limits.lookups, show)

    async def summarize(self, context: ToolContext, asset: AssetArgument) -> SummaryShape:
        """Summarize a video: all of it in a few sentences, and chapters where its content changes, each with its times
        in seconds. This takes long for a long video that was not summarized before."""

        with self._authorize(context) as permissions:
            found = await self.limits.lookups.run(partial(self._find_asset, permissions, asset))
            return SummaryShape.of(found, await self.summaries.summarize(found, permissions, context))

    async def list_assets(
        self,
        context: ToolContext,
        collection: Annotated[str | None, Field(description="Only this collection.")] = None,
        after: Annotated[str | None, Field(description="`after` of the part before; none: from the newest on.")] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="Assets at most.")] = 50,
    ) -> AssetListShape:
        """List the videos, documents and images in the archive, the newest first, and its collections."""

        def list_page(permissions: Permissions) -> AssetListShape:
            catalog = self.container.catalog
            filters = scope_filters(
                catalog, permissions, SegmentFilter(frozenset([collection]) if collection is not None else None)
            )
            page = catalog.list_page(filters.collections, after, limit)
            assets = [AssetShape.of(one) for one in page.items]
            return AssetListShape(
                assets=assets, after=page.next_cursor, collections=count_assets_by_collection(catalog, permissions)
            )

        return await self._run(context, self.limits.lookups, list_page)

    async def _run(self, context: ToolContext, limit: ConcurrencyLimit, work: Callable[[Permissions], T]) -> T:
        """The work, in its turn, with the rights of the caller."""
        with self._authorize(context) as permissions:
            return await limit.run(partial(run_cancellable, partial(work, permissions)))

    @contextmanager
    def _authorize(self, context: ToolContext) -> Iterator[Permissions]:
        """The rights of the caller; what goes wrong as the model is to read it."""
        principal: Principal = self.resolve_principal(context.request_context.request)
        try:
            principal.permissions.require(Scope.READ)
            yield principal.permissions
        except AfterimageError as error:
            raise ToolError(principal.public_message(error)) from error

    def _find_asset(self, permissions: Permissions, name: str) -> Asset:
        return self.container.catalog.find(name, allowed_collections(permissions))

    def _scope_filters(self, permissions: Permissions, filters: McpFilter) -> SegmentFilter:
        ids = (
            None
            if filters.assets is None
            else {self._find_asset(permissions, name).asset_id for name in filters.assets}
        )
        return scope_filters(self.container.catalog, permissions, filters.to_segment_filter(ids))

    def _find_picture(self, asset: Asset, time_s: float | None, page: int | None) -> tuple[PictureRef, PictureShape]:
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
