"""What one request may hold, and what each thing in it costs, counted before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from indexer.errors import QueryError, SettingsError
from services.generators.wording import SYSTEM

_CONVERSATION = 24
"""Tokens around the messages: roles, beginnings and ends."""
FRAMES = "Video frames, in this order:"
_END_OF_VIDEO = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in tokens of the server's model; `budget_tokens` is the whole prompt, without the answer.

    A picture among `images` costs `image_tokens` at most, a frame of the one video `frame_tokens`. `hidden_size` is the
    width of memory tokens, 0 where the server does not take them.

    Errors: SettingsError where the budget does not hold one frame.
    """

    budget_tokens: int
    frame_tokens: int = 196
    image_tokens: int = 7371
    chars_per_token: float = 4.0
    images: int = 16
    hidden_size: int = 0

    def __post_init__(self) -> None:
        least = self._around("") + self.video + self.frame_tokens
        if self.budget_tokens < least:
            name = "AFTERIMAGE_GENERATOR__BUDGET_TOKENS"
            raise SettingsError(f"{name} is {self.budget_tokens}; the instructions and one frame take {least}")

    @property
    def video(self) -> int:
        """What a video costs beside its frames."""
        return self.text(FRAMES) + _END_OF_VIDEO

    def text(self, text: str) -> int:
        """Tokens of a text part: digits and marks one each, the rest by its bytes (a Chinese sign has three)."""
        marks = sum(not (char.isalpha() or char.isspace()) for char in text)
        rest = sum(len(char.encode("utf-8", "replace")) for char in text if char.isalpha() or char.isspace())
        return 1 + marks + math.ceil(rest / self.chars_per_token)

    def left_beside(self, question: str) -> int:
        """Tokens for evidence. QueryError where the question leaves no room for one frame."""
        left = self.budget_tokens - self._around(question)
        if left < self.video + self.frame_tokens:
            most = self.budget_tokens - self._around("") - self.video - self.frame_tokens
            raise QueryError(f"the question takes {self.text(question)} tokens; there is room for {most}")
        return left

    def _around(self, question: str) -> int:
        return _CONVERSATION + self.text(SYSTEM) + self.text(question)
