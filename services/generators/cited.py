"""What a language model says, cut into sentences as it comes, each with the evidence that its ids name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from indexer.sentences import sentences
from services.stopping import check
from services.types import Draft, Evidence, Quote

NOT_SHOWN = "Not shown in the evidence."
_NOT_SHOWN = NOT_SHOWN.rstrip(".").casefold()
_CITED = re.compile(r"\s*\[\s*([A-Z]\d+(?:\s*[,;]\s*[A-Z]\d+)*)(?:\s[^\[\]]*)?\]")
_LEADING = re.compile(rf"(?:{_CITED.pattern})+")
_ID = re.compile(r"[A-Z]\d+")


def drafts(pieces: Iterable[str], shown: Mapping[str, Evidence]) -> Iterator[Draft]:
    """A draft for each sentence of a stream of text, as soon as it is complete; ids in brackets become quotes.

    `shown` is what the model was shown, by id; it may be filled until the first piece comes. Other ids are left out,
    so that a sentence may be left with none. A sentence that says that the evidence does not show the answer is no
    draft. Errors: Stopped, between two pieces, where nobody waits for the answer any more.
    """
    held = ""
    for piece in pieces:
        check()
        held += piece
        *complete, held = _cut(held)
        yield from _parsed(complete, shown)
    yield from _parsed(_cut(held), shown)


def _cut(text: str) -> list[str]:
    """Sentences, each with the ids that follow it; the last may not be complete, and begins with the space before."""
    cuts = [cut for start, _ in sentences(text)[1:] if (cut := _behind_ids(text, start)) is not None]
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def _behind_ids(text: str, start: int) -> int | None:
    """Where a sentence really begins whose span begins with the ids of the one before; None where that is all of it, or
    may be."""
    ids = _LEADING.match(text, start)
    if ids is None:
        return None if text[start] == "[" and "]" not in text[start:] else start
    return ids.end() if text[ids.end() :].strip() else None


def _parsed(said: Iterable[str], by_id: Mapping[str, Evidence]) -> Iterator[Draft]:
    for sentence in said:
        named = [name for cited in _CITED.finditer(sentence) for name in _ID.findall(cited.group(1))]
        text = " ".join(_CITED.sub("", sentence).split())
        if any(char.isalnum() for char in text) and _NOT_SHOWN not in text.casefold():
            known = [name for name in dict.fromkeys(named) if name in by_id]
            score = max((by_id[name].found.score for name in known), default=0.0)
            yield Draft(text, tuple(Quote(name) for name in known), score)
