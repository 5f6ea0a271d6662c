"""Judging of an answer against the truth of its question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from benchmarks.real_documents.bed import BedQuestion, Document
from benchmarks.real_documents.normalisation import contains_alternative
from indexer.types import AssetKind, Segment
from services.answering.types import Answer
from services.catalog.types import Asset

_MAX_ANSWER_CHARS = 600
"""Chosen: an answer is read at a glance; a whole page that holds the words is none."""


class BedVerdict(StrEnum):
    """Verdict on an answer.

    RIGHT: says the answer and cites a page that proves it. UNPROVEN: says it, cites other pages alone. WRONG: says
    something else, or answers what has no answer. REFUSED: says that nothing was found.
    """

    RIGHT = "right"
    UNPROVEN = "unproven"
    WRONG = "wrong"
    REFUSED = "refused"


class Place(msgspec.Struct, frozen=True):
    """A page of a document of the bed; an image is its page 1."""

    document: str
    page: int


class QuestionResult(msgspec.Struct, frozen=True):
    """What came of a question.

    `rank` is the place of the first right page in search, 0 where it is not among them; `weaker_rank` is the same with
    the results below the cut too.
    """

    id: str
    kind: str
    verdict: BedVerdict
    rank: int
    weaker_rank: int
    answer: str
    cited: tuple[Place, ...]
    found: tuple[Place, ...]
    search_s: float
    answer_s: float


def judge_answer(question: BedQuestion, answer: Answer, cited: Sequence[Place]) -> BedVerdict:
    """Compare an answer, and the places that it cites, with the truth."""
    if answer.abstained:
        return BedVerdict.REFUSED
    text = " ".join(sentence.text for sentence in answer.sentences)
    is_right = len(text) <= _MAX_ANSWER_CHARS and contains_alternative(text, question.answers)
    if not question.is_answerable or not is_right:
        return BedVerdict.WRONG
    return BedVerdict.RIGHT if any(is_right_place(question, place) for place in cited) else BedVerdict.UNPROVEN


def is_right_place(question: BedQuestion, place: Place) -> bool:
    """Return whether a page proves the answer of a question."""
    return place.document == question.document and place.page in question.pages


def rank_right_page(question: BedQuestion, places: Sequence[Place]) -> int:
    """Return the place, from 1, of the first right page among different pages; 0 where there is none."""
    pages = list(dict.fromkeys(places))
    return next((rank for rank, place in enumerate(pages, 1) if is_right_place(question, place)), 0)


def list_cited_places(answer: Answer, documents: Mapping[str, Document]) -> tuple[Place, ...]:
    """Return the pages that an answer cites, in its order; `documents` are by the names of their files."""
    cited = [citation.evidence for sentence in answer.sentences for citation in sentence.citations]
    return tuple(
        dict.fromkeys(Place(documents[each.asset.name].id, read_page(each.asset, each.segment)) for each in cited)
    )


def read_page(asset: Asset, segment: Segment) -> int:
    """Return the page of a segment: 1 for all of an image, 0 for what a document says about itself."""
    return segment.page if segment.page is not None else int(asset.kind is AssetKind.IMAGE)
