"""What a model is not trusted with: when something happens, and how often, are told by what a sentence cites.

A model says what is in a picture and which one it is; times that it copies from between the pictures, and sums over
them, come out wrong more often than either. Both follow from the spans of the evidence, so the service writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from services.answering.question_analysis import TIMESTAMP_PATTERN, parse_timestamps
from services.generators.prompts import format_timestamp
from services.generators.types import DraftSentence, Evidence, Quote

_OCCURRENCE_PHRASE = re.compile(r"\s*\b(once|twice|(\w+) times?)\b", re.IGNORECASE)
_NUMBER_WORDS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_MULTIPLICATIVE_WORDS = {"once": "one", "twice": "two"}
_MOMENT_GAP_S = 3.0
TIMESTAMP_TOLERANCE_S = 1.5
"""How far a time that a sentence names may lie outside of the span that it cites."""


def correct_timestamps(draft: DraftSentence, cited_evidence: Sequence[Evidence]) -> DraftSentence:
    """The draft with each time that lies in none of the moments that it cites replaced by the beginning of the one it
    belongs to: the only one, or, where it names as many times as moments, the one in the same place. Otherwise as it
    is. Times in the name of a cited file are left alone."""
    if any(TIMESTAMP_PATTERN.search(one.result.asset.name) for one in cited_evidence):
        return draft
    spans = [_span(one) for one in cited_evidence if one.result.segment.start_s is not None]
    timestamps_s = parse_timestamps(draft.text)
    own = spans * len(timestamps_s) if len(spans) == 1 else spans
    if not timestamps_s or len(own) != len(timestamps_s):
        return draft
    corrections = iter(
        [
            format_timestamp(span[0]) if _is_outside(at, spans) else None
            for at, span in zip(timestamps_s, own, strict=True)
        ]
    )
    return replace(draft, text=TIMESTAMP_PATTERN.sub(lambda match: next(corrections) or match[0], draft.text))


def parse_occurrence_count(text: str) -> tuple[str, int] | None:
    """A sentence that says how often something happens: the rest of it, and the number, -1 where that is no number.
    None where it does not."""
    match = _OCCURRENCE_PHRASE.search(text)
    if match is None:
        return None
    word = (match[2] or _MULTIPLICATIVE_WORDS[match[1].casefold()]).casefold()
    number = int(word) if word.isdigit() else _NUMBER_WORDS.index(word) if word in _NUMBER_WORDS else -1
    return f"{text[: match.start()]}{text[match.end() :]}".strip(), number


def correct_occurrence_count(
    draft: DraftSentence,
    evidence: Sequence[Evidence],
    entailment_scores: Callable[[str, Sequence[Evidence]], list[float]],
    min_score: float,
) -> DraftSentence:
    """A draft that says how often something happens, with the number of moments of the video that show it, surely
    enough (`least`), and a citation for each; as it is where none does, or it says nothing of the kind of one video."""
    occurrences = parse_occurrence_count(draft.text)
    assets = {one.result.asset.asset_id for one in evidence if Quote(one.id) in draft.quotes and _is_video_picture(one)}
    if occurrences is None or occurrences[1] < 0 or len(assets) != 1:
        return draft
    candidates = [one for one in evidence if one.result.asset.asset_id in assets and _is_video_picture(one)]
    supporting_evidence = [
        one
        for one, score in zip(candidates, entailment_scores(occurrences[0], candidates), strict=True)
        if score >= min_score
    ]
    if not supporting_evidence:
        return draft
    first = distinct_moments(supporting_evidence)
    count = _NUMBER_WORDS[len(first)] if len(first) < len(_NUMBER_WORDS) else str(len(first))
    text = _OCCURRENCE_PHRASE.sub(f" {count} time{'s' if len(first) > 1 else ''}", draft.text, count=1)
    return replace(draft, text=text, quotes=tuple(Quote(one.id) for one in first))


def distinct_moments(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The first piece of each moment, in order of time: what lies closer than a few seconds is one moment."""
    first: list[Evidence] = []
    last_s = -_MOMENT_GAP_S
    for one in sorted(evidence, key=_span):
        start_s, end_s = _span(one)
        if start_s - last_s >= _MOMENT_GAP_S:
            first.append(one)
        last_s = max(last_s, end_s)
    return first


def _is_video_picture(one: Evidence) -> bool:
    return (
        one.result.segment.picture is not None and one.result.segment.start_s is not None and one.visual_tokens is None
    )


def _span(one: Evidence) -> tuple[float, float]:
    start_s, end_s = one.result.segment.start_s or 0.0, one.result.segment.end_s
    return start_s, start_s if end_s is None else end_s


def _is_outside(time_s: float, spans: Sequence[tuple[float, float]]) -> bool:
    return not any(start - TIMESTAMP_TOLERANCE_S <= time_s <= end + TIMESTAMP_TOLERANCE_S for start, end in spans)
