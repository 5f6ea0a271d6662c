"""Prompt template of a checkpoint, a property of the weights: `afterimage_layout.json` beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from indexer.errors import ModelError
from services.generators.prompts import SYSTEM_PROMPT

PROMPT_TEMPLATE_FILE = "afterimage_layout.json"
_MAX_FRAME_TOKENS = 196
"""Source: LLaVA-OneVision (arXiv 2408.03326) pools a frame of 27 × 27 tokens to 14 × 14."""


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """Prompt template: `opening`, then memory slots, frames, pictures and text, then `closing`.

    The defaults suit the published OneVision checkpoints, which use Qwen2's chat template. `frame_tokens` and
    `slot_tokens` are the most visual tokens of a frame and of a slot (1 to 196), `memory_share` is the share of the
    budget, without opening and closing, that a memory may take. Frames end with the model's newline token if `newline`
    is set, as its videos do. Without `detail` photos and pages are encoded as frames. Errors: ValueError.
    """

    opening: str = f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n<|im_start|>user\n"
    closing: str = "<|im_end|>\n<|im_start|>assistant\n"
    end: str = "<|im_end|>"
    frame_tokens: int = _MAX_FRAME_TOKENS
    slot_tokens: int = 16
    """Chosen: 4 × 4 tokens; more show a slot in finer detail but make the prefix of every question longer."""
    memory_share: float = 0.5
    """Chosen: half of the prompt for the whole video, half for what was retrieved for the question."""
    newline: bool = True
    detail: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError if a value is out of its range."""
        for name in ("frame_tokens", "slot_tokens"):
            if not 1 <= getattr(self, name) <= _MAX_FRAME_TOKENS:
                raise ValueError(f"{name} is {getattr(self, name)}, not 1 to {_MAX_FRAME_TOKENS}")
        if not 0 <= self.memory_share < 1:
            raise ValueError(f"memory_share is {self.memory_share}, not 0 to 1")


def load_prompt_template(folder: Path) -> PromptTemplate:
    """Return the template beside the weights, or the default. Errors: ModelError for a damaged file."""
    file = folder / PROMPT_TEMPLATE_FILE
    if not file.is_file():
        return PromptTemplate()
    try:
        return msgspec.json.decode(file.read_bytes(), type=PromptTemplate)
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise ModelError(f"{file}: is no layout: {error}") from error


def fit_grid(max_tokens: int, side: int) -> tuple[int, int]:
    """Return rows and columns of the squarest grid of at most `max_tokens` tokens, no larger than `side` × `side`."""
    rows = max(count for count in range(1, side + 1) if count * count <= max_tokens)
    return rows, min(max_tokens // rows, side)
