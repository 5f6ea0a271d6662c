"""`ExtractiveGenerator`: answers by quoting. It needs no language model and invents nothing.

The evidence is cut into sentences and pairs of neighbours. Each is weighed by what it has in common with the question,
in meaning (sentence embedding) and in words (rare ones more), by how well its passage was found, and by whether it
holds the kind of thing that is asked for. The best one is quoted, and others that are nearly as good. Where only
pictures were found, it says where they are to be seen.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from indexer.indexes.words import query_terms, tokens
from indexer.passages import sentences
from indexer.ports import SentenceEncoder
from indexer.types import AssetKind
from services.generators.asked_for import holds_what_is_asked
from services.types import Draft, Evidence, Quote

_NEARLY = 0.9
_SHORT_WORDS = 3
_LONGEST_PAIR = 300
_PAIR_COSTS = 0.03
_MEANING, _WORDS, _FOUND = 0.6, 0.3, 0.1
_WRONG_KIND = 0.6


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Characters `[start, end)` of a piece of evidence: a sentence, or two that follow each other."""

    evidence: Evidence
    start: int
    end: int
    pair: bool
    score: float = 0.0

    @property
    def text(self) -> str:
        return " ".join(self.evidence.found.segment.text[self.start : self.end].split())

    def repeats(self, other: _Candidate) -> bool:
        """Whether it says, in part, what the other says."""
        overlaps = self.evidence is other.evidence and self.start < other.end and other.start < self.end
        return overlaps or self.text.casefold() in other.text.casefold()


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
        said: list[_Candidate] = []
        for candidate in candidates:
            if candidate.score < _NEARLY * candidates[0].score or len(said) == self._limit:
                return
            if not any(candidate.repeats(other) for other in said):
                said.append(candidate)
                quote = Quote(candidate.evidence.id, candidate.start, candidate.end)
                yield Draft(candidate.text, (quote,), candidate.score)

    def describe(self, evidence: Sequence[Evidence], words: int) -> Iterator[Draft]:
        """The sentences that are most like all the others, in the order of the evidence; pictures alone say nothing."""
        spans = [_Candidate(one, *span) for one in evidence for span in _quotable(one.found.segment.text)]
        single = [span for span in spans if not span.pair]
        ranked = sorted(range(len(single)), key=self._central([span.text for span in single]).__getitem__, reverse=True)
        chosen: list[int] = []
        for number in ranked[: self._limit]:
            if len(single[number].text.split()) <= words and not any(single[number].repeats(single[c]) for c in chosen):
                chosen.append(number)
                words -= len(single[number].text.split())
        for number in sorted(chosen):
            one = single[number]
            yield Draft(one.text, (Quote(one.evidence.id, one.start, one.end),), one.evidence.found.score)

    def _central(self, texts: Sequence[str]) -> list[float]:
        encoder = self._text()
        if encoder is None or not texts:
            return [-float(number) for number in range(len(texts))]
        vectors = encoder.encode(list(texts))
        return [float(near) for near in vectors @ vectors.mean(0)]

    def _weighed(self, question: str, evidence: Sequence[Evidence]) -> list[_Candidate]:
        spans = [_Candidate(one, *span) for one in evidence for span in _quotable(one.found.segment.text)]
        if not spans:
            return []
        meaning = self._meaning(question, [span.text for span in spans])
        words = _shared_words(question, [span.text for span in spans])
        scores = [
            _MEANING * near + _WORDS * shared + _FOUND * span.evidence.found.score - _PAIR_COSTS * span.pair
            for span, near, shared in zip(spans, meaning, words, strict=True)
        ]
        fits = [1.0 if holds_what_is_asked(question, span.text) else _WRONG_KIND for span in spans]
        weighed = [replace(span, score=s * fit) for span, s, fit in zip(spans, scores, fits, strict=True)]
        return sorted(weighed, key=lambda candidate: -candidate.score)

    def _meaning(self, question: str, texts: Sequence[str]) -> list[float]:
        encoder = self._text()
        if encoder is None:
            return [0.0] * len(texts)
        vectors = encoder.encode([question, *texts])
        return [float(near) for near in np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)]


def _quotable(text: str) -> Iterator[tuple[int, int, bool]]:
    """The sentences of a passage, and its pairs of neighbours."""
    single = _whole_sentences(text)
    yield from ((start, end, False) for start, end in single)
    for (start, _), (_, end) in pairwise(single):
        if end - start <= _LONGEST_PAIR:
            yield start, end, True


def _whole_sentences(text: str) -> list[tuple[int, int]]:
    """Very short sentences (a heading, a label) stay with what follows, the last one with what stands before."""
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for start, end in sentences(text):
        begin = start if begin is None else begin
        if len(text[begin:end].split()) >= _SHORT_WORDS:
            spans.append((begin, end))
            begin = None
    if begin is not None:
        start = spans.pop()[0] if spans else begin
        spans.append((start, len(text.rstrip())))
    return spans


def _shared_words(question: str, texts: Sequence[str]) -> list[float]:
    """For each text, how much of the question's words it holds; words that few of the texts hold weigh more."""
    wanted = set(tokens(" ".join(query_terms(question))))
    held = [wanted & set(tokens(text)) for text in texts]
    counts = Counter(word for words in held for word in words)
    weights = {word: math.log(1 + len(texts) / (1 + counts[word])) for word in wanted}
    total = sum(weights.values())
    return [sum(weights[word] for word in words) / total if total else 0.0 for words in held]


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
