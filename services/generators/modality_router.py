"""Generator that routes a question by modality: text evidence to one generator, pictures to another.

It is for vision-language models that see well and read badly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from indexer.types import Lane
from services.generators.ports import Generator
from services.generators.types import DraftSentence, Evidence


class ModalityRouter:
    """`services.generators.ports.Generator` that delegates to `text_generator` or `vision_generator`.

    A question goes to the text generator if a text lane found the best piece of evidence, a description to the vision
    generator if any piece has a picture.
    """

    def __init__(self, vision_generator: Generator, text_generator: Generator) -> None:
        self._vision_generator, self._text_generator = vision_generator, text_generator

    @property
    def model_id(self) -> str:
        """Identifiers of both models, joined by a plus sign."""
        return f"{self._vision_generator.model_id}+{self._text_generator.model_id}"

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Yield the answer of the generator that suits the best piece of evidence."""
        is_text = bool(evidence) and bool({Lane.TEXT, Lane.KEYWORDS} & evidence[0].result.lane_scores.keys())
        return (self._text_generator if is_text else self._vision_generator).answer(question, evidence)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield the description of the vision generator where there is a picture, else of the text generator."""
        has_picture = any(piece.segment.picture for piece in evidence)
        return (self._vision_generator if has_picture else self._text_generator).describe(evidence, max_words)
