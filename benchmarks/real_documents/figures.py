"""Figures of a run over the bed, with their targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from benchmarks.real_documents.verdicts import BedVerdict, QuestionResult
from benchmarks.report import Figure

_DRAWN_KINDS = ("scan", "photo", "receipt", "invoice")
_FIVE, _TEN = 5, 10
"""Chosen: what is seen of a page of results at once, and all of it."""


@dataclass(frozen=True, slots=True)
class BaselineRanks:
    """The places of the right pages in a baseline's search, by the question; 0 where it is not found."""

    name: str
    ranks: dict[str, int]


def make_search_figures(ranks: Mapping[str, int], name: str, targets: tuple[float, float] | None) -> list[Figure]:
    """Return how often the right page was first, in five, in ten."""
    first, five = targets or (None, None)
    return [
        Figure(f"{name}: right page first", _share_within(ranks, 1), "", first),
        Figure(f"{name}: right page in five", _share_within(ranks, _FIVE), "", five),
        Figure(f"{name}: right page in ten", _share_within(ranks, _TEN)),
    ]


def make_margin_figures(
    ranks: Mapping[str, int], baselines: Sequence[BaselineRanks], with_text: frozenset[str]
) -> Iterator[Figure]:
    """Yield by how much a search is ahead of the best baseline, on documents whose text a baseline can read.

    Baselines leave out nothing, so the search should not either.
    """
    if not baselines:
        return
    ours = _share_within({id_: rank for id_, rank in ranks.items() if id_ in with_text}, 1)
    best = max(
        _share_within({id_: rank for id_, rank in baseline.ranks.items() if id_ in with_text}, 1)
        for baseline in baselines
    )
    yield Figure("right page first, documents with text", ours)
    yield Figure("the same, ahead of the best baseline", ours - best, "", 0.10)


def make_answer_figures(results: Sequence[QuestionResult]) -> Iterator[Figure]:
    """Yield how often answers were right, wrong and refused."""
    answerable = [result for result in results if result.kind != "unanswerable"]
    unanswerable = [result for result in results if result.kind == "unanswerable"]
    yield Figure("right and rightly cited, of answerable", _share(answerable, BedVerdict.RIGHT), "", 0.75)
    yield Figure("right, but cited elsewhere", _share(answerable, BedVerdict.UNPROVEN))
    yield Figure("answered wrongly, of answerable", _share(answerable, BedVerdict.WRONG), "", 0.10, at_least=False)
    yield Figure("refused, of answerable", _share(answerable, BedVerdict.REFUSED), "", 0.10, at_least=False)
    yield Figure("refused, of unanswerable", _share(unanswerable, BedVerdict.REFUSED), "", 0.90)
    for name, kinds, target in (
        ("cross_language", ("cross_language",), 0.60),
        ("table", ("table",), 0.85),
        ("command", ("command",), 0.85),
        ("scans, photos, receipts, invoices", _DRAWN_KINDS, 0.80),
    ):
        chosen = [result for result in answerable if result.kind in kinds]
        if name == "cross_language" and chosen:
            ranks = {result.id: result.rank for result in chosen}
            yield Figure("cross_language: right page in five", _share_within(ranks, _FIVE), "", 0.80)
        if chosen:
            yield Figure(f"{name}: right", _share(chosen, BedVerdict.RIGHT), "", target)


def make_time_figures(results: Sequence[QuestionResult], pages_per_s: float) -> Iterator[Figure]:
    """Yield how long searching and answering took, and how fast the archive was indexed."""
    spans: tuple[tuple[str, Callable[[QuestionResult], float]], ...] = (
        ("search", lambda result: result.search_s),
        ("answer", lambda result: result.answer_s),
    )
    for name, read in spans:
        seconds = [read(result) for result in results]
        yield Figure(f"{name}, p50", float(np.percentile(seconds, 50)), "s")
        target = 0.9 if name == "answer" else None
        yield Figure(f"{name}, p95", float(np.percentile(seconds, 95)), "s", target, at_least=False)
    yield Figure("indexing", pages_per_s, "pages/s")


def make_rows_by(results: Sequence[QuestionResult], key: Callable[[QuestionResult], str]) -> list[list[str]]:
    """Return a row of a table for each group of questions: how many, first, in five, and each verdict's share."""
    rows = []
    for group in sorted({key(result) for result in results}):
        chosen = [result for result in results if key(result) == group]
        ranks = {result.id: result.rank for result in chosen}
        shares = [_share(chosen, verdict) for verdict in BedVerdict]
        values = [_share_within(ranks, 1), _share_within(ranks, _FIVE), *shares]
        rows.append([group, str(len(chosen)), *(f"{value:.2f}" for value in values)])
    return rows


def _share(results: Sequence[QuestionResult], verdict: BedVerdict) -> float:
    return fmean(float(result.verdict is verdict) for result in results) if results else 0.0


def _share_within(ranks: Mapping[str, int], limit: int) -> float:
    return fmean(float(0 < rank <= limit) for rank in ranks.values()) if ranks else 0.0
