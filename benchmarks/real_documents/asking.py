"""The questions of the bed, put to search and to answering, one after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from benchmarks.real_documents.bed import BedQuestion, Document
from benchmarks.real_documents.perfect_retrieval import PageRetrieval, read_page_segments
from benchmarks.real_documents.verdicts import (
    Place,
    QuestionResult,
    judge_answer,
    list_cited_places,
    rank_right_page,
    read_page,
)
from indexer.types import SegmentFilter
from services.answering.types import Answer
from services.catalog.types import Asset
from services.container import Container
from services.search.types import Moment, Query

_FOUND_PLACES = 10
"""Chosen: one screen of results, the default of search."""


class Perfect(StrEnum):
    """What an ablation knows beforehand: the right document, or the pages of it that prove the answer."""

    DOCUMENT = "document"
    PAGE = "page"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What search finds for a question, above the cut alone and with weaker results, and its time."""

    found: tuple[Place, ...]
    weaker: tuple[Place, ...]
    seconds: float


def search_for(
    container: Container, question: BedQuestion, documents: Mapping[str, Document], filters: SegmentFilter
) -> SearchResult:
    """Search for a question; the time is that of the search above the cut."""
    query, search = Query(question.question), container.retrieval.search
    started_at = time.perf_counter()
    moments = search(query, filters, _FOUND_PLACES)
    seconds = time.perf_counter() - started_at
    weaker = search(query, filters, _FOUND_PLACES, weaker=True)
    return SearchResult(_list_places(moments, documents), _list_places(weaker, documents), seconds)


def ask_all(
    container: Container, questions: Sequence[BedQuestion], documents: Mapping[str, Document], perfect: Perfect | None
) -> Iterator[QuestionResult]:
    """Yield what comes of each question; `documents` are by the names of their files."""
    container.preload_models()
    assets = {documents[asset.name].id: asset for asset in container.catalog.assets()}
    for question in questions:
        asset = assets.get(question.document)
        right = frozenset() if asset is None else frozenset([asset.asset_id])
        filters = SegmentFilter() if perfect is None else SegmentFilter(assets=right)
        searched = search_for(container, question, documents, filters)
        started_at = time.perf_counter()
        if perfect is Perfect.PAGE and question.is_answerable and asset is not None:
            answer = _ask_with_right_pages(container, question, asset)
        else:
            answer = container.answering.ask(question.question, filters)
        answer_s = time.perf_counter() - started_at
        cited = list_cited_places(answer, documents)
        yield QuestionResult(
            question.id,
            question.kind,
            judge_answer(question, answer, cited),
            rank_right_page(question, searched.found),
            rank_right_page(question, searched.weaker),
            answer.text,
            cited,
            searched.found,
            round(searched.seconds, 4),
            round(answer_s, 4),
        )


def _list_places(moments: Sequence[Moment], documents: Mapping[str, Document]) -> tuple[Place, ...]:
    return tuple(
        Place(documents[moment.asset.name].id, read_page(moment.asset, moment.best_segment)) for moment in moments
    )


def _ask_with_right_pages(container: Container, question: BedQuestion, asset: Asset) -> Answer:
    segments = read_page_segments(container, asset, question.pages)
    answering = replace(container.answering, retrieval=PageRetrieval(container.retrieval, asset, segments))
    return answering.ask(question.question, SegmentFilter(assets=frozenset([asset.asset_id])))
