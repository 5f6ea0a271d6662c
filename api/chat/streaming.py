"""A stream in OpenAI's format: chunks, an error as the last of them, and `[DONE]` where nothing is missing."""

from __future__ import annotations

from api.chat.refusals import to_openai_error
from api.chat.replies import CompletionChunkShape
from api.problems import Problem
from api.streams import EventStream


class ChunkStream(EventStream[CompletionChunkShape]):
    """The stream of one answer."""

    def encode_error(self, problem: Problem) -> bytes:
        """What tells of an error on the way."""
        return f"data: {to_openai_error(problem).model_dump_json()}\n\n".encode()

    def encode_end(self) -> bytes:
        """What follows the last chunk."""
        return b"data: [DONE]\n\n"
