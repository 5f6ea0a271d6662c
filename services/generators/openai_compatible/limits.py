"""Token budget of one request to a model server, estimated before anything is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from indexer.errors import InvalidInput, SettingsError
from services.generators.prompts import SYSTEM_PROMPT

_CHAT_OVERHEAD_TOKENS = 24
"""Chosen: bounds the tokens around the messages (roles, begin and end marks) of the known chat templates."""
_END_OF_VIDEO_TOKENS = 1
"""Source: LLaVA-OneVision ends a video with one newline token."""


@dataclass(frozen=True, slots=True)
class TokenBudget:
    """Sizes in tokens of the server's model, and estimates of what a request takes.

    `max_prompt_tokens` is the whole prompt without the answer. `image_tokens` is the most that a picture takes,
    `frame_tokens` the size of a video frame. `max_images` and `max_videos` are what the server takes in one request;
    each frame is a video. `hidden_size` is the width of memory tokens, 0 if the server does not take them. Errors:
    SettingsError where the budget does not hold one frame.
    """

    max_prompt_tokens: int
    frame_tokens: int = 196
    """Source: LLaVA-OneVision (arXiv 2408.03326) pools a frame of 27 × 27 tokens to 14 × 14."""
    image_tokens: int = 7371
    """Source: LLaVA-OneVision's AnyRes-9: at most (1 + 9) views of 729 tokens each, and 81 row ends."""
    chars_per_token: float = 4.0
    """Chosen: common for English in Qwen2's vocabulary; other languages need a lower setting."""
    max_images: int = 16
    """Chosen: has to match the server's `--limit-mm-per-prompt`; more pictures cost more than they tell."""
    max_videos: int = 64
    """Chosen: the frames of a prompt of 12,000 tokens."""
    hidden_size: int = 0

    def __post_init__(self) -> None:
        """Raise SettingsError if the prompt cannot hold the instructions and one frame."""
        min_tokens = self._count_fixed_tokens("") + self.video_tokens
        if self.max_prompt_tokens < min_tokens:
            name = "AFTERIMAGE_GENERATOR__MAX_PROMPT_TOKENS"
            raise SettingsError(f"{name} is {self.max_prompt_tokens}; the instructions and one frame take {min_tokens}")

    @property
    def video_tokens(self) -> int:
        """Tokens of a frame as a video, without its header."""
        return self.frame_tokens + _END_OF_VIDEO_TOKENS

    def count_text_tokens(self, text: str) -> int:
        """Estimate the tokens of a text part: one for each digit and mark, letters by their UTF-8 bytes."""
        mark_count = sum(not (char.isalpha() or char.isspace()) for char in text)
        letter_bytes = sum(len(char.encode("utf-8", "replace")) for char in text if char.isalpha() or char.isspace())
        return 1 + mark_count + math.ceil(letter_bytes / self.chars_per_token)

    def count_remaining_tokens(self, question: str) -> int:
        """Return the tokens left for evidence. Errors: InvalidInput where the question leaves no room for one frame."""
        remaining_tokens = self.max_prompt_tokens - self._count_fixed_tokens(question)
        if remaining_tokens < self.video_tokens:
            max_question_tokens = self.max_prompt_tokens - self._count_fixed_tokens("") - self.video_tokens
            raise InvalidInput(
                f"the question takes {self.count_text_tokens(question)} tokens; there is room for {max_question_tokens}"
            )
        return remaining_tokens

    def _count_fixed_tokens(self, question: str) -> int:
        """Return the tokens of a request without evidence."""
        return _CHAT_OVERHEAD_TOKENS + self.count_text_tokens(SYSTEM_PROMPT) + self.count_text_tokens(question)
