"""The documents and questions of the bed, as `data/` lists them; one line of JSON each."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

DATA = Path(__file__).parent / "data"
TRAINING_DATA = DATA / "training"

MAX_PAGES = 30
"""Chosen: pages that a long document is cut to; a fair share of each document in what is read and encoded."""


class BedError(ValueError):
    """The bed's data, or what its packages hold, is not as it should be."""


class Half(StrEnum):
    """Half of the bed: WORK may be studied, HELD_BACK is measured only.

    TRAINING is neither: other documents, from whose questions the models of answering learn.
    """

    WORK = "work"
    HELD_BACK = "held_back"
    TRAINING = "training"


class Medium(StrEnum):
    """Form of a drawn document: a PDF with its text, a scan without, or a photograph of the sheet."""

    TEXT = "text"
    SCAN = "scan"
    PHOTO = "photo"


DocumentKind = Literal[
    "manual",
    "paper",
    "table",
    "form",
    "slides",
    "reference_card",
    "book",
    "other",
    "scan",
    "photo",
    "receipt",
    "invoice",
]
QuestionKind = Literal[
    "fact",
    "table",
    "list",
    "command",
    "paraphrase",
    "code",
    "cross_language",
    "two_passages",
    "unanswerable",
    "scan",
    "photo",
    "receipt",
    "invoice",
]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the bed: `path` in a Debian package, or a drawn one; for training also a `path` below the data.

    `first_page` and `last_page` cut it (both or none, counted from 1, inclusive). One that is
    `rendered` is a web page, which Chromium prints to a PDF file. A drawn one has a `medium` and the
    name of its `file`; it shows the sheet `of` that name, or the pages `of_pages` of a packaged file as it is.
    """

    id: str
    language: str
    kind: DocumentKind
    half: Half
    package: str = ""
    path: str = ""
    first_page: int | None = None
    last_page: int | None = None
    rendered: bool = False
    medium: Medium | None = None
    file: str = ""
    of: str = ""
    of_pages: tuple[int, ...] = ()
    seed: int = 0
    stamp: str = ""

    @property
    def is_sheet(self) -> bool:
        """True for a receipt, an invoice or a form for training, a text file below the data for training."""
        return not self.package and bool(self.path)

    @property
    def is_drawn(self) -> bool:
        """True for a document that the benchmark draws, instead of taking it from a package."""
        return self.medium is not None


class BedQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question with its truth.

    One of `answers` must occur with all its strings in the answer, `pages` are those of the cut document that prove it;
    both are empty where the bed holds no answer (`why` says what is missing).
    """

    id: str
    document: str
    question: str
    language: str
    kind: QuestionKind
    pages: tuple[int, ...]
    answers: tuple[tuple[str, ...], ...]
    quote: str
    why: str = ""

    @property
    def is_answerable(self) -> bool:
        """True for a question whose answer stands in a document of the benchmark."""
        return self.kind != "unanswerable"


def load_documents(only: str | None = None, data: Path = DATA) -> list[Document]:
    """Load the list of documents, in the order of its files; `only` names one of them. Errors: BedError."""
    return list(_read_lines(data / "documents", only, Document))


def load_questions(only: str | None = None, data: Path = DATA) -> list[BedQuestion]:
    """Load the questions, in the order of their files; `only` names one of them. Errors: BedError."""
    return list(_read_lines(data / "questions", only, BedQuestion))


_T = TypeVar("_T", bound=msgspec.Struct)


def _read_lines(folder: Path, only: str | None, kind: type[_T]) -> Iterator[_T]:
    for path in sorted(folder.glob(f"{only or '*'}.jsonl")):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                yield msgspec.json.decode(line, type=kind)
            except msgspec.MsgspecError as error:
                raise BedError(f"{path.name}, line {number}: {error}") from error
