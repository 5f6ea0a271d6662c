"""Benchmark of search and answers on real documents: PDF files of Debian packages, scans, photographs, receipts.

Fetches the bed, indexes it with the default settings, and asks the questions of one half beside baselines of search.
`benchmarks/real_documents/README.md` says what the two halves are for.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.real_documents.archive import measure_pages_per_second, open_archive
from benchmarks.real_documents.asking import Perfect, ask_all
from benchmarks.real_documents.baselines import rank_by_baselines
from benchmarks.real_documents.bed import BedError, BedQuestion, Document, Half, load_documents, load_questions
from benchmarks.real_documents.chunks import cut_chunks
from benchmarks.real_documents.fetch import add_cache_option, fill_archive
from benchmarks.real_documents.figures import (
    BaselineRanks,
    make_answer_figures,
    make_margin_figures,
    make_rows_by,
    make_search_figures,
    make_time_figures,
)
from benchmarks.real_documents.search_alone import measure_search
from benchmarks.real_documents.verdicts import BedVerdict, Place, QuestionResult, rank_right_page
from benchmarks.report import Figure, make_parser, print_table, report

_HALVES = (Half.WORK, Half.HELD_BACK)
_ASKED_BETWEEN_LINES = 50
"""Form: questions between two lines of progress."""

_SEARCH_TARGETS = (0.85, 0.95)
"""Chosen: a person opens the first result, and looks at five."""


def main() -> int:
    """Run the command line."""
    args = _parse_arguments()
    cache = args.cache.expanduser()
    home = args.home.expanduser() if args.home else cache / "home"
    documents = load_documents()
    asked = [document for document in documents if document.id not in args.leave_out]
    questions = select_questions(load_questions(), asked, args.half)
    try:
        names = fill_archive(documents, cache)
        baselines = [] if args.no_baselines else measure_baselines(questions, names, cache)
    except BedError as error:
        print(error, file=sys.stderr)
        return 1
    container = open_archive(cache / "archive", names, home, args.profile)
    missing = len(names) - len(container.catalog.assets())
    if args.search_only:
        figures = measure_search(container, questions, names)
        container.close()
        return report(f"search of real documents, {args.half}", figures, args.check, args.json)
    results = []
    for result in ask_all(container, questions, names, args.perfect):
        results.append(result)
        if len(results) % _ASKED_BETWEEN_LINES == 0:
            print(f"{len(results)} of {len(questions)} questions asked", flush=True)
    container.close()
    if args.details is not None:
        args.details.write_bytes(b"".join(msgspec.json.encode(result) + b"\n" for result in results))
    _print_groups(results, questions, args.half)
    figures = [
        Figure("files that could not be indexed", float(missing), f"of {len(names)}", 0.0, at_least=False),
        *make_figures(results, baselines, questions, names, measure_pages_per_second(home)),
    ]
    title = f"real documents, {args.half}" + (f", perfect {args.perfect}" if args.perfect else "")
    return report(title, figures, args.check, args.json)


def select_questions(questions: Sequence[BedQuestion], documents: Sequence[Document], half: Half) -> list[BedQuestion]:
    """Return the questions about those of some documents that are of one half."""
    halves = {document.id: document.half for document in documents}
    return [question for question in questions if halves.get(question.document) is half]


def measure_baselines(
    questions: Sequence[BedQuestion], names: Mapping[str, Document], cache: Path
) -> list[BaselineRanks]:
    """Return the places of the right pages in each baseline's search, of the questions that have an answer."""
    answerable = [question for question in questions if question.is_answerable]
    chunks = cut_chunks(cache / "archive", names)
    measured = []
    for name, rankings in rank_by_baselines(chunks, answerable, cache):
        ranks = {
            question.id: rank_right_page(question, [Place(chunk.document, chunk.page) for chunk in ranking])
            for question, ranking in zip(answerable, rankings, strict=True)
        }
        measured.append(BaselineRanks(name, ranks))
        print(f"{name}: {len(chunks)} chunks ranked", flush=True)
    return measured


def make_figures(
    results: Sequence[QuestionResult],
    baselines: Sequence[BaselineRanks],
    questions: Sequence[BedQuestion],
    names: Mapping[str, Document],
    pages_per_s: float,
) -> list[Figure]:
    """Return all figures of a run."""
    answerable = {question.id: question.document for question in questions if question.is_answerable}
    ranks = {result.id: result.rank for result in results if result.id in answerable}
    weaker = {result.id: result.weaker_rank for result in results if result.id in answerable}
    textless = {document.id for document in names.values() if document.medium in ("scan", "photo")}
    with_text = frozenset(id_ for id_, document in answerable.items() if document not in textless)
    return [
        Figure("questions", float(len(results))),
        *make_search_figures(ranks, "search", _SEARCH_TARGETS),
        *make_search_figures(weaker, "search with weaker results", None),
        *make_margin_figures(weaker, baselines, with_text),
        *(figure for baseline in baselines for figure in make_search_figures(baseline.ranks, baseline.name, None)),
        *make_answer_figures(results),
        *make_time_figures(results, pages_per_s),
    ]


def _print_groups(results: Sequence[QuestionResult], questions: Sequence[BedQuestion], half: Half) -> None:
    headings = ("", "questions", "first", "in five", *BedVerdict)
    languages = {question.id: question.language for question in questions}
    print_table(f"by kind, {half}", headings, make_rows_by(results, lambda result: result.kind))
    print_table(f"by language of the question, {half}", headings, make_rows_by(results, lambda r: languages[r.id]))


def _parse_arguments() -> argparse.Namespace:
    parser = make_parser(__doc__ or "")
    add_cache_option(parser)
    parser.add_argument("--half", type=Half, choices=_HALVES, default=Half.WORK, help="questions that are asked")
    parser.add_argument("--home", type=Path, metavar="FOLDER", help="home of the archive; default: in the cache")
    parser.add_argument("--profile", help="profile of settings; default: that of the installed command")
    parser.add_argument("--details", type=Path, metavar="FILE", help="write what came of each question")
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=[],
        metavar="ID",
        help="documents that nothing is asked about; all are searched",
    )
    parser.add_argument("--perfect", type=Perfect, choices=list(Perfect), help="search in what is right alone")
    parser.add_argument("--no-baselines", action="store_true", help="do not measure the baselines of search")
    parser.add_argument("--search-only", action="store_true", help="search alone, in a tenth of the time; no answers")
    args = parser.parse_args()
    if args.details is not None and args.half is Half.HELD_BACK:
        parser.error("the held-back half is measured only: no --details of it")
    return args


if __name__ == "__main__":
    sys.exit(main())
