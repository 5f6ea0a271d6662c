"""Benchmark of the answer reader on the work half: does the best unit answer, and is its probability right?

Fits the numbers of `services.reading.answer_finder.AnswerFinderSettings` to the work half, and prints what each
threshold on the probability costs. Needs the home that `python -m benchmarks.real_documents` indexed.
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
from services.reading.answer_finder import AnswerFinderSettings
from services.reading.multilingual_e5 import MultilingualE5Reader
from services.search.types import RetrievedSegment
from services.settings import load_settings

_SEARCH_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Form: weights of search beside the reader that are tried."""
_REFUSED_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""Form: shares of the questions without an answer that shall be refused, for each of which the rest is shown."""
_NEWTON_STEPS = 50
"""Form: far more than a fit of two numbers takes."""


@dataclass(frozen=True, slots=True)
class ReadQuestion:
    """A question with all units that were read for it: scores of reader and search, and whether each is right."""

    is_answerable: bool
    reader: NDArray[np.float64]
    search: NDArray[np.float64]
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
    weight = max(_SEARCH_WEIGHTS, key=lambda weight: _share_right(read, weight))
    slope, bias = fit_logistic(*_best_scores(read, weight))
    print(f"reader_weight {slope:.3f}, search_weight {slope * weight:.3f}, bias {bias:.3f}")
    _print_thresholds(read, weight, slope, bias)
    return report("answer reader, work", _make_figures(read, weight), args.check, args.json)


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
        rows = [
            (unit.score, each.fused_score, _is_right(question, ids, each, unit.start, unit.end))
            for each, of_passage in zip(found, units, strict=True)
            for unit in of_passage
        ]
        columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        read.append(ReadQuestion(question.is_answerable, columns[0], columns[1], columns[2].astype(bool)))
        if number % 100 == 0:
            print(f"{number} of {len(questions)} questions read", flush=True)
    return read


def _is_right(question: BedQuestion, ids: dict[str, str], found: RetrievedSegment, start: int, end: int) -> bool:
    if ids[found.asset.name] != question.document or read_page(found.asset, found.segment) not in question.pages:
        return False
    return contains_alternative(found.segment.text[start:end], question.answers)


def _best_scores(read: Sequence[ReadQuestion], weight: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the score of the best unit of each question, and whether it is right."""
    scores, right = [], []
    for question in read:
        total = question.reader + weight * question.search
        best = int(total.argmax())
        scores.append(total[best])
        right.append(question.right[best])
    return np.array(scores), np.array(right)


def _share_right(read: Sequence[ReadQuestion], weight: float) -> float:
    _, right = _best_scores(read, weight)
    return float(right[[question.is_answerable for question in read]].mean())


def fit_logistic(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and bias of the logistic function that fits best, by Newton's method."""
    inputs = np.stack([scores, np.ones_like(scores)], axis=1)
    weights = np.zeros(2)
    for _ in range(_NEWTON_STEPS):
        probabilities = 1 / (1 + np.exp(-inputs @ weights))
        curvature = inputs.T @ (inputs * (probabilities * (1 - probabilities))[:, None])
        weights = weights + np.linalg.solve(curvature + 1e-9 * np.eye(2), inputs.T @ (right - probabilities))
    return float(weights[0]), float(weights[1])


def _print_thresholds(read: Sequence[ReadQuestion], weight: float, slope: float, bias: float) -> None:
    scores, right = _best_scores(read, weight)
    answerable = np.array([question.is_answerable for question in read])
    probabilities = 1 / (1 + np.exp(-(slope * scores + bias)))
    rows = []
    for share in _REFUSED_SHARES:
        threshold = float(np.quantile(probabilities[~answerable], share))
        passes = probabilities[answerable] > threshold
        shares = (passes & right[answerable], passes & ~right[answerable], ~passes)
        rows.append((f"{share:.2f}", f"{threshold:.3f}", *(f"{each.mean():.3f}" for each in shares)))
    print_table("thresholds", ("unanswerable refused", "threshold", "right", "wrong", "refused"), rows)


def _make_figures(read: Sequence[ReadQuestion], weight: float) -> list[Figure]:
    answerable = [question for question in read if question.is_answerable]
    orders = [np.argsort(-(question.reader + weight * question.search), kind="stable") for question in answerable]
    right = [question.right[order] for question, order in zip(answerable, orders, strict=True)]
    return [
        Figure("questions", float(len(read))),
        Figure("weight of search beside the reader", weight),
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
