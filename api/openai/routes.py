"""OpenAI-compatible routes `/v1/chat/completions` and `/v1/models`: each collection is a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from api.http.auth import ReadAccess
from api.http.context import AppContext, Context
from api.http.query_image import decode_query_image
from api.http.slots import LookupSlot
from api.http.sse import ThreadedProducer, collect
from api.openai.completion import Completion, TokenEstimate
from api.openai.conversation import ChatQuery, extract_query
from api.openai.errors import ERROR_RESPONSES, ChatRoute
from api.openai.requests import ChatBody
from api.openai.responses import CompletionShape, ModelListShape, ModelShape
from api.openai.streaming import ChunkStream
from indexer.errors import InvalidInput
from indexer.types import Pixels, SegmentFilter
from services.access.permissions import Permissions
from services.access.scoping import count_assets_by_collection, require_collection, scope_filters
from services.catalog.errors import CollectionNotFound
from services.container import Container


class _TextConvertor(StringConvertor):
    """Path parameter of any text: Starlette's `path` stops at a line break, and would answer 404 for the route."""

    regex = r"[\s\S]*"


register_url_convertor("text", _TextConvertor())
router = APIRouter(prefix="/v1", tags=["chat"], route_class=ChatRoute)
_MODEL_PREFIX = "afterimage/"
ModelParam = Annotated[str, Path(description="`afterimage/` and the name of a collection.")]
_STREAM_RESPONSE: dict[str, Any] = {
    "description": "The answer; with `stream` as server-sent events, each a CompletionChunkShape, with `[DONE]` at the"
    " end.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.get("/models", responses=ERROR_RESPONSES)
def list_models(context: Context, permissions: ReadAccess, _slot: LookupSlot) -> ModelListShape:
    """List collections as models."""
    names = count_assets_by_collection(context.container.catalog, permissions)
    return ModelListShape(data=[ModelShape(id=f"{_MODEL_PREFIX}{name}") for name in names])


@router.get("/models/{model:text}", responses=ERROR_RESPONSES)
def show_model(context: Context, permissions: ReadAccess, model: ModelParam, _slot: LookupSlot) -> ModelShape:
    """Describe a collection as a model."""
    _require_model(context, permissions, model)
    return ModelShape(id=model)


@router.post("/chat/completions", response_model=CompletionShape, responses={200: _STREAM_RESPONSE, **ERROR_RESPONSES})
async def create_completion(
    request: Request, context: Context, permissions: ReadAccess, body: ChatBody, response: Response
) -> Response | CompletionShape:
    """Answer the last question of a conversation from a collection; `sentences` of the message, or of the chunks, have
    the citations."""
    response.headers["cache-control"] = "no-store"
    context.limits.answers.raise_if_full()
    query = await context.limits.lookups.run(_read_query, context, permissions, body)
    images = [await decode_query_image(context, data) for data in query.images]
    completion = await context.limits.searches.run(_gather_evidence, context, permissions, body, query, images)
    if body.stream:
        return ChunkStream(request, ThreadedProducer(context.limits.answers, completion.stream_chunks))
    return completion.to_response(await collect(request, context.limits.answers, completion.sentences))


def _require_model(context: AppContext, permissions: Permissions, model: str) -> str:
    """Return the collection that a model stands for. Errors: CollectionNotFound."""
    try:
        if not model.startswith(_MODEL_PREFIX):
            raise CollectionNotFound(model)
        return require_collection(context.container.catalog, permissions, model.removeprefix(_MODEL_PREFIX))
    except CollectionNotFound as error:
        raise CollectionNotFound(f"there is no model {model!r}, or this key may not use it") from error


def _read_query(context: AppContext, permissions: Permissions, body: ChatBody) -> ChatQuery:
    """Return the query of a conversation. Errors: CollectionNotFound, InvalidInput."""
    _require_model(context, permissions, body.model)
    return extract_query(body.messages, context.container.question_analyzer)


def _gather_evidence(
    context: AppContext, permissions: Permissions, body: ChatBody, query: ChatQuery, images: Sequence[Pixels]
) -> Completion:
    """Search with each query of a conversation until one finds evidence."""
    container = context.container
    writer = container.generation.kind.json_writer
    if body.json_format is not None and writer is None:
        raise InvalidInput("response_format: JSON needs a model server (AFTERIMAGE_GENERATOR__KIND=openai_compatible)")
    only = SegmentFilter(collections=frozenset([_require_model(context, permissions, body.model)]))
    filters = scope_filters(container.catalog, permissions, only)
    search, evidence = container.answering.gather_first(query.search_queries, filters, images)
    question = query.question_for(search)
    return Completion(container.answering, body, question, evidence, _make_estimate(container), writer)


def _make_estimate(container: Container) -> TokenEstimate:
    """Return how tokens are estimated; pictures count where the generator is shown them."""
    settings, shows_pictures = container.settings.generator, container.answering.video_context is not None
    return TokenEstimate(settings.chars_per_token, settings.frame_tokens if shows_pictures else 0)
