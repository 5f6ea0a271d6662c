"""What OpenAI's clients send to `/v1/chat/completions`, as far as it is understood here.

What is not named here is ignored (sampling, limits of length, users and the like); what would change an answer into
something that cannot be given (tools, several choices, logprobs, JSON, sound) is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_MAX_MESSAGES, _MAX_PARTS = 1000, 64
EmptyList = Annotated[list[Any], Field(max_length=0)]
FalseOnly = Literal[False]


class _LenientModel(BaseModel):
    """What else is sent is ignored."""

    model_config = ConfigDict(frozen=True)


class MessageTextPart(_LenientModel):
    """Words."""

    type: Literal["text"]
    text: str


class ImageUrl(_LenientModel):
    """A picture as a data URL (`data:image/jpeg;base64,…`); addresses are not fetched."""

    url: str


class MessageImagePart(_LenientModel):
    """A picture: what resembles it is looked for."""

    type: Literal["image_url"]
    image_url: ImageUrl


MessagePart = Annotated[MessageTextPart | MessageImagePart, Field(discriminator="type")]


class ConversationMessage(_LenientModel):
    """A turn of a conversation. Those of the user are read; answers, and what systems and tools say, are not."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[MessagePart], Field(max_length=_MAX_PARTS)] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if isinstance(part, MessageTextPart))

    @property
    def image_urls(self) -> list[str]:
        """The URLs of its pictures."""
        if self.content is None or isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, MessageImagePart)]


class StreamOptions(_LenientModel):
    """How a stream ends: with the usage, or without."""

    include_usage: bool = False


class TextFormat(_LenientModel):
    """The one form that answers have."""

    type: Literal["text"]


class ChatBody(_LenientModel):
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
    messages: Annotated[list[ConversationMessage], Field(min_length=1, max_length=_MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    tools: EmptyList | None = None
    functions: EmptyList | None = None
    logprobs: FalseOnly | None = None
    response_format: TextFormat | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None
