"""Attribute times and counts to evidence: timestamps and "three times" follow from the spans that a sentence cites.

A model says what a picture shows and which one it is; times that it copies from between the pictures, and sums over
them, are wrong more often. Both follow from the spans of the evidence, so the service writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from indexer.types import TimeSpan
from services.answering.rules.timestamps import TIMESTAMP_PATTERN, parse_timestamps
from services.generators.timestamps import format_timestamp
from services.generators.types import DraftSentence, Evidence, Quote

_OCCURRENCE_PHRASE = re.compile(r"\s*\b(once|twice|(\w+) times?)\b", re.IGNORECASE)
_NUMBER_WORDS = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_MULTIPLICATIVE_WORDS = {"once": "one", "twice": "two"}
_MOMENT_GAP_S = 3.0
"""Chosen: closer pieces are one occurrence, as search merges hits to moments (AFTERIMAGE_SEARCH__MERGE_GAP_S)."""
TIMESTAMP_TOLERANCE_S = 1.5
"""Chosen: a sentence may round a time of its evidence to a second, and to the next sampled frame."""


def correct_timestamps(draft: DraftSentence, cited_evidence: Sequence[Evidence]) -> DraftSentence:
    """Replace times that lie in none of the cited spans by the start of the span that they belong to.

    That is the only span, or, where the sentence names as many times as it cites spans, the one in the same place;
    otherwise the draft stays as it is. Times in the name of a cited file are left alone.
    """
    if any(TIMESTAMP_PATTERN.search(piece.asset.name) for piece in cited_evidence):
        return draft
    spans = [piece.span for piece in cited_evidence if piece.span is not None]
    timestamps_s = parse_timestamps(draft.text)
    own = spans * len(timestamps_s) if len(spans) == 1 else spans
    if not timestamps_s or len(own) != len(timestamps_s):
        return draft
    corrections = iter(
        [
            None if is_within_any(time_s, spans) else format_timestamp(span.start_s)
            for time_s, span in zip(timestamps_s, own, strict=True)
        ]
    )
    return replace(draft, text=TIMESTAMP_PATTERN.sub(lambda match: next(corrections) or match[0], draft.text))


def parse_occurrence_count(text: str) -> tuple[str, int] | None:
    """Split "a dog appears three times" into its claim and its count (-1: not a number); None for other sentences."""
    match = _OCCURRENCE_PHRASE.search(text)
    if match is None:
        return None
    word = (match[2] or _MULTIPLICATIVE_WORDS[match[1].casefold()]).casefold()
    count = int(word) if word.isdigit() else _NUMBER_WORDS.index(word) if word in _NUMBER_WORDS else -1
    return f"{text[: match.start()]}{text[match.end() :]}".strip(), count


def correct_occurrence_count(
    draft: DraftSentence,
    evidence: Sequence[Evidence],
    entailment_scores: Callable[[str, Sequence[Evidence]], list[float]],
    min_score: float,
) -> DraftSentence:
    """Replace a count of occurrences by the number of moments of the video that show it, with a citation for each.

    A moment shows it from `min_score` on. The draft stays as it is where none does, or where it says nothing of the
    kind about one video.
    """
    occurrences = parse_occurrence_count(draft.text)
    assets = {
        piece.asset.asset_id for piece in evidence if Quote(piece.id) in draft.quotes and _is_video_picture(piece)
    }
    if occurrences is None or occurrences[1] < 0 or len(assets) != 1:
        return draft
    candidates = [piece for piece in evidence if piece.asset.asset_id in assets and _is_video_picture(piece)]
    scores = entailment_scores(occurrences[0], candidates)
    supporting = [piece for piece, score in zip(candidates, scores, strict=True) if score >= min_score]
    if not supporting:
        return draft
    moments = distinct_moments(supporting)
    count = _NUMBER_WORDS[len(moments)] if len(moments) < len(_NUMBER_WORDS) else str(len(moments))
    text = _OCCURRENCE_PHRASE.sub(f" {count} time{'s' if len(moments) > 1 else ''}", draft.text, count=1)
    return replace(draft, text=text, quotes=tuple(Quote(piece.id) for piece in moments))


def distinct_moments(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the first piece of evidence of each moment, in order of time; nearby pieces are one moment."""
    first: list[Evidence] = []
    last_s = -_MOMENT_GAP_S
    for piece in sorted(evidence, key=_span_key):
        start_s, end_s = _span_key(piece)
        if start_s - last_s >= _MOMENT_GAP_S:
            first.append(piece)
        last_s = max(last_s, end_s)
    return first


def is_within_any(time_s: float, spans: Sequence[TimeSpan]) -> bool:
    """Tell whether a time lies in one of some spans, give or take `TIMESTAMP_TOLERANCE_S`."""
    return any(span.start_s - TIMESTAMP_TOLERANCE_S <= time_s <= span.end_s + TIMESTAMP_TOLERANCE_S for span in spans)


def _is_video_picture(piece: Evidence) -> bool:
    return piece.segment.picture is not None and piece.span is not None and piece.visual_tokens is None


def _span_key(piece: Evidence) -> tuple[float, float]:
    span = piece.span or TimeSpan(0.0, 0.0)
    return span.start_s, span.end_s
