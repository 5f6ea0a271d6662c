"""Cues of subtitle formats in which a line of times precedes the text: SubRip, WebVTT, SubViewer 2 and SBV."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.media.subtitles.cues import Cue, strip_markup

_TIMESTAMP = r"(?:(\d{1,3}) ?: ?)?(\d{1,2}) ?: ?(\d{1,2})(?: ?[.,:] ?(\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIMESTAMP}\s*(?:--?>|,)\s*{_TIMESTAMP}(?:\s.*)?")
_NOT_CUES = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)")
_BROKEN_TIMING = re.compile(r"\s*[\d:.,x?]*:[^\n]{0,40}-->")
"""A line of times that cannot be read: its cue is left out, and is no text of the cue before."""


def has_timing(text: str) -> bool:
    """Return True if text has a line of times."""
    return any(":" in line and _TIMING.fullmatch(line) for line in text.split("\n"))


def parse_timed_text(text: str) -> Iterator[Cue]:
    """Yield the cues of text: a line of times, and all lines up to the next one or to the number above that.

    Empty lines inside a cue are part of it, as players show it; those of WebVTT end it, as its standard says. A cue
    whose times cannot be read is left out. Times are seconds, those of the file.
    """
    lines = list(_without_blocks(text)) if text.startswith("WEBVTT") else text.split("\n")
    timing: re.Match[str] | None = None
    body: list[str] = []
    number = 0
    for line in lines:
        following = _TIMING.fullmatch(line) if ":" in line else None
        if following is None and "-->" not in line:
            body.append(line)
            continue
        if following is None and timing is not None and not _BROKEN_TIMING.match(line):
            body.append(line)
            continue
        number = _pop_number(body, number)
        yield from _to_cue(timing, body)
        timing, body = following, []
    yield from _to_cue(timing, body)


def _without_blocks(text: str) -> Iterator[str]:
    """Yield the lines of WebVTT's cues with one empty line between them, without what else its file holds."""
    inside = False
    for block in re.split(r"\n[^\S\n]*(?:\n[^\S\n]*)+", text):
        lines = block.strip("\n").split("\n")
        inside = not _NOT_CUES.match(lines[0]) and any("-->" in line for line in lines[:2])
        if inside:
            yield from lines if "-->" in lines[0] else lines[1:]


def _pop_number(body: list[str], number: int) -> int:
    """Remove the number of the following cue from the end of a cue's lines; return it, or `number` if there is none.

    It stands right above the times. Above an empty line it is one only where it goes on counting: "1984" is text.
    """
    last = next((i for i in range(len(body) - 1, -1, -1) if body[i].strip()), None)
    if last is None or not body[last].strip().isdecimal() or len(body[last].strip()) > 9:
        return number
    found = int(body[last])
    if last == len(body) - 1 or found == number + 1:
        del body[last:]
        return found
    return number


def _to_cue(timing: re.Match[str] | None, body: list[str]) -> Iterator[Cue]:
    if timing is not None:
        start_s, end_s = _seconds(*timing.groups()[:4]), _seconds(*timing.groups()[4:])
        yield Cue(start_s, end_s, strip_markup("\n".join(body).replace("[br]", "\n")))


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    """Return the parts of a timestamp as seconds."""
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
