"""Streaming parser of a model's answer: text to draft sentences, ids in brackets (`[F1]`) to citations of evidence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from indexer.text.sentences import split_sentences
from services.cancellation import raise_if_cancelled
from services.generators.types import DraftSentence, Evidence, Quote

ABSTENTION = "Not shown in the evidence."
"""Sentence by which a model says that the evidence does not hold the answer; part of the prompt."""
_ABSTENTION_FOLDED = ABSTENTION.rstrip(".").casefold()
_CITATION = re.compile(r"\s*\[\s*([A-Z]\d+(?:\s*[,;]\s*[A-Z]\d+)*)(?:\s[^\[\]]*)?\]")
_LEADING_CITATIONS = re.compile(rf"(?:{_CITATION.pattern})+")
_EVIDENCE_ID = re.compile(r"[A-Z]\d+")


def parse_sentences(chunks: Iterable[str], evidence_by_id: Mapping[str, Evidence]) -> Iterator[DraftSentence]:
    """Yield a draft for each sentence of a stream of text as soon as it is complete; ids in brackets become quotes.

    `evidence_by_id` is what the model was shown; it may be filled until the first chunk comes. Other ids are left out,
    so that a sentence may have no quote. A sentence of abstention gives no draft.
    Errors: Cancelled, between two chunks, when the caller no longer waits for the answer.
    """
    buffer = ""
    for chunk in chunks:
        raise_if_cancelled()
        buffer += chunk
        *complete, buffer = _split_sentences(buffer)
        yield from _to_drafts(complete, evidence_by_id)
    yield from _to_drafts(_split_sentences(buffer), evidence_by_id)


def _split_sentences(text: str) -> list[str]:
    """Return the sentences, each with the citations behind it; the last may be incomplete and begins with a space."""
    cuts = [cut for start, _ in split_sentences(text)[1:] if (cut := _skip_leading_citations(text, start)) is not None]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _skip_leading_citations(text: str, start: int) -> int | None:
    """Return where a sentence begins behind the citations that belong to the sentence before it.

    None where the text from `start` on is nothing but citations, or may still become that.
    """
    ids = _LEADING_CITATIONS.match(text, start)
    if ids is None:
        return None if text[start] == "[" and "]" not in text[start:] else start
    return ids.end() if text[ids.end() :].strip() else None


def _to_drafts(sentences: Iterable[str], evidence_by_id: Mapping[str, Evidence]) -> Iterator[DraftSentence]:
    """Yield the drafts of complete sentences; abstentions and sentences without a word give none."""
    for sentence in sentences:
        cited_ids = [name for match in _CITATION.finditer(sentence) for name in _EVIDENCE_ID.findall(match.group(1))]
        text = " ".join(_CITATION.sub("", sentence).split())
        if any(char.isalnum() for char in text) and _ABSTENTION_FOLDED not in text.casefold():
            known_ids = [name for name in dict.fromkeys(cited_ids) if name in evidence_by_id]
            score = max((evidence_by_id[name].result.score for name in known_ids), default=0.0)
            yield DraftSentence(text, tuple(Quote(name) for name in known_ids), score)
