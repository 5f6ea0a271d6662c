"""Examples for the answer reader: questions, the passages that answer them and in which units, and others."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.answer_reader.passages import PlacedPassage
from benchmarks.real_documents.bed import BedQuestion
from benchmarks.real_documents.normalisation import contains_alternative, normalise
from indexer.encoders.multilingual_e5.parts import QUERY_PREFIX, ModelParts
from indexer.indexes.faiss.index import FaissIndex
from indexer.ports import SentenceEncoder
from indexer.types import AssetKind, AssetTags, Hit, Lane, SegmentBatch, SegmentFilter
from services.reading.multilingual_e5 import MAX_QUESTION_TOKENS, TokenizedPassage, tokenize_passage
from services.search.curves import LogisticCurve
from services.search.fusion import LaneRanking, fuse

_CURVES = {Lane.TEXT: LogisticCurve(0.856, 0.0131), Lane.KEYWORDS: LogisticCurve(0.618, 0.1066)}
"""Form: the calibration of the home of the work half, rounded; it only orders the passages of an example."""
_FOUND = 60
"""Form: hits of a lane, far more than the negatives of an example."""
_NEGATIVES, _OF_THE_DOCUMENT = 16, 6
"""Chosen: passages without the answer: as many as are read for one, a third of them of the right document."""
_MIN_QUOTE_SHARE = 0.5
"""Chosen: words that a unit shares with the quote, of the shorter one, to be the place where the answer stands."""
_MIN_BEST_SHARE = 0.8
"""Chosen: a passage answers if it has this share of the words of the quote that the best one has."""


@dataclass(frozen=True, slots=True)
class Example:
    """A question in tokens; `labels` tell of passages, by number, which units answer.

    `positives` are the passages that answer as the quote does, `negatives` others, the likeliest found first.
    `document` is the one that it asks about.
    """

    document: str
    question: list[int]
    positives: list[int]
    negatives: list[int]
    labels: dict[int, list[bool]]


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Passages in tokens and as vectors `[passages, dim]`, the document of each, and the examples about them."""

    passages: list[TokenizedPassage]
    vectors: NDArray[np.float32]
    documents: list[str]
    examples: list[Example]


def build_training_set(
    placed: Sequence[PlacedPassage], questions: Sequence[BedQuestion], parts: ModelParts, encoder: SentenceEncoder
) -> TrainingSet:
    """Make an example of each question; one whose answer stands in no single unit is left out."""
    passages = [tokenize_passage(parts, each.segment) for each in placed]
    by_document: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(placed):
        by_document[each.document].append(number)
    vectors = encoder.encode_queries([question.question for question in questions])
    with TemporaryDirectory() as folder:
        index = _Index(placed, Path(folder))
        rankings = [index.rank(question.question, vector) for question, vector in zip(questions, vectors, strict=True)]
        index.close()
    examples = []
    for question, ranking in zip(questions, rankings, strict=True):
        labels = dict(_label(question, placed, passages, by_document[question.document]))
        if question.is_answerable and not labels:
            continue
        found = [number for number in ranking if number not in labels and passages[number].units]
        own = [number for number in found if placed[number].document == question.document][:_OF_THE_DOCUMENT]
        others = [number for number in found if number not in own][: _NEGATIVES - len(own)]
        tokens = parts.tokenizer.encode_with_spans(QUERY_PREFIX + question.question, MAX_QUESTION_TOKENS).ids
        positives = _choose_positives(question, placed, labels)
        examples.append(Example(question.document, tokens, positives, own + others, labels))
    return TrainingSet(
        passages, np.stack([each.vector for each in placed]), [each.document for each in placed], examples
    )


class _Index:
    """Both text lanes over the passages, whose numbers it finds."""

    def __init__(self, placed: Sequence[PlacedPassage], folder: Path) -> None:
        self._index = FaissIndex(folder)
        self._numbers: dict[tuple[str, int], int] = {}
        for document, group in groupby(enumerate(placed), key=lambda each: each[1].document):
            members = list(group)
            asset_id = hashlib.sha256(document.encode()).hexdigest()
            vectors = np.stack([each.vector for _, each in members])
            batch = SegmentBatch(
                tuple(each.segment for _, each in members), {Lane.TEXT: np.arange(len(members))}, {Lane.TEXT: vectors}
            )
            self._index.put(AssetTags(asset_id, AssetKind.DOCUMENT, frozenset()), [batch])
            self._numbers |= {(asset_id, each.segment.ordinal): number for number, each in members}

    def rank(self, question: str, vector: np.ndarray) -> list[int]:
        """Return the numbers of passages for a question, best first."""
        rankings = [self._rank_lane(Lane.TEXT, vector), self._rank_lane(Lane.KEYWORDS, question)]
        return [self._numbers[entry.asset_id, entry.segment.ordinal] for entry in fuse(rankings)]

    def close(self) -> None:
        self._index.close()

    def _rank_lane(self, lane: Lane, query: np.ndarray | str) -> LaneRanking:
        curve = _CURVES[lane]
        hits = self._index.search(lane, query, _FOUND, SegmentFilter())
        scored = tuple(Hit(hit.asset_id, hit.kind, lane, hit.segment, curve.logit(hit.score)) for hit in hits)
        return LaneRanking(lane, 1.0, scored, scored[-1].score if scored else curve.logit(0.0))


def _label(
    question: BedQuestion, placed: Sequence[PlacedPassage], passages: Sequence[TokenizedPassage], numbers: Sequence[int]
) -> Iterator[tuple[int, list[bool]]]:
    """Yield the passages of the right pages with a unit that answers, and which units do."""
    if not question.is_answerable:
        return
    quote = set(normalise(question.quote).split())
    for number in numbers:
        if placed[number].page in question.pages:
            texts = [placed[number].segment.text[start:end] for start, end in passages[number].units]
            right = [contains_alternative(text, question.answers) for text in texts]
            quoted = [
                is_right and _share(text, quote) >= _MIN_QUOTE_SHARE
                for is_right, text in zip(right, texts, strict=True)
            ]
            if any(right):
                yield number, quoted if any(quoted) else right


def _share(text: str, quote: set[str]) -> float:
    words = set(normalise(text).split())
    return len(words & quote) / max(1, min(len(words), len(quote)))


def _choose_positives(
    question: BedQuestion, placed: Sequence[PlacedPassage], labels: dict[int, list[bool]]
) -> list[int]:
    """Return the passages that have most of the quote: an answer like "10" may stand in others by chance."""
    quote = set(normalise(question.quote).split())
    shares = {number: len(quote & set(normalise(placed[number].segment.text).split())) for number in labels}
    best = max(shares.values(), default=0)
    return [number for number, share in shares.items() if share >= _MIN_BEST_SHARE * best]
