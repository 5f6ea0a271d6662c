"""What a language model says, cut into sentences as it comes, each with the evidence that its ids name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from indexer.text.sentences import split_sentences
from services.cancellation import raise_if_cancelled
from services.generators.types import DraftSentence, Evidence, Quote

ABSTENTION = "Not shown in the evidence."
_ABSTENTION_FOLDED = ABSTENTION.rstrip(".").casefold()
_CITATION = re.compile(r"\s*\[\s*([A-Z]\d+(?:\s*[,;]\s*[A-Z]\d+)*)(?:\s[^\[\]]*)?\]")
_LEADING_CITATIONS = re.compile(rf"(?:{_CITATION.pattern})+")
_EVIDENCE_ID = re.compile(r"[A-Z]\d+")


def parse_sentences(chunks: Iterable[str], evidence_by_id: Mapping[str, Evidence]) -> Iterator[DraftSentence]:
    """A draft for each sentence of a stream of text, as soon as it is complete; ids in brackets become quotes.

    `shown` is what the model was shown, by id; it may be filled until the first piece comes. Other ids are left out,
    so that a sentence may be left with none. A sentence that says that the evidence does not show the answer is no
    draft. Errors: Stopped, between two pieces, where nobody waits for the answer any more.
    """
    buffer = ""
    for piece in chunks:
        raise_if_cancelled()
        buffer += piece
        *complete, buffer = _split_sentences(buffer)
        yield from _to_drafts(complete, evidence_by_id)
    yield from _to_drafts(_split_sentences(buffer), evidence_by_id)


def _split_sentences(text: str) -> list[str]:
    """Sentences, each with the ids that follow it; the last may not be complete, and begins with the space before."""
    cuts = [cut for start, _ in split_sentences(text)[1:] if (cut := _skip_leading_citations(text, start)) is not None]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _skip_leading_citations(text: str, start: int) -> int | None:
    """Where a sentence really begins whose span begins with the ids of the one before; None where that is all of it, or
    may be."""
    ids = _LEADING_CITATIONS.match(text, start)
    if ids is None:
        return None if text[start] == "[" and "]" not in text[start:] else start
    return ids.end() if text[ids.end() :].strip() else None


def _to_drafts(sentence_texts: Iterable[str], evidence_by_id: Mapping[str, Evidence]) -> Iterator[DraftSentence]:
    for sentence in sentence_texts:
        named = [name for cited in _CITATION.finditer(sentence) for name in _EVIDENCE_ID.findall(cited.group(1))]
        text = " ".join(_CITATION.sub("", sentence).split())
        if any(char.isalnum() for char in text) and _ABSTENTION_FOLDED not in text.casefold():
            known = [name for name in dict.fromkeys(named) if name in evidence_by_id]
            score = max((evidence_by_id[name].result.score for name in known), default=0.0)
            yield DraftSentence(text, tuple(Quote(name) for name in known), score)
