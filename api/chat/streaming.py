"""A stream in OpenAI's format: unnamed events, an error as the last of them, and `[DONE]` at the end."""

from __future__ import annotations

from dataclasses import dataclass

from api.chat.refusals import error_of
from api.chat.replies import ChunkShape
from api.problems import problem_of
from api.streams import EventStream

_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class ChunkEvent:
    """A chunk of a stream."""

    chunk: ChunkShape

    def encoded(self) -> bytes:
        """As it goes over the wire: a delta without what it does not add."""
        data = self.chunk.model_dump(mode="json")
        for choice in data["choices"]:
            choice["delta"] = {name: value for name, value in choice["delta"].items() if value is not None}
        return b"data: " + _JSON.encode(data) + b"\n\n"


class ChunkStream(EventStream[ChunkEvent]):
    """The stream of one answer."""

    def failure(self, error: Exception) -> bytes:
        """What tells of an error on the way; a stream that fails has no end."""
        told = error_of(problem_of(error, self._request_id)).model_dump_json()
        return f"data: {told}\n\n".encode()

    def ending(self) -> bytes:
        """What tells that nothing is missing."""
        return _DONE
