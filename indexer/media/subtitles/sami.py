"""Cues of SAMI (.smi), whose languages are classes of paragraphs that take turns on one list of times."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.media.subtitles.cues import DEFAULT_CUE_S, Cue, strip_markup

_SYNC = re.compile(r"<SYNC\b[^<>]{0,200}?\bStart\s*=\s*[\"']?\s*(-?\d{1,10})[^<>]{0,200}>", re.IGNORECASE)
_END = re.compile(r"\bEnd\s*=\s*[\"']?\s*(\d{1,10})", re.IGNORECASE)
_PARAGRAPH = re.compile(r"<P\b([^<>]{0,200})>", re.IGNORECASE)
_CLASS = re.compile(r"\bClass\s*=\s*[\"']?\s*([^\s\"'>]{1,100})", re.IGNORECASE)
_NOT_TEXT = re.compile(r"</?(?:SAMI|BODY|HEAD|TABLE|TR|TD)\b[^<>]{0,200}>", re.IGNORECASE)
_MS_PER_S = 1000.0  # Source: SAMI, Start counts milliseconds


def is_sami(text: str) -> bool:
    """Return True if text is SAMI, by its list of times."""
    return _SYNC.search(text) is not None


def parse_sami(text: str) -> list[list[Cue]]:
    """Return the cues of each class (a language), in the order in which the classes first appear.

    A cue ends with the next one of its class, which may be empty, or where it says. Times are seconds.
    """
    cues: dict[str, list[Cue]] = {}
    shown: dict[str, tuple[float, tuple[str, ...]]] = {}
    for start_s, end_s, name, lines in _paragraphs(text):
        _close(cues.setdefault(name, []), shown.pop(name, None), start_s)
        if lines and end_s is not None:
            cues[name].append(Cue(start_s, end_s, lines))
        elif lines:
            shown[name] = (start_s, lines)
    for name, open_cue in shown.items():
        _close(cues[name], open_cue, None)
    return [found for found in cues.values() if found]


def _close(cues: list[Cue], open_cue: tuple[float, tuple[str, ...]] | None, end_s: float | None) -> None:
    """Add the cue that was shown, up to `end_s`; None: the file does not say."""
    if open_cue is not None:
        start_s, lines = open_cue
        cues.append(Cue(start_s, start_s + DEFAULT_CUE_S if end_s is None else end_s, lines))


def _paragraphs(text: str) -> Iterator[tuple[float, float | None, str, tuple[str, ...]]]:
    """Yield start, end (None: open), class and lines of each paragraph, in the order of the file.

    The line breaks of SAMI's source are spaces; a time without a paragraph clears the first class.
    """
    body_text = _NOT_TEXT.sub("", _drop_comments(text))
    pieces, tags = _SYNC.split(body_text), _SYNC.finditer(body_text)
    default = ""
    for tag, start, body in zip(tags, pieces[1::2], pieces[2::2], strict=True):
        end = _END.search(tag[0])
        end_s = int(end[1]) / _MS_PER_S if end else None
        before, *paragraphs = _PARAGRAPH.split(body)
        if not paragraphs:
            paragraphs = ["", before]
        for attributes, content in zip(paragraphs[::2], paragraphs[1::2], strict=True):
            found = _CLASS.search(attributes)
            name = found[1].lower() if found else default
            default = default or name
            lines = strip_markup(content.replace("\n", " "))
            yield int(start) / _MS_PER_S, end_s, name, lines


def _drop_comments(text: str) -> str:
    """Return text without comments; one that does not end is text."""
    kept, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        kept.append(text[at:start])
        at = end + len("-->")
    return "".join(kept) + text[at:]
