"""Search of the bed without answers: what is found above the cut and below it, and how often nothing is.

The cut of a score and the fusion are chosen by these figures (decisions 0121 and 0122).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.real_documents.asking import search_for
from benchmarks.real_documents.bed import BedQuestion, Document
from benchmarks.real_documents.figures import make_search_figures
from benchmarks.real_documents.verdicts import rank_right_page
from benchmarks.report import Figure, print_table
from indexer.types import SegmentFilter
from services.container import Container


def measure_search(
    container: Container, questions: Sequence[BedQuestion], documents: Mapping[str, Document]
) -> list[Figure]:
    """Search for all questions, print rows by kind and by language, and return the figures."""
    container.preload_models()
    results = {each.id: search_for(container, each, documents, SegmentFilter()) for each in questions}
    answerable = [question for question in questions if question.is_answerable]
    kinds = {question.id: question.kind for question in answerable}
    languages = {question.id: question.language for question in answerable}
    ranks = {each.id: rank_right_page(each, results[each.id].found) for each in answerable}
    weaker = {each.id: rank_right_page(each, results[each.id].weaker) for each in answerable}
    for title, groups in (("by kind", kinds), ("by language of the question", languages)):
        print_table(
            title, ("", "questions", "first", "in five", "weaker: first", "in five"), _rows(groups, ranks, weaker)
        )
    empty = [not results[question.id].found for question in questions if not question.is_answerable]
    seconds = [result.seconds for result in results.values()]
    return [
        Figure("questions", float(len(questions))),
        *make_search_figures(ranks, "search", None),
        *make_search_figures(weaker, "search with weaker results", None),
        Figure("nothing found for plausible questions without an answer", float(np.mean(empty))),
        Figure("search, p50", float(np.percentile(seconds, 50)), "s"),
        Figure("search, p95", float(np.percentile(seconds, 95)), "s"),
    ]


def _rows(groups: Mapping[str, str], ranks: Mapping[str, int], weaker: Mapping[str, int]) -> list[list[str]]:
    rows = []
    for group in sorted(set(groups.values())):
        ids = [id_ for id_, of_question in groups.items() if of_question == group]
        shares = [np.mean([0 < by_id[id_] <= limit for id_ in ids]) for by_id in (ranks, weaker) for limit in (1, 5)]
        rows.append([group, str(len(ids)), *(f"{share:.2f}" for share in shares)])
    return rows
