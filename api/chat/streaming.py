"""A stream in OpenAI's format: chunks, an error as the last of them, and `[DONE]` where nothing is missing."""

from __future__ import annotations

from api.chat.refusals import error_of
from api.chat.replies import ChunkShape
from api.problems import Problem
from api.streams import EventStream


class ChunkStream(EventStream[ChunkShape]):
    """The stream of one answer."""

    def failure(self, problem: Problem) -> bytes:
        """What tells of an error on the way."""
        return f"data: {error_of(problem).model_dump_json()}\n\n".encode()

    def ending(self) -> bytes:
        """What follows the last chunk."""
        return b"data: [DONE]\n\n"
