"""Are answers right, and is nothing said where nothing is known?

Draws the sample archive, indexes it with the demo profile, and asks the two lists in `benchmarks/data`, which were
written before any tuning. A question counts as answered right when the first sentence of the answer cites the right
file, and in it the right page or a span that overlaps the truth.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.report import Figure, arguments, print_table, report
from demoworld.archive import make_archive
from indexer.types import SegmentFilter
from services.container import Container
from services.settings import load_settings
from services.types import Answer, Citation

_DATA = Path(__file__).parent / "data"


class Answerable(msgspec.Struct, frozen=True):
    """A question, where its answer stands, and a string that must occur in it."""

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
class Judged:
    """What became of one answerable question."""

    question: Answerable
    answer: Answer
    cited: bool
    said: bool


def load_answerable() -> list[Answerable]:
    """The thirty questions that the archive answers."""
    lines = (_DATA / "answerable.jsonl").read_text("utf-8").splitlines()
    return [msgspec.json.decode(line, type=Answerable) for line in lines]


def load_unrelated() -> list[str]:
    """The thirty that it does not."""
    lines = (_DATA / "unrelated.jsonl").read_text("utf-8").splitlines()
    return [str(json.loads(line)["question"]) for line in lines]


def is_right(question: Answerable, citation: Citation) -> bool:
    """Whether a citation points to where the answer stands."""
    found = citation.evidence.result
    if found.asset.name != question.file or found.segment.page != question.page:
        return False
    if question.start_s is None or question.end_s is None:
        return True
    start_s, end_s = found.segment.start_s, found.segment.end_s
    return start_s is not None and end_s is not None and start_s < question.end_s and question.start_s < end_s


def judge(question: Answerable, answer: Answer) -> Judged:
    """Compare an answer with the truth."""
    first = answer.sentences[0].citations if answer.sentences else ()
    said = question.answer.casefold() in " ".join(answer.text.split()).casefold()
    return Judged(question, answer, any(is_right(question, citation) for citation in first), said)


def run() -> list[Figure]:
    """Both rates, with the misses in a table."""
    with tempfile.TemporaryDirectory() as folder:
        container = indexed_archive(Path(folder))
        judged = [judge(q, container.answering.ask(q.question, SegmentFilter())) for q in load_answerable()]
        unrelated = [(q, container.answering.ask(q, SegmentFilter())) for q in load_unrelated()]
        container.close()
    misses = [[j.question.id, j.question.question, _first(j.answer)] for j in judged if not (j.cited and j.said)]
    answered = [["", question, _first(answer)] for question, answer in unrelated if not answer.abstained]
    print_table("Answerable, but wrong or not said", ["id", "question", "answer"], misses)
    print_table("Unrelated, but answered", ["", "question", "answer"], answered)
    return [
        Figure("answerable, right citation", sum(j.cited for j in judged), "of 30", 27, at_least=True),
        Figure("answerable, answer said", sum(j.said for j in judged), "of 30"),
        Figure("unrelated, answered", len(answered), "of 30", 1, at_least=False),
    ]


def indexed_archive(folder: Path) -> Container:
    """The services over a freshly drawn and indexed sample archive."""
    make_archive(folder / "archive")
    os.environ["AFTERIMAGE_HOME"] = str(folder / "home")
    container = Container(load_settings("demo"))
    for line in container.indexing.index_paths([folder / "archive"], "default"):
        if line.reason:
            print(f"{line.outcome} {line.name}: {line.reason}")
    return container


def _first(answer: Answer) -> str:
    if not answer.sentences:
        return "(nothing found)"
    citation = answer.sentences[0].citations[0]
    segment = citation.evidence.result.segment
    where = segment.page if segment.page is not None else segment.start_s
    return f"{answer.sentences[0].text[:90]} [{citation.evidence.result.asset.name} {where}]"


if __name__ == "__main__":
    given = arguments(__doc__ or "").parse_args()
    sys.exit(report("answers", run(), given.check, given.json))
