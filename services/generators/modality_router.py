"""`Quoting`: text is quoted, pictures are told by a model. For models that see, and read little."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.types import Lane
from services.generators.ports import Generator
from services.generators.types import DraftSentence, Evidence


class ModalityRouter:
    """See `services.ports.Generator`. What was found best decides: words are left to `quotes`, what is seen to `model`.
    Captions are the model's wherever there is a picture.
    """

    def __init__(self, vision_generator: Generator, text_generator: Generator) -> None:
        self._vision_generator, self._text_generator = vision_generator, text_generator

    @property
    def model_id(self) -> str:
        return f"{self._vision_generator.model_id}+{self._text_generator.model_id}"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        reads = bool(evidence) and bool({Lane.TEXT, Lane.KEYWORDS} & evidence[0].result.lane_scores.keys())
        return (self._text_generator if reads else self._vision_generator).answer(question, evidence)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        sees = any(one.result.segment.picture for one in evidence)
        return (self._vision_generator if sees else self._text_generator).describe(evidence, max_words)
