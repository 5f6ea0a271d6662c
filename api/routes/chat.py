"""`/v1/chat/completions` and `/v1/models`: an archive as OpenAI's clients see models, one for each collection."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from api.auth import Reader
from api.chat.completion import Completion
from api.chat.conversation import asked_in
from api.chat.refusals import ERRORS, ChatRoute
from api.chat.replies import CompletionShape, ModelShape, ModelsShape
from api.chat.requests import ChatBody
from api.chat.streaming import ChunkStream
from api.queried import pixels_of
from api.server import Served, Server
from api.streams import Production, collected
from api.visible import collection_of, collections_of, within
from indexer.errors import CollectionNotFound
from indexer.types import SegmentFilter
from services.rights import Rights

router = APIRouter(prefix="/v1", tags=["chat"], route_class=ChatRoute)
_PREFIX = "afterimage/"
Model = Annotated[str, Path(description="`afterimage/` and the name of a collection.")]
_STREAM: dict[str, Any] = {
    "description": "The answer; with `stream` as server-sent events, each a ChunkShape, with `[DONE]` at the end.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get("/models", responses=ERRORS)
async def list_models(served: Served, rights: Reader) -> ModelsShape:
    """The collections, as models."""
    names = await served.turns.lookups.take(lambda: list(collections_of(served.container.catalog, rights)))
    return ModelsShape(data=[ModelShape(id=f"{_PREFIX}{name}") for name in names])


@router.get("/models/{model:path}", responses=ERRORS)
async def show_model(served: Served, rights: Reader, model: Model) -> ModelShape:
    """A collection, as a model."""
    await served.turns.lookups.take(partial(_collection, served, rights, model))
    return ModelShape(id=model)


@router.post("/chat/completions", response_model=CompletionShape, responses={200: _STREAM, **ERRORS})
async def complete(
    request: Request, served: Served, rights: Reader, body: ChatBody, response: Response
) -> Response | CompletionShape:
    """Answer the question that a conversation ends with from a collection; `sentences` of the message, or of the
    chunks, have the citations."""
    response.headers["cache-control"] = "no-store"
    served.turns.answers.check()
    completion = await served.turns.searches.take(partial(_gather, served, rights, body))
    if body.stream:
        return ChunkStream(request, Production(served.turns.answers, completion.chunks))
    return completion.whole(await collected(request, served.turns.answers, completion.sentences))


def _collection(server: Server, rights: Rights, model: str) -> str:
    """The collection that a model stands for. Errors: CollectionNotFound."""
    try:
        if not model.startswith(_PREFIX):
            raise CollectionNotFound(model)
        return collection_of(server.container.catalog, rights, model.removeprefix(_PREFIX))
    except CollectionNotFound as error:
        raise CollectionNotFound(f"there is no model {model!r}, or this key may not use it") from error


def _gather(server: Server, rights: Rights, body: ChatBody) -> Completion:
    container = server.container
    only = SegmentFilter(collections=frozenset([_collection(server, rights, body.model)]))
    where = within(container.catalog, rights, only)
    asked = asked_in(body.messages)
    pictures = [pixels_of(container.showing, data) for data in asked.pictures]
    for search in asked.searches:
        question = asked.question(search)
        evidence = container.answering.evidence(search, where, pictures)
        if evidence:
            break
    letters = container.settings.generator.chars_per_token
    return Completion(container.answering, body, question, evidence, letters)
