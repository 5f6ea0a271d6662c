"""Port of reading: which words of a passage answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from indexer.types import Segment
from services.reading.units import ReadUnit


class AnswerReader(Protocol):
    """Reads passages for the answer to a question. Errors: ModelError."""

    @property
    def model_id(self) -> str:
        """Identifier of the model and its weights."""
        ...

    def read(self, question: str, passages: Sequence[Segment]) -> list[list[ReadUnit]]:
        """Return the units of each passage in their order, with their scores; none for a passage without text.

        Scores are comparable between passages and between questions; 0 means as likely as that nothing answers.
        """
        ...
