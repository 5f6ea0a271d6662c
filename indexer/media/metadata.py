"""Descriptive metadata: titles, captions, keywords, names of people and places that somebody wrote into a file.

It is text from outside: bounded in length, without control characters, never markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MAX_TEXT_CHARS = 2000
"""Chosen: characters of one field; a caption of a page. A longer one is cut, so that it does not outweigh the media."""
_MAX_TOTAL_CHARS = 8000
"""Chosen: characters of all fields of a file; about four pages, which is a hundred passages of video less than half an
hour long."""
_MAX_FIELDS = 200
"""Chosen: fields of a file; keywords are one field each before they are joined."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]+")
_MACHINE_TEXT = re.compile(
    r"(?:olympus digital camera|sony dsc|minolta digital camera|samsung digital camera|digital camera|dcim.*|default"
    r"|untitled|unspecified|\(?anonymous\)?|unknown|none|null|document\d*|powerpoint presentation|oi_desc.*|charset=.*"
    r"|(?:lavc|lavf|creator: gd-jpeg|file written by|created (?:with|by)|optimized|lead technologies|edited with"
    r"|intel\(r\) jpeg|handbrake|apple quicktime|videohandler|soundhandler).*"
    r"|[{\[].*[}\]]|[\d.\-_:/\s]*)",
    re.IGNORECASE,
)
"""Chosen: what cameras and programs write into fields meant for people: names of models, JSON, bare numbers."""
_PROGRAM_PREFIX = re.compile(r"(?:microsoft (?:word|excel|powerpoint)|layout \d+) - ", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,200}>")


@dataclass(frozen=True, slots=True)
class MetadataField:
    """One text that a file says about itself, and what it is: `Title`, `Keywords`, `Place` …"""

    label: str
    text: str


def describe_fields(fields: Iterable[MetadataField]) -> tuple[str, ...]:
    """Return the fields as lines for search, `Title: …`, those of one label joined, each text once, and bounded.

    What machines write (`OLYMPUS DIGITAL CAMERA`, `untitled`) is left out.
    """
    texts: dict[str, list[str]] = {}
    seen: set[str] = set()
    room = _MAX_TOTAL_CHARS
    for number, field in enumerate(fields):
        text = clean_text(field.text)[: max(0, room)]
        if number >= _MAX_FIELDS or not text or text.casefold() in seen or _MACHINE_TEXT.fullmatch(text):
            continue
        seen.add(text.casefold())
        room -= len(text)
        texts.setdefault(field.label, []).append(text)
    return tuple(f"{label}: {', '.join(own)}" for label, own in texts.items())


def clean_text(text: str) -> str:
    """Return a text on one line without control characters, HTML and names of programs; cut to its limit."""
    visible = _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())
    without_tags = _TAG.sub(" ", visible)
    return _PROGRAM_PREFIX.sub("", " ".join(without_tags.split()))[:_MAX_TEXT_CHARS].strip()
