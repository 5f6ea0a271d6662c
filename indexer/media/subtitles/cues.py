"""Cues, as every subtitle format gives them: plain text without markup, roll-up captions merged, spans not empty."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from indexer.types import Origin, TextLine

_MIN_CUE_S = 0.1
"""Chosen: spans must not be empty; a cue that ends as it begins is kept, with this length."""
DEFAULT_CUE_S = 4.0
"""Chosen: length of a cue without a duration; too long shows it beyond its speech, too short cuts it."""
_ROLL_UP_GAP_S = 0.15
"""Chosen: cues closer than this may be roll-up captions, which repeat lines; more would merge real repetitions."""
_MAX_TAG_CHARS = 256
"""Chosen: longer than any tag of a subtitle; bounds the search for the end of one that is never closed."""

_DRAWING = re.compile(r"\{[^}]{0,256}\\p[1-9]")
_SPEAKER = re.compile(rf"<v(?:\.[^\s<>]*)?\s+([^<>]{{1,{_MAX_TAG_CHARS}}})>", re.IGNORECASE)
_TAG_NAMES = "i|b|u|s|em|strong|strike|font|span|div|p|br|c|v|lang|ruby|rb|rt|rp|small|big|sub|sup|center|a|tt|nobr"
_MARKUP = re.compile(
    rf"\{{\\[^}}]{{0,{_MAX_TAG_CHARS}}}\}}"
    rf"|</?(?:{_TAG_NAMES})(?:[\s.=][^<>]{{0,{_MAX_TAG_CHARS}}})?/?>"
    r"|<(?:\d{1,3}:)?\d{1,2}:\d{1,2}(?:[.,]\d{1,3})?>",
    re.IGNORECASE,
)
"""Overrides of ASS, the tags of SubRip, WebVTT and SAMI, and WebVTT's times; other text in angle brackets is text."""
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cue:
    """A subtitle cue: times in seconds and lines of plain text."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def strip_markup(text: str) -> tuple[str, ...]:
    """Return the lines of a cue without markup, ASS drawings and superfluous whitespace.

    The speaker that WebVTT names (`<v Name>`) stays, as `Name: `.
    """
    if _DRAWING.search(text):
        return ()
    spoken = _SPEAKER.sub(lambda match: f"{' '.join(match[1].split())}: ", text)
    plain = html.unescape(_MARKUP.sub("", _BREAK.sub("\n", spoken))).replace("\\h", " ").replace("\0", "")
    return tuple(words for line in plain.split("\n") if (words := " ".join(line.split())))


def to_text_lines(cues: Iterable[Cue], block: int) -> list[TextLine]:
    """Return cues as text lines by time, roll-up captions merged, with spans that are not empty."""
    ordered = sorted((cue for cue in cues if cue.lines and cue.end_s > 0), key=lambda cue: (cue.start_s, cue.end_s))
    lines = []
    for cue in _merge_roll_up(ordered):
        start_s = max(cue.start_s, 0.0)
        end_s = max(cue.end_s, start_s + _MIN_CUE_S)
        lines.append(TextLine(" ".join(cue.lines), Origin.SUBTITLE, start_s, end_s, block=block))
    return lines


def _merge_roll_up(cues: list[Cue]) -> list[Cue]:
    """Merge roll-up captions, which repeat lines from cue to cue: each line once, a pure repetition extends its cue."""
    merged: list[Cue] = []
    before: tuple[str, ...] = ()
    for cue in cues:
        touching = bool(merged) and cue.start_s - merged[-1].end_s < _ROLL_UP_GAP_S
        repeated = _count_repeated_lines(before, cue.lines) if touching else 0
        if repeated == len(cue.lines):
            merged[-1] = replace(merged[-1], end_s=max(merged[-1].end_s, cue.end_s))
        else:
            merged.append(replace(cue, lines=cue.lines[repeated:]))
        before = cue.lines
    return merged


def _count_repeated_lines(before: tuple[str, ...], lines: tuple[str, ...]) -> int:
    """Return how many lines at the end of one cue equal those at the beginning of the next."""
    longest = min(len(before), len(lines))
    return next((n for n in range(longest, 0, -1) if before[-n:] == lines[:n]), 0)
