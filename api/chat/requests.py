"""What OpenAI's clients send to `/v1/chat/completions`, as far as it is understood here.

What is not named here is ignored (sampling, limits of length, users and the like); what would change an answer into
something that cannot be given (tools, several choices, logprobs, JSON, sound) is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_MOST_MESSAGES, _MOST_PARTS = 1000, 64
Nothing = Annotated[list[Any], Field(max_length=0)]
Only = Literal[False]


class _Taken(BaseModel):
    """What else is sent is ignored."""

    model_config = ConfigDict(frozen=True)


class TextPart(_Taken):
    """Words."""

    type: Literal["text"]
    text: str


class ImageUrl(_Taken):
    """A picture as a data URL (`data:image/jpeg;base64,…`); addresses are not fetched."""

    url: str


class ImagePart(_Taken):
    """A picture: what resembles it is looked for."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Message(_Taken):
    """A turn of a conversation. Those of the user are read; answers, and what systems and tools say, are not."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[Part], Field(max_length=_MOST_PARTS)] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if isinstance(part, TextPart))

    @property
    def pictures(self) -> list[str]:
        """The URLs of its pictures."""
        if self.content is None or isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, ImagePart)]


class StreamOptions(_Taken):
    """How a stream ends: with the usage, or without."""

    include_usage: bool = False


class TextFormat(_Taken):
    """The one form that answers have."""

    type: Literal["text"]


class ChatBody(_Taken):
    """A conversation that ends with a question to a collection."""

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "afterimage/default",
                    "messages": [{"role": "user", "content": "How much is the mooring rope?"}],
                    "stream": True,
                }
            ]
        },
    )

    model: Annotated[str, Field(max_length=300)]
    messages: Annotated[list[Message], Field(min_length=1, max_length=_MOST_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    tools: Nothing | None = None
    functions: Nothing | None = None
    logprobs: Only | None = None
    response_format: TextFormat | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None
