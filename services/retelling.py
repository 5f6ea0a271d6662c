"""What a model is not trusted with: when something happens, and how often, are told by what a sentence cites.

A model says what is in a picture and which one it is; times that it copies from between the pictures, and sums over
them, come out wrong more often than either. Both follow from the spans of the evidence, so the service writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from services.asking import TIME, times_in
from services.generators.wording import clock
from services.types import Draft, Evidence, Quote

_TIMES = re.compile(r"\s*\b(once|twice|(\w+) times?)\b", re.IGNORECASE)
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_ONCE = {"once": "one", "twice": "two"}
_GAP_S = 3.0
TOLERANCE_S = 1.5
"""How far a time that a sentence names may lie outside of the span that it cites."""


def with_times(draft: Draft, cited: Sequence[Evidence]) -> Draft:
    """The draft with each time that lies in none of the moments that it cites replaced by the beginning of the one it
    belongs to: the only one, or, where it names as many times as moments, the one in the same place. Otherwise as it
    is. Times in the name of a cited file are left alone."""
    if any(TIME.search(one.found.asset.name) for one in cited):
        return draft
    spans = [_span(one) for one in cited if one.found.segment.start_s is not None]
    named = times_in(draft.text)
    own = spans * len(named) if len(spans) == 1 else spans
    if not named or len(own) != len(named):
        return draft
    right = iter([clock(span[0]) if _outside(at, spans) else None for at, span in zip(named, own, strict=True)])
    return replace(draft, text=TIME.sub(lambda match: next(right) or match[0], draft.text))


def often(text: str) -> tuple[str, int] | None:
    """A sentence that says how often something happens: the rest of it, and the number, -1 where that is no number.
    None where it does not."""
    found = _TIMES.search(text)
    if found is None:
        return None
    word = (found[2] or _ONCE[found[1].casefold()]).casefold()
    number = int(word) if word.isdigit() else _NUMBERS.index(word) if word in _NUMBERS else -1
    return f"{text[: found.start()]}{text[found.end() :]}".strip(), number


def with_count(
    draft: Draft, evidence: Sequence[Evidence], shows: Callable[[str, Sequence[Evidence]], list[float]], least: float
) -> Draft:
    """A draft that says how often something happens, with the number of moments of the video that show it, surely
    enough (`least`), and a citation for each; as it is where none does, or it says nothing of the kind of one video."""
    said = often(draft.text)
    assets = {one.found.asset.asset_id for one in evidence if Quote(one.id) in draft.quotes and _is_moment(one)}
    if said is None or said[1] < 0 or len(assets) != 1:
        return draft
    seen = [one for one in evidence if one.found.asset.asset_id in assets and _is_moment(one)]
    showing = [one for one, score in zip(seen, shows(said[0], seen), strict=True) if score >= least]
    if not showing:
        return draft
    first = firsts(showing)
    count = _NUMBERS[len(first)] if len(first) < len(_NUMBERS) else str(len(first))
    text = _TIMES.sub(f" {count} time{'s' if len(first) > 1 else ''}", draft.text, count=1)
    return replace(draft, text=text, quotes=tuple(Quote(one.id) for one in first))


def firsts(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The first piece of each moment, in order of time: what lies closer than a few seconds is one moment."""
    first: list[Evidence] = []
    last_s = -_GAP_S
    for one in sorted(evidence, key=_span):
        start_s, end_s = _span(one)
        if start_s - last_s >= _GAP_S:
            first.append(one)
        last_s = max(last_s, end_s)
    return first


def _is_moment(one: Evidence) -> bool:
    return one.found.segment.picture is not None and one.found.segment.start_s is not None and one.tokens is None


def _span(one: Evidence) -> tuple[float, float]:
    start_s, end_s = one.found.segment.start_s or 0.0, one.found.segment.end_s
    return start_s, start_s if end_s is None else end_s


def _outside(time_s: float, spans: Sequence[tuple[float, float]]) -> bool:
    return not any(start - TOLERANCE_S <= time_s <= end + TOLERANCE_S for start, end in spans)
