"""What is asked at the end of a conversation: words, with those before that they lean on, and pictures."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from api.bodies import LONGEST_QUERY
from api.chat.requests import Message
from indexer.errors import QueryError
from services.following import in_context

_MOST_PICTURES = 8
_PICTURE_ALONE = "What is shown here?"


@dataclass(frozen=True, slots=True)
class Asked:
    """`searches`: what to look for, the first that finds something counts; `pictures`: files of pictures."""

    searches: tuple[str, ...]
    pictures: tuple[bytes, ...]

    def question(self, search: str) -> str:
        """What the generator is asked where this was looked for."""
        return search or _PICTURE_ALONE


def asked_in(messages: Sequence[Message]) -> Asked:
    """The question of the user's last message. Errors: QueryError where there is none, and for what is no picture."""
    turns = [message for message in messages if message.role == "user"]
    if not turns:
        raise QueryError("messages: there is none of the user")
    pictures = tuple(_file(url) for url in turns[-1].pictures)
    if len(pictures) > _MOST_PICTURES:
        raise QueryError(f"messages: {len(pictures)} pictures, over the limit of {_MOST_PICTURES}")
    last = turns[-1].text.strip()
    if not last:
        return Asked(("",), pictures)
    earlier = [text for turn in turns[:-1] if (text := turn.text.strip())]
    return Asked(tuple(in_context([*earlier, last], LONGEST_QUERY)), pictures)


def _file(url: str) -> bytes:
    """The bytes of a data URL (RFC 2397)."""
    scheme, _, rest = url.partition(":")
    head, comma, data = rest.partition(",")
    if scheme.lower() != "data" or not comma:
        raise QueryError("image_url: pictures are taken as data URLs (data:image/jpeg;base64,…); nothing is fetched")
    if not head.lower().endswith(";base64"):
        return unquote_to_bytes(data)
    try:
        return base64.b64decode(unquote_to_bytes(data), validate=True)
    except binascii.Error as error:
        raise QueryError("image_url: this is no base64") from error
