"""What is asked at the end of a conversation: words, with those before that they lean on, and pictures."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from api.openai.requests import ConversationMessage
from api.schemas.requests import MAX_QUERY_CHARS
from indexer.errors import InvalidInput
from services.answering.followup_questions import contextualize_query

_MAX_IMAGES = 8
_IMAGE_ONLY_QUESTION = "What is shown here?"


@dataclass(frozen=True, slots=True)
class ChatQuery:
    """`searches`: what to look for, the first that finds something counts; `pictures`: files of pictures."""

    search_queries: tuple[str, ...]
    images: tuple[bytes, ...]

    def question_for(self, search: str) -> str:
        """What the generator is asked where this was looked for."""
        return search or _IMAGE_ONLY_QUESTION


def extract_query(messages: Sequence[ConversationMessage]) -> ChatQuery:
    """The question of the user's last message. Errors: QueryError where there is none, and for what is no picture."""
    user_messages = [message for message in messages if message.role == "user"]
    if not user_messages:
        raise InvalidInput("messages: there is none of the user")
    images = tuple(_decode_data_url(url) for url in user_messages[-1].image_urls)
    if len(images) > _MAX_IMAGES:
        raise InvalidInput(f"messages: {len(images)} pictures, over the limit of {_MAX_IMAGES}")
    last = user_messages[-1].text.strip()
    if not last:
        return ChatQuery(("",), images)
    earlier = [text for turn in user_messages[:-1] if (text := turn.text.strip())]
    return ChatQuery(tuple(contextualize_query([*earlier, last], MAX_QUERY_CHARS)), images)


def _decode_data_url(url: str) -> bytes:
    """The bytes of a data URL (RFC 2397)."""
    scheme, _, rest = url.partition(":")
    head, comma, data = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        raise InvalidInput("image_url: pictures are taken as data URLs (data:image/jpeg;base64,…); nothing is fetched")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode(unquote_to_bytes(data), validate=True)
    except binascii.Error as error:
        raise InvalidInput("image_url: this is no base64") from error
