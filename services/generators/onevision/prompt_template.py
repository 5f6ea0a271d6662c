"""How a checkpoint wants its prompt: a property of the weights, in `afterimage_layout.json` beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from indexer.errors import ModelError
from services.generators.prompts import SYSTEM_PROMPT

PROMPT_TEMPLATE_FILE = "afterimage_layout.json"


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """The parts of a prompt: `opening`, memory slots, frames, pictures, text, `closing`. The defaults are those of the
    OneVision checkpoints, which are Qwen2 in its chat form.

    `frame_tokens` and `slot_tokens` are visual tokens for a frame and for a slot at most (1 to 196), `memory_share` is
    the part of the budget that a memory may take, without opening and closing. A run of frames ends with the model's
    newline where `newline` is set, as its videos do. Without `detail` photos and pages are seen as frames are.
    """

    opening: str = f"<|im_start|>system\n{SYSTEM_PROMPT}<|im_end|>\n<|im_start|>user\n"
    closing: str = "<|im_end|>\n<|im_start|>assistant\n"
    end: str = "<|im_end|>"
    frame_tokens: int = 196
    slot_tokens: int = 16
    memory_share: float = 0.5
    newline: bool = True
    detail: bool = True

    def __post_init__(self) -> None:
        for name in ("frame_tokens", "slot_tokens"):
            if not 1 <= getattr(self, name) <= 196:
                raise ValueError(f"{name} is {getattr(self, name)}, not 1 to 196")
        if not 0 <= self.memory_share < 1:
            raise ValueError(f"memory_share is {self.memory_share}, not 0 to 1")


def load_prompt_template(folder: Path) -> PromptTemplate:
    """The layout beside the weights, or the default. Errors: ModelError where it is damaged."""
    file = folder / PROMPT_TEMPLATE_FILE
    if not file.is_file():
        return PromptTemplate()
    try:
        return msgspec.json.decode(file.read_bytes(), type=PromptTemplate)
    except (msgspec.MsgspecError, ValueError, OSError) as error:
        raise ModelError(f"{file}: is no layout: {error}") from error


def fit_grid(max_tokens: int, side: int) -> tuple[int, int]:
    """Rows and columns that `tokens` visual tokens at most are laid out in, as square as they can be, in a grid of
    `side` × `side`."""
    rows = max(number for number in range(1, side + 1) if number * number <= max_tokens)
    return rows, min(max_tokens // rows, side)
