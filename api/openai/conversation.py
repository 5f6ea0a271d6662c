"""Extraction of the query from a conversation: its last question, made self-contained, and its images."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from api.openai.requests import ConversationMessage
from api.schemas.requests import MAX_QUERY_CHARS
from indexer.errors import InvalidInput
from indexer.text.sentences import split_sentences
from services.answering.ports import QuestionAnalyzer

_MAX_IMAGES = 8
"""Chosen: each image is decoded in the sandbox and searched for; more would hold the slot of a search for seconds."""
_QUESTION_MARKS = ("?", "？", "؟")
_ATTACHMENTS_START, _ATTACHMENTS_END = "<attached_files>\n", "</attached_files>\n"
"""Source: Open WebUI 0.12.4, which puts passages of attached files, and then a list of them, before the question."""
_IMAGE_ONLY_QUESTION = "What is shown here?"


@dataclass(frozen=True, slots=True)
class ChatQuery:
    """Query of a conversation: search queries, of which the first that finds anything is used, and image files."""

    search_queries: tuple[str, ...]
    images: tuple[bytes, ...]

    def question_for(self, search: str) -> str:
        """Return the question for the generator that goes with a search query."""
        return search or _IMAGE_ONLY_QUESTION


def extract_query(messages: Sequence[ConversationMessage], analyzer: QuestionAnalyzer) -> ChatQuery:
    """Return the query of the user's last message. Errors: InvalidInput without a message or with a malformed image."""
    user_messages = [message for message in messages if message.role == "user"]
    if not user_messages:
        raise InvalidInput("messages: there is none with the role user")
    images = tuple(_decode_data_url(url) for url in user_messages[-1].image_urls)
    if len(images) > _MAX_IMAGES:
        raise InvalidInput(f"messages: {len(images)} pictures, over the limit of {_MAX_IMAGES}")
    last = _read_question(user_messages[-1])
    if not last:
        return ChatQuery(("",), images)
    earlier = [question for turn in user_messages[:-1] if (question := _read_question(turn))]
    return ChatQuery(tuple(analyzer.contextualize([*earlier, last], MAX_QUERY_CHARS)), images)


def _read_question(message: ConversationMessage) -> str:
    """Return what the user wrote, without what a frontend put before it, as far as search takes it."""
    before, end, question = message.text.rpartition(_ATTACHMENTS_END)
    return _shorten((question if end and _ATTACHMENTS_START in before else message.text).strip())


def _shorten(message: str) -> str:
    """Return a message that search takes: a longer one's questions, else its last sentence, and then its beginning."""
    if len(message) <= MAX_QUERY_CHARS:
        return message
    sentences = [message[start:end] for start, end in split_sentences(message)]
    asked = [sentence for sentence in sentences if sentence.endswith(_QUESTION_MARKS)] or sentences[-1:]
    question = " ".join(asked)[-MAX_QUERY_CHARS:]
    room = MAX_QUERY_CHARS - len(question) - 1
    return f"{question} {message[: max(0, room)]}".strip()


def _decode_data_url(url: str) -> bytes:
    """Decode a data URL (RFC 2397). Errors: InvalidInput."""
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
