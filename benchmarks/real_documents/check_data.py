"""Check the data of the bed: that documents and questions are well formed, and that each quote is on its page.

`--only NAME` checks one file of each list; `--training` checks the documents that models learn from; `--offline` leaves
out what needs the documents themselves.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.real_documents.bed import (
    DATA,
    MAX_PAGES,
    TRAINING_DATA,
    BedError,
    BedQuestion,
    Document,
    Half,
    load_documents,
    load_questions,
)
from benchmarks.real_documents.drawing.drawing import save_shown_pages
from benchmarks.real_documents.fetch import add_cache_option, make_document
from benchmarks.real_documents.normalisation import contains_alternative, normalise
from benchmarks.real_documents.page_text import read_pages

_LEAST_QUESTIONS, _LEAST_FILES, _LEAST_PACKAGES = 400, 40, 30
"""Chosen: so many questions that a figure moves by less than 0.003 with each, over many kinds of documents."""

_UNANSWERABLE_SHARE = (0.2, 0.3)
"""Chosen: about a quarter of the questions have no answer."""

_LANGUAGE_CODES = frozenset(["cn", "de", "en", "es", "fr", "gz", "hans", "hant", "ja", "ko", "ru", "tw", "zh"])
"""Form: words in names of packages and files that tell which translation it is; and the ending of packed ones."""

FORBIDDEN_PACKAGES = ("debian-faq", "debian-policy", "nut-doc", "avrdude-doc", "debian-history")
FORBIDDEN_PREFIXES = ("installation-guide-", "developers-reference")


def check_documents(documents: Sequence[Document]) -> Iterator[str]:
    """Yield what is wrong with the list of documents."""
    yield from _find_repeated("document", (document.id for document in documents))
    halves: dict[str, set[str]] = {}
    for document in documents:
        if document.package:
            halves.setdefault(document.package, set()).add(document.half)
        yield from (f"{document.id}: {fault}" for fault in _find_document_faults(document))
        yield from _find_shown_twice(document, documents)
    for package, found in halves.items():
        if len(found) > 1:
            yield f"{package}: in both halves"


def name_text(document: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words of a file's package, and of its name, without those for a language: alike for translations."""
    words = (re.split(r"[._-]+", name.lower()) for name in (document.package, Path(document.path).name))
    package, name = (tuple(word for word in each if word not in _LANGUAGE_CODES) for each in words)
    return package, name


def check_apart(training: Sequence[Document], bed: Sequence[Document]) -> Iterator[str]:
    """Yield the documents for training that are not marked as such, or that are related to one of the bed.

    Related are documents of one package, files of one name, and files whose names differ in the language alone: these
    are often translations of one text.
    """
    packages = {document.package for document in bed if document.package}
    names = {Path(document.path).name for document in bed if document.path}
    texts = {name_text(document) for document in bed if document.package}
    for document in training:
        if document.half is not Half.TRAINING:
            yield f"{document.id}: is not marked as one for training"
        if document.package in packages or document.is_drawn:
            yield f"{document.id}: is drawn, or of a package of the bed"
        if Path(document.path).name in names or (document.package and name_text(document) in texts):
            yield f"{document.id}: has the name of a file of the bed, of which it may be a translation"


def _find_document_faults(document: Document) -> Iterator[str]:
    if document.is_drawn and (not document.file or bool(document.of) == bool(document.package)):
        yield "a drawn document needs `file`, and either `of` or `package`"
    if bool(document.package) != bool(document.of_pages) and document.is_drawn:
        yield "a scan of a packaged file needs `of_pages`"
    if document.package in FORBIDDEN_PACKAGES or document.package.startswith(FORBIDDEN_PREFIXES):
        yield f"{document.package} belongs to another examination"
    if document.is_sheet and not (TRAINING_DATA / document.path).is_file():
        yield f"there is no {document.path}"
    if document.package and not document.rendered and not document.path.removesuffix(".gz").endswith(".pdf"):
        yield f"{document.path} is no PDF file"
    if (document.first_page is None) != (document.last_page is None):
        yield "`first_page` and `last_page` go together"
    if (document.last_page or 0) - (document.first_page or 0) >= MAX_PAGES:
        yield f"more than {MAX_PAGES} pages"


def _find_shown_twice(document: Document, documents: Sequence[Document]) -> Iterator[str]:
    """Yield where a scan shows a page that is in the bed with its text too: either would prove an answer."""
    for other in documents:
        if document.is_drawn and not other.is_drawn and document.package == other.package:
            first, last = other.first_page or 1, other.last_page or MAX_PAGES
            if document.path == other.path and any(first <= page <= last for page in document.of_pages):
                yield f"{document.id}: shows pages that {other.id} has too"


def check_questions(questions: Sequence[BedQuestion], documents: Sequence[Document]) -> Iterator[str]:
    """Yield what is wrong with the questions, as far as it can be seen without the documents' files."""
    yield from _find_repeated("question", (question.id for question in questions))
    yield from _find_repeated("wording", (normalise(question.question) for question in questions))
    languages = {document.id: document.language for document in documents}
    for question in questions:
        if question.document not in languages:
            yield f"{question.id}: the document {question.document} is not in the list"
            continue
        yield from (f"{question.id}: {fault}" for fault in _find_faults(question, languages[question.document]))


def _find_faults(question: BedQuestion, language: str) -> Iterator[str]:
    if not question.is_answerable:
        if question.pages or question.answers or question.quote:
            yield "unanswerable, but has pages, answers or a quote"
        if not question.why:
            yield "unanswerable, but does not say why"
        return
    if not question.pages or not question.answers or not question.quote:
        yield "pages, answers or the quote are missing"
    if any(not alternative or not all(map(str.strip, alternative)) for alternative in question.answers):
        yield "an alternative is empty"
    if contains_alternative(question.question, question.answers):
        yield "the question contains its answer"
    if (question.kind == "cross_language") != (question.language != language):
        yield f"asked in {question.language} about a document in {language}, kind {question.kind}"


def check_quotes(questions: Iterable[BedQuestion], documents: Sequence[Document], cache: Path) -> Iterator[str]:
    """Yield the questions whose pages are not in the document, or hold neither the quote nor an answer."""
    by_id = {document.id: document for document in documents}
    known: dict[str, list[tuple[str, str]]] = {}
    for question in questions:
        document = by_id.get(question.document)
        if document is None or not question.is_answerable:
            continue
        try:
            texts = known[document.id] = known.get(document.id) or read_truth(document, cache)
        except BedError as error:
            yield f"{question.id}: {error}"
            continue
        if not all(1 <= page <= len(texts) for page in question.pages):
            yield f"{question.id}: pages {question.pages} of {len(texts)}"
        elif not any(_has_quote(texts[page - 1], question.quote) for page in question.pages):
            where = [page for page, text in enumerate(texts, 1) if _has_quote(text, question.quote)]
            yield f"{question.id}: the quote is not on pages {question.pages}, but on {where}"
        elif not _has_answer([texts[page - 1] for page in question.pages], question):
            yield f"{question.id}: no alternative of the answer is on pages {question.pages}"


def read_truth(document: Document, cache: Path) -> list[tuple[str, str]]:
    """Return the text of each page, with layout and without; for a drawn one that of what it shows."""
    if document.is_sheet:
        text = (TRAINING_DATA / document.path).read_text("utf-8")
        return [(text, text)]
    path = save_shown_pages(document, cache) if document.is_drawn else make_document(document, cache)
    try:
        return list(zip(read_pages(path, layout=True), read_pages(path, layout=False), strict=True))
    finally:
        if document.is_drawn:
            path.unlink()


def check_amounts(questions: Sequence[BedQuestion], documents: Sequence[Document]) -> Iterator[str]:
    """Yield where the bed is smaller or less balanced than it is to be."""
    packages = {document.package for document in documents if document.package}
    for what, count, least in (
        ("questions", len(questions), _LEAST_QUESTIONS),
        ("files", len(documents), _LEAST_FILES),
        ("packages", len(packages), _LEAST_PACKAGES),
    ):
        if count < least:
            yield f"{count} {what}, fewer than {least}"
    share = sum(not question.is_answerable for question in questions) / max(1, len(questions))
    if not _UNANSWERABLE_SHARE[0] <= share <= _UNANSWERABLE_SHARE[1]:
        yield f"{share:.2f} of the questions are unanswerable, not about a quarter"


def print_counts(questions: Sequence[BedQuestion], documents: Sequence[Document]) -> None:
    """Print the number of documents and questions for each half, kind and language."""
    halves = {document.id: document.half for document in documents}
    for title, keys in (
        ("documents", [(d.half, d.kind) for d in documents]),
        ("documents", [(d.half, d.language) for d in documents]),
        ("questions", [(halves.get(q.document, "?"), q.kind) for q in questions]),
        ("questions", [(halves.get(q.document, "?"), q.language) for q in questions]),
    ):
        counts = Counter((str(half), key) for half, key in keys)
        for half in sorted({half for half, _ in counts}):
            row = ", ".join(f"{key} {count}" for (other, key), count in sorted(counts.items()) if other == half)
            total = sum(count for (other, _), count in counts.items() if other == half)
            print(f"{title}, {half}: {total} ({row})")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_cache_option(parser)
    parser.add_argument("--only", metavar="NAME", help="check NAME.jsonl of documents and questions alone")
    parser.add_argument("--training", action="store_true", help="check the data for training, not the bed")
    parser.add_argument("--offline", action="store_true", help="do not fetch documents, and do not check quotes")
    args = parser.parse_args()
    data = TRAINING_DATA if args.training else DATA
    documents, questions = load_documents(data=data), load_questions(args.only, data)
    shown = load_documents(args.only, data) if args.only else documents
    faults = [*check_documents(documents), *check_questions(questions, documents)]
    if args.training:
        faults.extend(check_apart(documents, load_documents()))
    elif not args.only:
        faults.extend(check_amounts(questions, documents))
    if not args.offline:
        faults.extend(check_quotes(questions, documents, args.cache.expanduser()))
    print_counts(questions, shown)
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(faults)} faults")
    return int(bool(faults))


def _has_quote(texts: tuple[str, str], quote: str) -> bool:
    return any(normalise(quote) in normalise(text) for text in texts)


def _has_answer(pages: Sequence[tuple[str, str]], question: BedQuestion) -> bool:
    """Return whether an alternative is in the text of the pages, so that an answer in their own words can be right."""
    return any(contains_alternative("\n".join(texts), question.answers) for texts in zip(*pages, strict=True))


def _find_repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    return (f"the {what} {name} is there {count} times" for name, count in Counter(names).items() if count > 1)


if __name__ == "__main__":
    sys.exit(main())
