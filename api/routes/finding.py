"""`/v1/search` and `/v1/ask`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from api.auth import Reader
from api.bodies import AskBody, SearchBody
from api.once import Once
from api.problems import problem_responses
from api.queried import pixels_of
from api.replies import AskedShape, EvidenceEvent, EvidenceShape, UsageShape
from api.schemas import AnswerShape, HitShape, SearchShape, SentenceShape
from api.server import Served, Server
from api.streams import Event, EventStream, Production, collected
from api.visible import within
from indexer.types import SegmentFilter
from services.answering import answer_of
from services.rights import Rights
from services.types import Evidence, Query, Sentence

router = APIRouter(prefix="/v1", tags=["find"], route_class=Once)
_EVENTS = "text/event-stream"
_UNKEPT = {"cache-control": "no-store"}
"""What was found is kept nowhere, or it would outlive its deletion."""
_STREAM: dict[str, Any] = {
    "description": "The answer; where `text/event-stream` is accepted, as events while it is written: `evidence` "
    "(EvidenceEvent), `sentence` (SentenceShape) for each sentence, `answer` (AnswerShape), `usage` (UsageShape). "
    "Where something fails on the way the last event is `error` (Problem).",
    "content": {_EVENTS: {"schema": {"type": "string"}}},
}


@router.post("/search", response_model=SearchShape, responses=problem_responses(404, 413, 503))
async def search(served: Served, rights: Reader, body: SearchBody, response: Response) -> SearchShape:
    """Find moments, pages and pictures. Nothing found is an empty list: results that are no better than what unrelated
    questions find are left out."""
    response.headers.update(_UNKEPT)
    return await served.turns.searches.take(partial(_search, served, rights, body))


@router.post("/ask", response_model=AskedShape, responses={200: _STREAM, **problem_responses(404, 503)})
async def ask(
    request: Request, served: Served, rights: Reader, body: AskBody, response: Response
) -> Response | AskedShape:
    """Answer a question; every sentence names the time, page or picture that proves it."""
    response.headers.update(_UNKEPT)
    served.turns.answers.check()
    asked = await served.turns.searches.take(partial(_gather, served, rights, body))
    if _EVENTS in request.headers.get("accept", ""):
        return EventStream(request, Production(served.turns.answers, asked.events), asked.evidence())
    sentences = await collected(request, served.turns.answers, asked.sentences)
    return AskedShape(**asked.answer(sentences).model_dump(), usage=asked.usage())


class _Asked:
    """A question with its evidence, and the clock of its answer."""

    def __init__(self, server: Server, question: str, where: SegmentFilter) -> None:
        self._answering, self._question = server.container.answering, question
        self._began = time.perf_counter()
        self._evidence: Sequence[Evidence] = self._answering.evidence(question, where)
        self._gathered_s = self._now()
        self._first_s: float | None = None

    def sentences(self) -> Iterator[Sentence]:
        """The answer as it is written."""
        for sentence in self._answering.sentences(self._question, self._evidence):
            if self._first_s is None:
                self._first_s = self._now()
            yield sentence

    def evidence(self) -> Event:
        """The first event."""
        return Event("evidence", EvidenceEvent(evidence=[EvidenceShape.of_evidence(one) for one in self._evidence]))

    def events(self) -> Iterator[Event]:
        """The answer as events."""
        said = []
        for sentence in self.sentences():
            said.append(sentence)
            yield Event("sentence", SentenceShape.of(sentence))
        yield Event("answer", self.answer(said))
        yield Event("usage", self.usage())

    def answer(self, sentences: Sequence[Sentence]) -> AnswerShape:
        """The whole answer."""
        return AnswerShape.of(answer_of(sentences))

    def usage(self) -> UsageShape:
        """What the answer took until now."""
        return UsageShape(
            model=self._answering.generator.model_id,
            evidence=len(self._evidence),
            gathered_s=self._gathered_s,
            first_sentence_s=self._first_s,
            total_s=self._now(),
        )

    def _now(self) -> float:
        return round(time.perf_counter() - self._began, 4)


def _search(server: Server, rights: Rights, body: SearchBody) -> SearchShape:
    container = server.container
    where = within(container.catalog, rights, body.as_filter())
    query = Query(body.question)
    if body.image is not None:
        query = Query(body.question, pixels_of(container.showing, body.image))
    moments = container.retrieval.search(query, where, body.limit or container.settings.search.limit)
    return SearchShape(hits=[HitShape.of(moment) for moment in moments])


def _gather(server: Server, rights: Rights, body: AskBody) -> _Asked:
    return _Asked(server, body.question, within(server.container.catalog, rights, body.as_filter()))
