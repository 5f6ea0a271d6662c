"""Request bodies of `/v1/chat/completions`, as far as they are supported.

Fields that are not named here are ignored (sampling, limits of length, users, tools that may be called and the like);
fields that would change the form of an answer (a tool that must be called, several choices, logprobs, audio) are an
error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_MAX_MESSAGES = 1000
"""Chosen: a longer conversation than people have; bounds validation."""
_MAX_PARTS = 64
"""Chosen: text and images of one message; bounds validation."""
FreeChoice = Literal["none", "auto"]
"""Tools that may be called; none ever is, so `tools` themselves are ignored."""
FalseOnly = Literal[False]


class LenientModel(BaseModel):
    """Model that ignores unknown fields."""

    model_config = ConfigDict(frozen=True)


class MessageTextPart(LenientModel):
    """Text of a message."""

    type: Literal["text"]
    text: str


class ImageUrl(LenientModel):
    """An image as a data URL (`data:image/jpeg;base64,…`); no URL is fetched."""

    url: str


class MessageImagePart(LenientModel):
    """Image of a message: a query by similarity."""

    type: Literal["image_url"]
    image_url: ImageUrl


MessagePart = Annotated[MessageTextPart | MessageImagePart, Field(discriminator="type")]


class ConversationMessage(LenientModel):
    """Message of a conversation. Those of the user are read; those of other roles are ignored."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Annotated[list[MessagePart], Field(max_length=_MAX_PARTS)] | None = None

    @property
    def text(self) -> str:
        """Text of the message; several parts are joined by line breaks."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if isinstance(part, MessageTextPart))

    @property
    def image_urls(self) -> list[str]:
        """URLs of the images of the message."""
        if self.content is None or isinstance(self.content, str):
            return []
        return [part.image_url.url for part in self.content if isinstance(part, MessageImagePart)]


class StreamOptions(LenientModel):
    """Options of a stream: whether a last chunk has the usage."""

    include_usage: bool = False


class TextFormat(LenientModel):
    """The answer as text."""

    type: Literal["text"]


class JsonObjectFormat(LenientModel):
    """The answer as a JSON object of any form."""

    type: Literal["json_object"]


class JsonSchema(LenientModel):
    """A JSON schema, and a name for it."""

    name: Annotated[str, Field(max_length=64)]
    json_schema: Annotated[dict[str, Any], Field(alias="schema")]
    strict: bool | None = None


class JsonSchemaFormat(LenientModel):
    """The answer as JSON that a schema describes."""

    type: Literal["json_schema"]
    json_schema: JsonSchema


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]


class ChatBody(LenientModel):
    """Request of a completion: a conversation that ends with a question to a collection."""

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
    tool_choice: FreeChoice | None = None
    function_call: FreeChoice | None = None
    logprobs: FalseOnly | None = None
    response_format: ResponseFormat | None = None
    modalities: Annotated[list[Literal["text"]], Field(max_length=1)] | None = None

    @property
    def json_format(self) -> dict[str, object] | None:
        """The format of the answer as JSON, as a model server takes it; None for text."""
        if self.response_format is None or isinstance(self.response_format, TextFormat):
            return None
        return self.response_format.model_dump(by_alias=True, exclude_none=True)
