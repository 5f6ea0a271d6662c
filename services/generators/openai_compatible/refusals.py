"""What a model server refuses for its size, and the smaller budget that its reason asks for."""

from __future__ import annotations

import re
from dataclasses import replace

from indexer.errors import SettingsError
from services.generators.openai_compatible.limits import TokenBudget

_ITEM_LIMIT = re.compile(r"[Aa]t most (\d+) (image|video)")
"""Source: vLLM's message for more items than `--limit-mm-per-prompt`."""
_ENCODER_CACHE_LIMIT = re.compile(r"(image|video) item with \d+ embedding tokens\D+ encoder cache size")
"""Source: vLLM's message for an item larger than its encoder cache, which has room for `--max-num-batched-tokens`."""
_CONTEXT_LIMIT = re.compile(r"(?:context|model) length (?:is|of) (\d+)")
"""Source: vLLM's messages for a prompt longer than `--max-model-len`, with or without the answer."""
_SIZE = re.compile(r"too (?:large|long|many|big)|exceed|longer than|at most|maximum|limit", re.IGNORECASE)
"""Chosen: words by which servers and proxies say that a request is too large; no other is sent again."""


def reduce_budget(budget: TokenBudget, frames: int, images: int, reason: str) -> TokenBudget | None:
    """Return the budget within which a server may take a request that it refused for a reason, in its words.

    The request had so many frames, and images in full, which else go as frames. Where the reason names no limit, it is
    half of the larger number. Each budget is smaller than the one before. None where the reason is not the size, or
    nothing can be left out.
    """
    if context_limit := _CONTEXT_LIMIT.search(reason):
        return _reduce_tokens(budget, int(context_limit[1]))
    if item_limit := _ITEM_LIMIT.search(reason):
        name, limit = f"max_{item_limit[2]}s", int(item_limit[1])
        if limit < getattr(budget, name) and (limit or name == "max_images"):
            return replace(budget, **{name: limit})
    if item := _ENCODER_CACHE_LIMIT.search(reason):
        return replace(budget, max_images=0) if item[1] == "image" and images else None
    if max(frames, images) <= 1 or not _SIZE.search(reason):
        return None
    return replace(budget, max_videos=frames // 2) if frames >= images else replace(budget, max_images=images // 2)


def _reduce_tokens(budget: TokenBudget, context_tokens: int) -> TokenBudget | None:
    """Return three quarters of the budget, as tokens were underestimated; None where no frame fits into that."""
    try:
        return replace(budget, max_prompt_tokens=min(budget.max_prompt_tokens, context_tokens) * 3 // 4)
    except SettingsError:
        return None
