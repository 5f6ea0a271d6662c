"""Benchmark of answers on the sample archive: citation accuracy of answerable questions, abstention on unrelated ones.

Renders the sample archive, indexes it with the demo profile, and asks the two lists in `benchmarks/data`, which were
written before any tuning. An answer is right when its first sentence cites the right file, and in it the right page or
a span that overlaps the truth.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.report import Figure, make_parser, print_table, report
from demoworld.archive import make_archive
from indexer.types import SegmentFilter
from services.answering.types import Answer, Citation
from services.container import Container
from services.settings import load_settings

_DATA = Path(__file__).parent / "data"


class Answerable(msgspec.Struct, frozen=True):
    """A question with the place of its answer, and a string that must occur in the answer."""

    id: str
    question: str
    file: str
    kind: str
    page: int | None
    start_s: float | None
    end_s: float | None
    answer: str
    where: str


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """The answer to an answerable question, compared with the truth."""

    question: Answerable
    answer: Answer
    cites_truth: bool
    contains_answer: bool


def load_answerable() -> list[Answerable]:
    """Load the thirty questions that the sample archive answers."""
    lines = (_DATA / "answerable.jsonl").read_text("utf-8").splitlines()
    return [msgspec.json.decode(line, type=Answerable) for line in lines]


def load_unrelated() -> list[str]:
    """Load the thirty questions that the sample archive does not answer."""
    lines = (_DATA / "unrelated.jsonl").read_text("utf-8").splitlines()
    return [str(json.loads(line)["question"]) for line in lines]


def is_citation_right(question: Answerable, citation: Citation) -> bool:
    """Return whether a citation points to where the answer stands."""
    result = citation.evidence.result
    if result.asset.name != question.file or result.segment.page != question.page:
        return False
    if question.start_s is None or question.end_s is None:
        return True
    start_s, end_s = result.segment.start_s, result.segment.end_s
    return start_s is not None and end_s is not None and start_s < question.end_s and question.start_s < end_s


def judge(question: Answerable, answer: Answer) -> JudgedAnswer:
    """Compare an answer with the truth."""
    first = answer.sentences[0].citations if answer.sentences else ()
    contains_answer = question.answer.casefold() in " ".join(answer.text.split()).casefold()
    return JudgedAnswer(
        question, answer, any(is_citation_right(question, citation) for citation in first), contains_answer
    )


def run() -> list[Figure]:
    """Measure both rates; prints the misses as tables."""
    with tempfile.TemporaryDirectory() as folder:
        container = index_demo_archive(Path(folder))
        judged = [judge(q, container.answering.ask(q.question, SegmentFilter())) for q in load_answerable()]
        unrelated = [(q, container.answering.ask(q, SegmentFilter())) for q in load_unrelated()]
        container.close()
    misses = [
        [j.question.id, j.question.question, _format_first_sentence(j.answer)]
        for j in judged
        if not (j.cites_truth and j.contains_answer)
    ]
    answered_rows = [
        ["", question, _format_first_sentence(answer)] for question, answer in unrelated if not answer.abstained
    ]
    print_table("Answerable, but wrong or missing", ["id", "question", "answer"], misses)
    print_table("Unrelated, but answered", ["", "question", "answer"], answered_rows)
    return [
        Figure("answerable, right citation", sum(j.cites_truth for j in judged), "of 30", 27, at_least=True),
        Figure("answerable, expected text in the answer", sum(j.contains_answer for j in judged), "of 30"),
        Figure("unrelated, answered", len(answered_rows), "of 30", 1, at_least=False),
    ]


def index_demo_archive(folder: Path) -> Container:
    """Render and index the sample archive below `folder`; returns the services over it."""
    make_archive(folder / "archive")
    os.environ["AFTERIMAGE_HOME"] = str(folder / "home")
    container = Container(load_settings("demo"))
    for line in container.indexing.index_paths([folder / "archive"], "default"):
        if line.reason:
            print(f"{line.outcome} {line.name}: {line.reason}")
    return container


def _format_first_sentence(answer: Answer) -> str:
    if not answer.sentences:
        return "(nothing found)"
    citation = answer.sentences[0].citations[0]
    segment = citation.evidence.result.segment
    place = segment.page if segment.page is not None else segment.start_s
    return f"{answer.sentences[0].text[:90]} [{citation.evidence.result.asset.name} {place}]"


if __name__ == "__main__":
    args = make_parser(__doc__ or "").parse_args()
    sys.exit(report("answers", run(), args.check, args.json))
