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

from indexer.ports import SentenceEncoder
from indexer.text.passages import split_sentences
from indexer.text.tokenizer import tokenize, tokenize_query
from indexer.types import AssetKind
from services.generators.answer_types import matches_answer_type
from services.generators.types import DraftSentence, Evidence, Quote

_MIN_RELATIVE_SCORE = 0.9
_MIN_SENTENCE_WORDS = 3
_MAX_PAIR_CHARS = 300
_PAIR_PENALTY = 0.03
_SEMANTIC_WEIGHT, _LEXICAL_WEIGHT, _RETRIEVAL_WEIGHT = 0.6, 0.3, 0.1
_WRONG_TYPE_FACTOR = 0.6


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Characters `[start, end)` of a piece of evidence: a sentence, or two that follow each other."""

    evidence: Evidence
    start: int
    end: int
    is_pair: bool
    score: float = 0.0

    @property
    def text(self) -> str:
        return " ".join(self.evidence.result.segment.text[self.start : self.end].split())

    def overlaps_with(self, other: _Candidate) -> bool:
        """Whether it says, in part, what the other says."""
        overlaps = self.evidence is other.evidence and self.start < other.end and other.start < self.end
        return overlaps or self.text.casefold() in other.text.casefold()


class ExtractiveGenerator:
    """See `services.ports.Generator`. At most `limit` sentences; `text` gives the sentence encoder, or None."""

    model_id = "extractive"

    def __init__(self, text_encoder: Callable[[], SentenceEncoder | None], max_sentences: int) -> None:
        self._text_encoder, self._max_sentences = text_encoder, max_sentences

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        candidates = self._rank_candidates(question, evidence)
        if not candidates:
            yield from (_describe_location(one) for one in evidence[:1])
            return
        selection: list[_Candidate] = []
        for candidate in candidates:
            if candidate.score < _MIN_RELATIVE_SCORE * candidates[0].score or len(selection) == self._max_sentences:
                return
            if not any(candidate.overlaps_with(other) for other in selection):
                selection.append(candidate)
                quote = Quote(candidate.evidence.id, candidate.start, candidate.end)
                yield DraftSentence(candidate.text, (quote,), candidate.score)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """The sentences that are most like all the others, in the order of the evidence; pictures alone say nothing."""
        spans = [_Candidate(one, *span) for one in evidence for span in _quotable_spans(one.result.segment.text)]
        single = [span for span in spans if not span.is_pair]
        ranked = sorted(
            range(len(single)), key=self._centralities([span.text for span in single]).__getitem__, reverse=True
        )
        selection: list[int] = []
        for number in ranked[: self._max_sentences]:
            if len(single[number].text.split()) <= max_words and not any(
                single[number].overlaps_with(single[c]) for c in selection
            ):
                selection.append(number)
                max_words -= len(single[number].text.split())
        for number in sorted(selection):
            one = single[number]
            yield DraftSentence(one.text, (Quote(one.evidence.id, one.start, one.end),), one.evidence.result.score)

    def _centralities(self, texts: Sequence[str]) -> list[float]:
        encoder = self._text_encoder()
        if encoder is None or not texts:
            return [-float(number) for number in range(len(texts))]
        vectors = encoder.encode(list(texts))
        return [float(near) for near in vectors @ vectors.mean(0)]

    def _rank_candidates(self, question: str, evidence: Sequence[Evidence]) -> list[_Candidate]:
        spans = [_Candidate(one, *span) for one in evidence for span in _quotable_spans(one.result.segment.text)]
        if not spans:
            return []
        meaning = self._semantic_similarities(question, [span.text for span in spans])
        words = _lexical_overlaps(question, [span.text for span in spans])
        scores = [
            _SEMANTIC_WEIGHT * near
            + _LEXICAL_WEIGHT * shared
            + _RETRIEVAL_WEIGHT * span.evidence.result.score
            - _PAIR_PENALTY * span.is_pair
            for span, near, shared in zip(spans, meaning, words, strict=True)
        ]
        fits = [1.0 if matches_answer_type(question, span.text) else _WRONG_TYPE_FACTOR for span in spans]
        weighed = [replace(span, score=s * fit) for span, s, fit in zip(spans, scores, fits, strict=True)]
        return sorted(weighed, key=lambda candidate: -candidate.score)

    def _semantic_similarities(self, question: str, texts: Sequence[str]) -> list[float]:
        encoder = self._text_encoder()
        if encoder is None:
            return [0.0] * len(texts)
        vectors = encoder.encode([question, *texts])
        return [float(near) for near in np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)]


def _quotable_spans(text: str) -> Iterator[tuple[int, int, bool]]:
    """The sentences of a passage, and its pairs of neighbours."""
    single = _merge_short_sentences(text)
    yield from ((start, end, False) for start, end in single)
    for (start, _), (_, end) in pairwise(single):
        if end - start <= _MAX_PAIR_CHARS:
            yield start, end, True


def _merge_short_sentences(text: str) -> list[tuple[int, int]]:
    """Very short sentences (a heading, a label) stay with what follows, the last one with what stands before."""
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for start, end in split_sentences(text):
        begin = start if begin is None else begin
        if len(text[begin:end].split()) >= _MIN_SENTENCE_WORDS:
            spans.append((begin, end))
            begin = None
    if begin is not None:
        start = spans.pop()[0] if spans else begin
        spans.append((start, len(text.rstrip())))
    return spans


def _lexical_overlaps(question: str, texts: Sequence[str]) -> list[float]:
    """For each text, how much of the question's words it holds; words that few of the texts hold weigh more."""
    wanted = set(tokenize(" ".join(tokenize_query(question))))
    held = [wanted & set(tokenize(text)) for text in texts]
    counts = Counter(word for words in held for word in words)
    weights = {word: math.log(1 + len(texts) / (1 + counts[word])) for word in wanted}
    total = sum(weights.values())
    return [sum(weights[word] for word in words) / total if total else 0.0 for words in held]


def _describe_location(evidence: Evidence) -> DraftSentence:
    found = evidence.result
    match found.asset.kind:
        case AssetKind.VIDEO:
            where = f"{found.asset.name} from {format_short_timestamp(found.segment.start_s)} to {format_short_timestamp(found.segment.end_s)}"
        case AssetKind.DOCUMENT:
            where = f"page {found.segment.page} of {found.asset.name}"
        case AssetKind.IMAGE:
            where = found.asset.name
    return DraftSentence(f"It looks like what is shown in {where}.", (Quote(evidence.id),), found.score)


def format_short_timestamp(time_s: float | None) -> str:
    """A time as people write it: `1:02`, `1:01:02`; whole seconds, rounded down."""
    whole = int(time_s or 0.0)
    hours, minutes, seconds = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
