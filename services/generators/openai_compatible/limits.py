"""What one request may hold, and what each thing in it costs, counted before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from indexer.errors import InvalidInput, SettingsError
from services.generators.prompts import SYSTEM_PROMPT

_CHAT_OVERHEAD_TOKENS = 24
"""Tokens around the messages: roles, beginnings and ends."""
FRAMES_INTRO = "Video frames, in this order:"
_END_OF_VIDEO_TOKENS = 1


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """Sizes in tokens of the server's model; `budget_tokens` is the whole prompt, without the answer.

    A picture among `images` costs `image_tokens` at most, a frame of the one video `frame_tokens`. `hidden_size` is the
    width of memory tokens, 0 where the server does not take them.

    Errors: SettingsError where the budget does not hold one frame.
    """

    max_prompt_tokens: int
    frame_tokens: int = 196
    image_tokens: int = 7371
    chars_per_token: float = 4.0
    max_images: int = 16
    hidden_size: int = 0

    def __post_init__(self) -> None:
        min_tokens = self._count_fixed_tokens("") + self.video_overhead_tokens + self.frame_tokens
        if self.max_prompt_tokens < min_tokens:
            name = "AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS"
            raise SettingsError(f"{name} is {self.max_prompt_tokens}; the instructions and one frame take {min_tokens}")

    @property
    def video_overhead_tokens(self) -> int:
        """What a video costs beside its frames."""
        return self.count_text_tokens(FRAMES_INTRO) + _END_OF_VIDEO_TOKENS

    def count_text_tokens(self, text: str) -> int:
        """Tokens of a text part: digits and marks one each, the rest by its bytes (a Chinese sign has three)."""
        marks = sum(not (char.isalpha() or char.isspace()) for char in text)
        rest = sum(len(char.encode("utf-8", "replace")) for char in text if char.isalpha() or char.isspace())
        return 1 + marks + math.ceil(rest / self.chars_per_token)

    def count_remaining_tokens(self, question: str) -> int:
        """Tokens for evidence. QueryError where the question leaves no room for one frame."""
        remaining_tokens = self.max_prompt_tokens - self._count_fixed_tokens(question)
        if remaining_tokens < self.video_overhead_tokens + self.frame_tokens:
            max_question_tokens = (
                self.max_prompt_tokens - self._count_fixed_tokens("") - self.video_overhead_tokens - self.frame_tokens
            )
            raise InvalidInput(
                f"the question takes {self.count_text_tokens(question)} tokens; there is room for {max_question_tokens}"
            )
        return remaining_tokens

    def _count_fixed_tokens(self, question: str) -> int:
        return _CHAT_OVERHEAD_TOKENS + self.count_text_tokens(SYSTEM_PROMPT) + self.count_text_tokens(question)
