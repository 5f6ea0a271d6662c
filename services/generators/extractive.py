"""`ExtractiveGenerator`: answers by quoting. It needs no language model and invents nothing.

The evidence is cut into sentences; each is weighed by what it has in common with the question in meaning (sentence
embedding) and in words, by how well its passage was found, and by whether it holds the kind of thing that is asked for
(a number for "how many", a date or time for "when"). The best one is quoted, and others that are nearly as good. Where
only pictures were found, it says where they are to be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from indexer.passages import sentences
from indexer.ports import SentenceEncoder
from indexer.types import AssetKind
from services.types import Draft, Evidence, Quote

_NEARLY = 0.9
_SHORT_WORDS = 3
_WORD = re.compile(r"\w+")
_DATE = (
    r"\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:january|february|march|april|may|june|july|august|september"
    r"|october|november|december|spring|summer|autumn|winter|daily|noon|midnight|today|tomorrow)\b"
)
_NUMBER = (
    r"\d|\b(?:no|none|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred"
    r"|thousand|million|half|third|quarter|dozen|once|twice)\b"
)
_ASKED_FOR = tuple(
    (re.compile(asks, re.IGNORECASE), re.compile(kind, re.IGNORECASE))
    for asks, kind in (
        (r"^(?:since |until |from |by )?when\b|\bwhat (?:date|day|time|year)\b|\b(?:which|what) days?\b", _DATE),
        (r"\bhow (?:many|much|long|old|high|tall|heavy|far|fast|large|big|wide|deep|often)\b", _NUMBER),
        (r"\b(?:price|cost|number|amount|rate|sum|total|speed|length|weight|size|phone)\b", _NUMBER),
    )
)
"""What a question asks for, and what a sentence that answers it holds."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    evidence: Evidence
    start: int
    end: int
    score: float

    @property
    def text(self) -> str:
        return self.evidence.found.segment.text[self.start : self.end]


class ExtractiveGenerator:
    """See `services.ports.Generator`. At most `limit` sentences; `text` gives the sentence encoder, or None."""

    model_id = "extractive"

    def __init__(self, text: Callable[[], SentenceEncoder | None], limit: int) -> None:
        self._text, self._limit = text, limit

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Draft]:
        candidates = self._weighed(question, evidence)
        if not candidates:
            yield from (_shown(one) for one in evidence[:1])
            return
        said: set[str] = set()
        for candidate in candidates:
            if candidate.score < _NEARLY * candidates[0].score or len(said) == self._limit:
                return
            if candidate.text.casefold() not in said:
                said.add(candidate.text.casefold())
                quote = Quote(candidate.evidence.id, candidate.start, candidate.end)
                yield Draft(" ".join(candidate.text.split()), (quote,), candidate.score)

    def _weighed(self, question: str, evidence: Sequence[Evidence]) -> list[_Candidate]:
        spans = [(one, start, end) for one in evidence for start, end in _quotable(one.found.segment.text)]
        if not spans:
            return []
        meaning = self._meaning(question, [one.found.segment.text[start:end] for one, start, end in spans])
        candidates = [
            _Candidate(one, start, end, _weight(question, one, one.found.segment.text[start:end], near))
            for (one, start, end), near in zip(spans, meaning, strict=True)
        ]
        return sorted(candidates, key=lambda candidate: -candidate.score)

    def _meaning(self, question: str, texts: Sequence[str]) -> list[float]:
        encoder = self._text()
        if encoder is None:
            return [0.0] * len(texts)
        vectors = encoder.encode([question, *texts])
        return [float(near) for near in np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)]


def _quotable(text: str) -> list[tuple[int, int]]:
    """The sentences of a passage; very short ones (a heading, a label) stay with what follows."""
    spans: list[tuple[int, int]] = []
    open_start: int | None = None
    for start, end in sentences(text):
        begin = start if open_start is None else open_start
        if len(text[begin:end].split()) < _SHORT_WORDS:
            open_start = begin
            continue
        spans.append((begin, end))
        open_start = None
    if open_start is not None:
        end = len(text.rstrip())
        if spans:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((open_start, end))
    return spans


def _weight(question: str, evidence: Evidence, text: str, near: float) -> float:
    fits = all(kind.search(text) for asks, kind in _ASKED_FOR if asks.search(question))
    return 0.55 * near + 0.2 * _shared(question, text) + 0.1 * evidence.found.score + 0.15 * fits


def _shared(question: str, text: str) -> float:
    wanted = {word.casefold() for word in _WORD.findall(question) if len(word) > 3 or word.isupper() or word.isdigit()}
    have = {word.casefold() for word in _WORD.findall(text)}
    return len(wanted & have) / len(wanted) if wanted else 0.0


def _shown(evidence: Evidence) -> Draft:
    found = evidence.found
    match found.asset.kind:
        case AssetKind.VIDEO:
            where = f"{found.asset.name} from {clock(found.segment.start_s)} to {clock(found.segment.end_s)}"
        case AssetKind.DOCUMENT:
            where = f"page {found.segment.page} of {found.asset.name}"
        case AssetKind.IMAGE:
            where = found.asset.name
    return Draft(f"It looks like what is shown in {where}.", (Quote(evidence.id),), found.score)


def clock(time_s: float | None) -> str:
    """A time as people write it: `1:02`, `1:01:02`; whole seconds, rounded down."""
    whole = int(time_s or 0.0)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
