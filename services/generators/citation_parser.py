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
_UNCLOSED_CITATION = re.compile(r"\[\s*([A-Z]\d[^\[\]]*|[A-Z]?)$")
_SENTENCE_END = " \n.!?。！？"
_EVIDENCE_ID = re.compile(r"[A-Z]\d+")
_COMPLETE_ID = re.compile(r"[A-Z]\d+(?=[^\w])")
_WORD = re.compile(r"\w+")
_CONJUNCTIONS = frozenset({"and", "or"})


def parse_sentences(chunks: Iterable[str], evidence_by_id: Mapping[str, Evidence]) -> Iterator[DraftSentence]:
    """Yield a draft for each sentence of a stream of text as soon as it is complete; ids in brackets become quotes.

    `evidence_by_id` is what the model was shown; it may be filled until the first chunk comes. Other ids are left out,
    so that a sentence may have no quote. A sentence of abstention, or of nothing but ids, gives no draft. A citation
    that the end of the answer cuts off (`[F`, `[F1, F`) is no text; the ids that are complete in it count.
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
    """Yield the drafts of complete sentences; abstentions and sentences without a word of their own give none."""
    for sentence in sentences:
        sentence, unclosed_ids = _strip_unclosed_citation(sentence)
        cited_ids = [name for match in _CITATION.finditer(sentence) for name in _EVIDENCE_ID.findall(match.group(1))]
        text = " ".join(_CITATION.sub("", sentence).split())
        if _says_something(text, evidence_by_id) and _ABSTENTION_FOLDED not in text.casefold():
            known_ids = [name for name in dict.fromkeys([*cited_ids, *unclosed_ids]) if name in evidence_by_id]
            score = max((evidence_by_id[name].result.score for name in known_ids), default=0.0)
            yield DraftSentence(text, tuple(Quote(name) for name in known_ids), score)


def _strip_unclosed_citation(sentence: str) -> tuple[str, list[str]]:
    """Return the sentence without a citation at its end that lacks its bracket, and the complete ids of that citation.

    An id is complete if something follows it: `[F1` may be the beginning of `[F12]`, but `[F1.` is not.
    """
    body = sentence.rstrip(_SENTENCE_END)
    unclosed = _UNCLOSED_CITATION.search(body)
    if unclosed is None:
        return sentence, []
    end = sentence[len(body) :]
    return body[: unclosed.start()].rstrip() + end, _COMPLETE_ID.findall(unclosed.group(1) + end)


def _says_something(text: str, evidence_by_id: Mapping[str, Evidence]) -> bool:
    """Return True if the text has a word besides ids of the evidence that stand without brackets."""
    words = set(_WORD.findall(text))
    if words.isdisjoint(evidence_by_id):
        return any(char.isalnum() for char in text)
    return any(_EVIDENCE_ID.fullmatch(word) is None and word.casefold() not in _CONJUNCTIONS for word in words)
