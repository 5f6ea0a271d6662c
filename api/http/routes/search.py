"""Routes `/v1/search` and `/v1/ask`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from api.http.auth import ReadAccess
from api.http.context import AppContext, Context
from api.http.idempotency import IdempotentRoute
from api.http.problems import problem_responses
from api.http.query_image import QueryImageParam
from api.http.slots import SearchSlot
from api.http.sse import EventStream, ServerSentEvent, ThreadedProducer, collect
from api.schemas.requests import MAX_QUERY_CHARS, AskBody, SearchBody
from api.schemas.responses import AskResponse, EvidenceEvent, EvidenceShape, UsageShape
from api.schemas.results import AnswerShape, HitShape, SearchShape, SentenceShape
from indexer.types import SegmentFilter
from services.access.permissions import Permissions
from services.access.scoping import scope_filters
from services.answering.answering import build_answer
from services.answering.types import Sentence
from services.generators.types import Evidence
from services.search.types import Query

router = APIRouter(prefix="/v1", tags=["find"], route_class=IdempotentRoute)
_EVENT_STREAM = "text/event-stream"
_NO_STORE = {"cache-control": "no-store"}
"""No cache and no stored response holds what was found: it would outlive the asset's deletion."""
_STREAM_RESPONSE: dict[str, Any] = {
    "description": "The answer; where `text/event-stream` is accepted, as events while it is written: `evidence` "
    "(EvidenceEvent), `sentence` (SentenceShape) for each sentence, `answer` (AnswerShape), `usage` (UsageShape). "
    "Where something fails on the way the last event is `error` (Problem).",
    "content": {_EVENT_STREAM: {"schema": {"type": "string"}}},
}


@router.post("/search", response_model=SearchShape, responses=problem_responses(404, 413, 503))
def search(
    context: Context,
    permissions: ReadAccess,
    body: SearchBody,
    image: QueryImageParam,
    response: Response,
    _slot: SearchSlot,
) -> SearchShape:
    """Find moments, pages and pictures. Nothing found is an empty list: results that are no better than what unrelated
    questions find are left out, unless `weaker` asks for them."""
    response.headers.update(_NO_STORE)
    container = context.container
    filters = scope_filters(container.catalog, permissions, body.to_segment_filter())
    moments = container.retrieval.search(
        Query(body.question, image), filters, body.limit or container.settings.search.limit, weaker=body.weaker
    )
    return SearchShape(hits=[HitShape.of(moment) for moment in moments])


@router.post("/ask", response_model=AskResponse, responses={200: _STREAM_RESPONSE, **problem_responses(404, 503)})
async def ask(
    request: Request, context: Context, permissions: ReadAccess, body: AskBody, response: Response
) -> Response | AskResponse:
    """Answer a question; every sentence names the time, page or picture that proves it."""
    response.headers.update(_NO_STORE)
    context.limits.answers.raise_if_full()
    run = await context.limits.searches.run(_gather_evidence, context, permissions, body)
    if _EVENT_STREAM in request.headers.get("accept", ""):
        return EventStream(request, ThreadedProducer(context.limits.answers, run.stream_events), run.evidence_event())
    sentences = await collect(request, context.limits.answers, run.sentences)
    return AskResponse(**run.answer(sentences).model_dump(), usage=run.usage())


class _AnswerRun:
    """The last question of a conversation with its evidence; measures how long its answer takes."""

    def __init__(self, context: AppContext, questions: Sequence[str], filters: SegmentFilter) -> None:
        self._answering = context.container.answering
        self._started_s = time.perf_counter()
        queries = self._answering.analyzer.contextualize(questions, MAX_QUERY_CHARS)
        gathered = self._answering.gather_first(queries, filters)
        self._question: str = gathered[0]
        self._evidence: Sequence[Evidence] = gathered[1]
        self._gathered_s = self._elapsed_s()
        self._first_sentence_s: float | None = None

    def sentences(self) -> Iterator[Sentence]:
        """Yield the sentences of the answer as they are generated."""
        for sentence in self._answering.stream_sentences(self._question, self._evidence):
            if self._first_sentence_s is None:
                self._first_sentence_s = self._elapsed_s()
            yield sentence

    def evidence_event(self) -> ServerSentEvent:
        """Return the first event: the evidence."""
        return ServerSentEvent(
            "evidence",
            EvidenceEvent(
                query=self._question, evidence=[EvidenceShape.of_evidence(evidence) for evidence in self._evidence]
            ),
        )

    def stream_events(self) -> Iterator[ServerSentEvent]:
        """Yield the answer as events: each sentence, the answer, the usage."""
        sentences = []
        for sentence in self.sentences():
            sentences.append(sentence)
            yield ServerSentEvent("sentence", SentenceShape.of(sentence))
        yield ServerSentEvent("answer", self.answer(sentences))
        yield ServerSentEvent("usage", self.usage())

    def answer(self, sentences: Sequence[Sentence]) -> AnswerShape:
        """Return the answer that some sentences make."""
        return AnswerShape.of(build_answer(self._question, sentences))

    def usage(self) -> UsageShape:
        """Return what the answer has taken until now."""
        return UsageShape(
            model=self._answering.generator.model_id,
            evidence=len(self._evidence),
            gathered_s=self._gathered_s,
            first_sentence_s=self._first_sentence_s,
            total_s=self._elapsed_s(),
        )

    def _elapsed_s(self) -> float:
        return round(time.perf_counter() - self._started_s, 4)


def _gather_evidence(context: AppContext, permissions: Permissions, body: AskBody) -> _AnswerRun:
    filters = scope_filters(context.container.catalog, permissions, body.to_segment_filter())
    return _AnswerRun(context, [*body.previous, body.question], filters)
