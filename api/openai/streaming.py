"""Event stream in OpenAI's format: chunks, then `[DONE]`, or an error as the last event."""

from __future__ import annotations

from fastapi.sse import format_sse_event

from api.http.sse import EventStream
from api.openai.errors import to_openai_error
from api.openai.responses import CompletionChunkShape
from api.schemas.problem import Problem


class ChunkStream(EventStream[CompletionChunkShape]):
    """Stream of one completion."""

    def encode_error(self, problem: Problem) -> bytes:
        """Encode an error as the last event, in OpenAI's shape."""
        return format_sse_event(data_str=to_openai_error(problem).model_dump_json())

    def encode_end(self) -> bytes:
        """Return the event that marks a complete stream."""
        return format_sse_event(data_str="[DONE]")
