"""OpenAI-compatible route `/v1/embeddings`: the sentence encoder that the archive is searched with."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import ConfigDict, Field

from api.http.auth import ReadAccess
from api.http.context import AppContext, Context
from api.openai.errors import ERROR_RESPONSES, ChatRoute
from api.openai.requests import LenientModel
from api.schemas.results import Shape
from indexer.errors import InvalidInput
from indexer.types import Vectors
from services.catalog.errors import CollectionNotFound

router = APIRouter(prefix="/v1", tags=["chat"], route_class=ChatRoute)
EMBEDDING_MODEL = "afterimage-text"
"""Form: the name of the sentence encoder for clients; no collection's model begins so (`afterimage/`)."""
_MAX_TEXTS = 256
"""Chosen: some seconds on a processor; OpenAI takes 2048, and clients send fewer."""
_MAX_TEXT_CHARS = 32_768
"""Chosen: OpenAI's 8192 tokens at four characters; encoders read the beginning alone."""
Text = Annotated[str, Field(min_length=1, max_length=_MAX_TEXT_CHARS)]


class EmbeddingsBody(LenientModel):
    """Request of embeddings. Tokens as input are refused: they would be those of another model."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={"examples": [{"model": EMBEDDING_MODEL, "input": ["How much is the mooring rope?"]}]},
    )

    model: Annotated[str, Field(max_length=300)]
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=_MAX_TEXTS)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None

    @property
    def texts(self) -> list[str]:
        """The texts to embed."""
        return [self.input] if isinstance(self.input, str) else self.input


class EmbeddingShape(Shape):
    """Embedding of one text: numbers, or the Base64 of little-endian float32."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsageShape(Shape):
    """Tokens of the input, estimated from its number of characters."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingListShape(Shape):
    """Embeddings in the order of the texts."""

    object: Literal["list"] = "list"
    data: list[EmbeddingShape]
    model: str
    usage: EmbeddingUsageShape


@router.post("/embeddings", responses=ERROR_RESPONSES)
async def create_embeddings(context: Context, _permissions: ReadAccess, body: EmbeddingsBody) -> EmbeddingListShape:
    """Embed texts with the sentence encoder of the text lane, model `afterimage-text`; rows are L2-normalised."""
    vectors = await context.limits.embeddings.run(_encode, context, body)
    chars_per_token = context.container.settings.generator.chars_per_token
    tokens = sum(max(1, math.ceil(len(text) / chars_per_token)) for text in body.texts)
    return EmbeddingListShape(
        data=[EmbeddingShape(index=index, embedding=row) for index, row in enumerate(_format(vectors, body))],
        model=body.model,
        usage=EmbeddingUsageShape(prompt_tokens=tokens, total_tokens=tokens),
    )


def _encode(context: AppContext, body: EmbeddingsBody) -> Vectors:
    """Embed the texts. Errors: CollectionNotFound for another model, InvalidInput; those of the encoder."""
    encoder = context.container.models.sentence_encoder
    if encoder is None:
        raise InvalidInput("model: this server has no sentence encoder (AFTERIMAGE_TEXT__MODEL)")
    if body.model not in (EMBEDDING_MODEL, encoder.model_id):
        raise CollectionNotFound(f"there is no embedding model {body.model!r}; there is {EMBEDDING_MODEL}")
    if body.dimensions not in (None, encoder.dim):
        raise InvalidInput(f"dimensions: this model's embeddings have {encoder.dim}")
    return encoder.encode(body.texts)


def _format(vectors: Vectors, body: EmbeddingsBody) -> Sequence[list[float] | str]:
    if body.encoding_format == "base64":
        return [base64.b64encode(row.astype(np.dtype("<f4")).tobytes()).decode() for row in vectors]
    return [[float(value) for value in row] for row in vectors]
