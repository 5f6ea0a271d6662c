"""A stream in OpenAI's format: chunks, an error as the last of them, and `[DONE]` where nothing is missing."""

from __future__ import annotations

from api.http.problems import Problem
from api.http.sse import EventStream
from api.openai.errors import to_openai_error
from api.openai.responses import CompletionChunkShape


class ChunkStream(EventStream[CompletionChunkShape]):
    """The stream of one answer."""

    def encode_error(self, problem: Problem) -> bytes:
        """What tells of an error on the way."""
        return f"data: {to_openai_error(problem).model_dump_json()}\n\n".encode()

    def encode_end(self) -> bytes:
        """What follows the last chunk."""
        return b"data: [DONE]\n\n"
