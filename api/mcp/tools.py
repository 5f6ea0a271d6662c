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

from api.bodies import LONGEST_QUERY, Seconds
from api.mcp.callers import Caller, Who
from api.mcp.calls import Call, reporter, until_given_up
from api.mcp.shapes import EVERYWHERE, ListedShape, PictureShape, Where
from api.mcp.summaries import Summaries
from api.schemas import AnswerShape, AssetShape, HitShape, SearchShape, SummaryShape
from api.turns import Turn, Turns
from api.visible import collections_of, seen, within
from indexer.errors import AfterimageError, QueryError
from indexer.media.jpeg import as_shown
from indexer.types import AssetKind, PictureRef, SegmentFilter
from services.answering import answer_of
from services.catalog import Asset
from services.container import Container
from services.keys import Scope
from services.rights import Rights
from services.types import Query

T = TypeVar("T")

Question = Annotated[str, Field(max_length=LONGEST_QUERY, description="What to look for, or to answer, in words.")]
Looked = Annotated[Where, Field(description="Where to look; what is left out, or empty, does not restrict.")]
Named = Annotated[str, Field(description="An asset: its id (or how it begins), or its name.")]


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one archive. `who` says whose rights a call has: they are part of every filter. `summaries` are
    where the summaries come from."""

    container: Container
    turns: Turns
    who: Who
    summaries: Summaries

    def titled(self) -> dict[str, Callable[..., Awaitable[object]]]:
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
        context: Call,
        question: Question,
        where: Looked = EVERYWHERE,
        limit: Annotated[int, Field(ge=1, le=100, description="Results at most.")] = 10,
    ) -> SearchShape:
        """Find moments of videos, pages of documents and pictures. Each hit has its asset, its time in seconds or its
        page, and the text that was found there; no hits: nothing in the archive fits."""

        def find(rights: Rights) -> SearchShape:
            moments = self.container.retrieval.search(Query(question), self._within(rights, where), limit)
            return SearchShape(hits=[HitShape.of(moment) for moment in moments])

        return await self._done(context, self.turns.searches, find)

    async def ask(
        self,
        context: Call,
        question: Question,
        where: Looked = EVERYWHERE,
    ) -> AnswerShape:
        """Answer a question from what is in the archive. Each sentence has citations (asset, time in seconds or page,
        quoted words) and a verdict: whether these carry it. `abstained`: nothing in the archive answers it."""

        def answer(rights: Rights) -> AnswerShape:
            report = reporter(context)
            evidence = self.container.answering.evidence(question, self._within(rights, where))
            report(0, None, f"{len(evidence)} pieces of evidence")
            said = []
            for sentence in self.container.answering.sentences(question, evidence):
                said.append(sentence)
                report(len(said), None, sentence.text)
            return AnswerShape.of(answer_of(said))

        return await self._done(context, self.turns.answers, answer)

    async def get_frame(
        self,
        context: Call,
        asset: Named,
        time_s: Annotated[Seconds | None, Field(description="Of a video: the time, in seconds.")] = None,
        page: Annotated[int | None, Field(ge=1, description="Of a document: the page, from 1.")] = None,
        max_px: Annotated[int, Field(ge=64, le=4096, description="The longer side at most.")] = 1024,
    ) -> Annotated[CallToolResult, PictureShape]:
        """Look at what a citation or a hit points to: the frame that shows a video at a time, a page of a document, or
        an image."""

        def show(rights: Rights) -> CallToolResult:
            ref, shape = self._picture(self._asset(rights, asset), time_s, page)
            data = as_shown(self.container.artifacts.picture(ref), max_px, webp=False)
            picture = ImageContent(type="image", data=base64.b64encode(data).decode(), mime_type="image/jpeg")
            told = TextContent(type="text", text=shape.model_dump_json())
            return CallToolResult(content=[picture, told], structured_content=shape.model_dump(mode="json"))

        return await self._done(context, self.turns.lookups, show)

    async def summarize(self, context: Call, asset: Named) -> SummaryShape:
        """Summarize a video: all of it in a few sentences, and chapters where its content changes, each with its times
        in seconds. This takes long for a long video that was not summarized before."""

        with self._caller(context) as rights:
            found = await self.turns.lookups.take(partial(self._asset, rights, asset))
            return SummaryShape.of(found, await self.summaries.of(found, rights, context))

    async def list_assets(
        self,
        context: Call,
        collection: Annotated[str | None, Field(description="Only this collection.")] = None,
        after: Annotated[str | None, Field(description="`after` of the part before; none: from the newest on.")] = None,
        limit: Annotated[int, Field(ge=1, le=500, description="Assets at most.")] = 50,
    ) -> ListedShape:
        """List the videos, documents and images in the archive, the newest first, and its collections."""

        def listed(rights: Rights) -> ListedShape:
            catalog = self.container.catalog
            only = within(catalog, rights, SegmentFilter(frozenset([collection]) if collection is not None else None))
            page = catalog.page(only.collections, after, limit)
            assets = [AssetShape.of(one) for one in page.items]
            return ListedShape(assets=assets, after=page.after, collections=collections_of(catalog, rights))

        return await self._done(context, self.turns.lookups, listed)

    async def _done(self, context: Call, turn: Turn, work: Callable[[Rights], T]) -> T:
        """The work, in its turn, with the rights of the caller."""
        with self._caller(context) as rights:
            return await turn.take(partial(until_given_up, partial(work, rights)))

    @contextmanager
    def _caller(self, context: Call) -> Iterator[Rights]:
        """The rights of the caller; what goes wrong as the model is to read it."""
        caller: Caller = self.who(context.request_context.request)
        try:
            caller.rights.needs(Scope.READ)
            yield caller.rights
        except AfterimageError as error:
            raise ToolError(caller.words(error)) from error

    def _asset(self, rights: Rights, name: str) -> Asset:
        return self.container.catalog.find(name, seen(rights))

    def _within(self, rights: Rights, where: Where) -> SegmentFilter:
        ids = None if where.assets is None else {self._asset(rights, name).asset_id for name in where.assets}
        return within(self.container.catalog, rights, where.as_filter(ids))

    def _picture(self, asset: Asset, time_s: float | None, page: int | None) -> tuple[PictureRef, PictureShape]:
        shape = PictureShape(
            asset=asset.asset_id, name=asset.name, kind=asset.kind, start_s=None, end_s=None, page=None, text=""
        )
        match asset.kind:
            case AssetKind.VIDEO if time_s is not None:
                frame = self.container.showing.frame(asset, time_s)
                span = {"start_s": round(frame.start_s, 3), "end_s": round(frame.end_s, 3), "text": frame.text}
                return frame.picture, shape.model_copy(update=span)
            case AssetKind.VIDEO:
                raise QueryError(f"{asset.name} is a video: name a time_s")
            case AssetKind.DOCUMENT if page is None:
                raise QueryError(f"{asset.name} is a document: name a page")
            case AssetKind.DOCUMENT:
                return self.container.showing.page(asset, page), shape.model_copy(update={"page": page})
            case AssetKind.IMAGE:
                return self.container.showing.page(asset, None), shape
