"""Benchmark of the answer reader on the work half: does the best unit answer, and is its probability right?

Fits the numbers of `services.reading.answer_finder` to the work half, and prints what each threshold on the
probability costs, each document's questions judged by a fit to the others. Needs the home that
`python -m benchmarks.real_documents` indexed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_documents.__main__ import select_questions
from benchmarks.real_documents.bed import BedQuestion, Document, Half, load_documents, load_questions
from benchmarks.real_documents.fetch import add_cache_option, name_files
from benchmarks.real_documents.normalisation import contains_alternative
from benchmarks.real_documents.verdicts import read_page
from benchmarks.report import Figure, make_parser, print_table, report
from indexer.types import SegmentFilter
from services.container import Container
from services.reading.answer_finder import AnswerFinderSettings, tabulate_units
from services.reading.confidence import UnitScores, describe_best
from services.reading.multilingual_e5 import MultilingualE5Reader
from services.search.types import RetrievedSegment
from services.settings import load_settings

_SEARCH_SHARES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Form: shares of the fused score beside the reader's that are tried."""
_REFUSED_SHARES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9)
"""Form: shares of the questions without an answer that shall be refused, for each of which the rest is shown."""
_NEWTON_STEPS = 50
"""Form: far more than a fit of five numbers takes."""
_SEARCH_WEIGHT = 0.1
"""Chosen: not fitted, since the bed asks only about what it has; what an archive is not about has low fused scores."""
_PENALTY, _TINY = 1.0, 1e-9
"""Chosen: a weak L2 penalty beside some hundred questions; and next to nothing, so that nothing is divided by 0."""
_MAX_QUOTED, _QUOTED_WITHIN = 3, 4.0
"""Chosen: units that the extractive generator quotes together, and how far they are below the best of them at most."""
_TYPICAL_PLACE = 20
"""Chosen: the twentieth best unit of a question is an unlikely one."""
_FOLDS = 8
"""Chosen: an eighth of the documents is judged by a fit to the others."""


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """A question with all units that were read for it: their scores, and whether each is right."""

    document: str
    is_answerable: bool
    units: UnitScores
    right: NDArray[np.bool_]


def main() -> int:
    """Run the command line."""
    args = _parse_arguments()
    cache = args.cache.expanduser()
    home = args.home.expanduser() if args.home else cache / "home"
    container = Container(load_settings("local").model_copy(update={"home": home}))
    reader = MultilingualE5Reader(container.settings.threads, *([args.weights] if args.weights else []))
    documents = load_documents()
    questions = select_questions(load_questions(), documents, Half.WORK)[:: args.every]
    read = read_all(container, reader, questions, documents, args.passages)
    container.close()
    read = [question for question in read if len(question.right)]
    share = max(_SEARCH_SHARES, key=lambda share: _share_right(read, share))
    print_fit(read, share)
    return report("answer reader, work", _make_figures(read, share), args.check, args.json)


def read_all(
    container: Container,
    reader: MultilingualE5Reader,
    questions: Sequence[BedQuestion],
    documents: Sequence[Document],
    passages: int,
) -> list[ReadQuestion]:
    """Search and read for each question."""
    ids = {name: id_ for id_, name in name_files(documents).items()}
    read = []
    for number, question in enumerate(questions, 1):
        found = container.retrieval.retrieve_passages(question.question, SegmentFilter(), passages)
        units = reader.read(question.question, [each.segment for each in found])
        right = [
            _is_right(question, ids, each, unit.start, unit.end)
            for each, of_passage in zip(found, units, strict=True)
            for unit in of_passage
        ]
        table = tabulate_units(question.question, found, units)
        read.append(ReadQuestion(question.document, question.is_answerable, table, np.array(right, dtype=bool)))
        if number % 100 == 0:
            print(f"{number} of {len(questions)} questions read", flush=True)
    return read


def _is_right(question: BedQuestion, ids: dict[str, str], found: RetrievedSegment, start: int, end: int) -> bool:
    if ids[found.asset.name] != question.document or read_page(found.asset, found.segment) not in question.pages:
        return False
    return contains_alternative(found.segment.text[start:end], question.answers)


def _scores(question: ReadQuestion, share: float) -> NDArray[np.float64]:
    return question.units.reader + share * question.units.search


def _is_best_right(read: Sequence[ReadQuestion], share: float) -> NDArray[np.bool_]:
    return np.array([question.right[_scores(question, share).argmax()] for question in read], dtype=bool)


def _is_quoted_right(read: Sequence[ReadQuestion], share: float) -> NDArray[np.bool_]:
    """Return whether one of the best units that are quoted together is right."""
    right = []
    for question in read:
        scores = _scores(question, share)
        quoted = [unit for unit in np.argsort(-scores)[:_MAX_QUOTED] if scores[unit] >= scores.max() - _QUOTED_WITHIN]
        right.append(question.right[quoted].any())
    return np.array(right, dtype=bool)


def _share_right(read: Sequence[ReadQuestion], share: float) -> float:
    return float(_is_best_right(read, share)[[question.is_answerable for question in read]].mean())


def fit_logistic(
    inputs: NDArray[np.float64], right: NDArray[np.bool_], offset: NDArray[np.float64] | float = 0.0
) -> NDArray[np.float64]:
    """Return the weights `[columns + 1]` of the logistic function that fits best, the bias last, by Newton's method.

    `offset` is added to the logits. Columns are scaled to a deviation of 1 for a small L2 penalty.
    """
    deviations = inputs.std(axis=0) + _TINY
    scaled = np.column_stack([inputs / deviations, np.ones(len(inputs))])
    weights, penalty = np.zeros(scaled.shape[1]), np.diag([_PENALTY] * inputs.shape[1] + [_TINY])
    for _ in range(_NEWTON_STEPS):
        probabilities = 1 / (1 + np.exp(-(scaled @ weights + offset)))
        curvature = scaled.T @ (scaled * (probabilities * (1 - probabilities))[:, None]) + penalty
        weights = weights + np.linalg.solve(curvature, scaled.T @ (right - probabilities) - penalty @ weights)
    return np.append(weights[:-1] / deviations, weights[-1])


def print_fit(read: Sequence[ReadQuestion], share: float) -> None:
    """Print the fitted numbers, and what thresholds cost where each document is judged by a fit to the others."""
    right = _is_quoted_right(read, share)
    scores = [_scores(question, share) for question in read]
    typical = float(np.median([np.sort(each)[-_TYPICAL_PLACE:][0] for each in scores]))
    features = np.array([describe_best(each.units, of, typical) for each, of in zip(read, scores, strict=True)])
    search = _SEARCH_WEIGHT * features[:, 2]
    names = ("best", "lead", "missing_numbers", "bias")
    fitted = dict(zip(names, fit_logistic(features[:, [0, 1, 3]], right, search), strict=True))
    print(", ".join(f"{name}={value:.3f}" for name, value in fitted.items()), f"search={_SEARCH_WEIGHT}")
    print(f"search_share={share}, typical={typical:.2f}, unit_weight={fit_logistic(features[:, :1], right)[0]:.3f}")
    folds = _number_folds(read)
    for title, columns, offset in (
        ("by the best score alone", features[:, :1], np.zeros(len(read))),
        ("thresholds", features[:, [0, 1, 3]], search),
    ):
        logits = np.empty(len(read))
        for fold in range(_FOLDS):
            weights = fit_logistic(columns[folds != fold], right[folds != fold], offset[folds != fold])
            logits[folds == fold] = columns[folds == fold] @ weights[:-1] + weights[-1] + offset[folds == fold]
        _print_thresholds(title, read, logits, right)


def _number_folds(read: Sequence[ReadQuestion]) -> NDArray[np.int64]:
    """Return the fold of each question; all questions of a document are in one."""
    documents = sorted({question.document for question in read})
    return np.array([documents.index(question.document) % _FOLDS for question in read])


def _print_thresholds(
    title: str, read: Sequence[ReadQuestion], logits: NDArray[np.float64], right: NDArray[np.bool_]
) -> None:
    answerable = np.array([question.is_answerable for question in read])
    probabilities = 1 / (1 + np.exp(-logits))
    rows = []
    for share in _REFUSED_SHARES:
        threshold = float(np.quantile(probabilities[~answerable], share))
        passes = probabilities[answerable] > threshold
        shares = (passes & right[answerable], passes & ~right[answerable], ~passes)
        rows.append((f"{share:.2f}", f"{threshold:.3f}", *(f"{each.mean():.3f}" for each in shares)))
    print_table(title, ("unanswerable refused", "threshold", "right", "wrong", "refused"), rows)


def _make_figures(read: Sequence[ReadQuestion], share: float) -> list[Figure]:
    answerable = [question for question in read if question.is_answerable]
    orders = [np.argsort(-_scores(question, share), kind="stable") for question in answerable]
    right = [question.right[order] for question, order in zip(answerable, orders, strict=True)]
    return [
        Figure("questions", float(len(read))),
        Figure("share of the fused score beside the reader's", share),
        Figure("the best unit is right", float(np.mean([each[:1].any() for each in right]))),
        Figure("one of the best three is right", float(np.mean([each[:3].any() for each in right]))),
        Figure("a unit is right", float(np.mean([each.any() for each in right]))),
    ]


def _parse_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__ or "")
    add_cache_option(parser)
    default = AnswerFinderSettings(0.0).max_passages
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="home of the archive; default: in the cache")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of the reader; default: those in use")
    parser.add_argument("--passages", type=int, default=default, help="passages that are read for a question")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="read every N-th question alone")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
