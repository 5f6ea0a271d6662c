"""`Quoting`: text is quoted, pictures are told by a model. For models that see, and read little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.types import Lane
from services.ports import Generator
from services.types import Draft, Evidence


class Quoting:
    """See `services.ports.Generator`. What was found best decides: words are left to `quotes`, what is seen to `model`.
    Captions are the model's wherever there is a picture.
    """

    def __init__(self, model: Generator, quotes: Generator) -> None:
        self._model, self._quotes = model, quotes

    @property
    def model_id(self) -> str:
        return f"{self._model.model_id}+{self._quotes.model_id}"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[Draft]:
        reads = bool(evidence) and bool({Lane.TEXT, Lane.KEYWORDS} & evidence[0].found.lanes.keys())
        return (self._quotes if reads else self._model).answer(question, evidence)

    def describe(self, evidence: Sequence[Evidence], words: int) -> Iterator[Draft]:
        sees = any(one.found.segment.picture for one in evidence)
        return (self._model if sees else self._quotes).describe(evidence, words)
