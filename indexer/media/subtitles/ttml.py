"""Cues of Timed Text Markup Language (.ttml, .dfxp), which broadcasters use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from indexer.media.subtitles.cues import DEFAULT_CUE_S, Cue

_CLOCK = re.compile(r"(\d{2,}):(\d{2}):(\d{2})(?:\.(\d+)|:(\d{2,})(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}  # Source: TTML2, 12.3.1, offset times
_DEFAULT_FRAME_RATE = 30.0  # Source: TTML2, 7.2.5, ttp:frameRate where it is not given
_DEPTH_LIMIT = 100  # Chosen: deeper than any subtitle; bounds the recursion


def is_ttml(text: str) -> bool:
    """Return True if text is XML whose root is `tt`."""
    return re.search(r"<(?:\w+:)?tt[\s>]", text[:4096]) is not None


def parse_ttml(text: str) -> Iterator[Cue]:
    """Yield the cues: paragraphs, or the spans inside them that have times of their own. Times are seconds.

    Entities of the document's own are not read, so nothing can grow; damaged XML has no cues.
    """
    if "<!ENTITY" in text:
        return
    try:
        root = ElementTree.fromstring(re.sub(r"^\s*<\?xml[^>]*\?>", "", text))
    except ElementTree.ParseError:
        return
    attributes = {_local(name): value for name, value in root.attrib.items()}
    frame_rate = _parse_rate(attributes.get("frameRate")) or _DEFAULT_FRAME_RATE
    tick_rate = _parse_rate(attributes.get("tickRate")) or frame_rate
    yield from _walk(root, 0.0, None, (frame_rate, tick_rate), 0)


def _parse_rate(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def _walk(
    element: ElementTree.Element, start_s: float, end_s: float | None, rates: tuple[float, float], depth: int
) -> Iterator[Cue]:
    """Yield the cues below an element that is shown in `[start_s, end_s)`; None: it does not end."""
    if depth > _DEPTH_LIMIT:
        return
    begin = _parse_time_s(element.get("begin"), rates)
    start_s += begin or 0.0
    if (duration := _parse_time_s(element.get("dur"), rates)) is not None:
        end_s = start_s + duration
    elif (end := _parse_time_s(element.get("end"), rates)) is not None:
        end_s = start_s - (begin or 0.0) + end
    timed_parts = any("begin" in part.attrib for part in element.iter() if part is not element)
    if _local(element.tag) in {"p", "span"} and not timed_parts:
        lines = tuple(words for line in _text(element, depth).split("\n") if (words := " ".join(line.split())))
        yield Cue(start_s, start_s + DEFAULT_CUE_S if end_s is None else end_s, lines)
        return
    for part in element:
        yield from _walk(part, start_s, end_s, rates, depth + 1)


def _text(element: ElementTree.Element, depth: int) -> str:
    """Return the text of an element, with `\\n` for its line breaks alone; what is nested too deep is left out."""
    if depth > _DEPTH_LIMIT:
        return ""
    parts = [" ".join((element.text or "").split("\n"))]
    for part in element:
        if _local(part.tag) != "metadata":
            parts.append("\n" if _local(part.tag) == "br" else _text(part, depth + 1))
        parts.append(" ".join((part.tail or "").split("\n")))
    return "".join(parts)


def _local(name: object) -> str:
    """Return a name of XML without its namespace."""
    return str(name).rpartition("}")[2]


def _parse_time_s(text: str | None, rates: tuple[float, float]) -> float | None:
    """Return a time expression in seconds; None where there is none that can be read."""
    frame_rate, tick_rate = rates
    if clock := _CLOCK.fullmatch((text or "").strip()):
        hours, minutes, seconds, fraction, frames = clock.groups()
        whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
        return whole + float(f"0.{fraction or 0}") + int(frames or 0) / frame_rate
    if offset := _OFFSET.fullmatch((text or "").strip()):
        value, unit = float(offset[1]), offset[2]
        return value * _UNIT_S[unit] if unit in _UNIT_S else value / (frame_rate if unit == "f" else tick_rate)
    return None
