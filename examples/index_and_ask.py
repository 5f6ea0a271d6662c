"""Index a folder and ask it a question, all in this process: no server, no network.

    python examples/index_and_ask.py FOLDER "What is the notice period?"

Settings are the same `AFTERIMAGE_` variables that the command line reads; the archive lies in `AFTERIMAGE_HOME`.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from api.schemas.results import AnswerShape, CitationShape
from indexer.types import SegmentFilter
from services.container import Container

COLLECTION = "examples"


def index_folder(container: Container, folder: Path) -> None:
    """Index all files below a folder; a file that cannot be indexed costs one line, the others go on."""
    for report in container.indexing.index_paths([folder], COLLECTION):
        print(f"{report.outcome}: {report.name} {report.reason}".rstrip())


def ask(container: Container, question: str) -> AnswerShape:
    """Answer a question from one collection, as the JSON shape that `afterimage ask --json` prints too."""
    filters = SegmentFilter(collections=frozenset({COLLECTION}))
    return AnswerShape.of(container.answering.ask(question, filters))


def format_citation(citation: CitationShape) -> str:
    """Say where a sentence can be checked: `handbook.pdf page 7`, `talk.mp4 57.0–66.0 s`."""
    if citation.page is not None:
        return f"{citation.name} page {citation.page}"
    if citation.start_s is not None and citation.end_s is not None:
        return f"{citation.name} {citation.start_s:.1f}–{citation.end_s:.1f} s"
    return citation.name


def main(folder: str, question: str) -> None:
    """Index, ask, print each sentence with what proves it."""
    with closing(Container()) as container:
        index_folder(container, Path(folder))
        answer = ask(container, question)
    print(answer.answer)
    for sentence in answer.sentences:
        for citation in sentence.citations:
            print(f"  {format_citation(citation)} ({sentence.verdict})")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
