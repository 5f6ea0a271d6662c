"""Tokenizer for prompts: user and media text is never encoded as special tokens (prompt-injection defence)."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from services.generators.onevision.engine import TokenIds


class PromptTokenizer:
    """Thread-safe wrapper of a checkpoint's tokenizer, which cannot change its options while another thread uses it."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers has no types
        self._tokenizer = tokenizer
        self._lock = threading.Lock()

    def encode_trusted(self, text: str) -> TokenIds:
        """Return the ids of text of our own, in which special tokens are encoded as such."""
        with self._lock:
            return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)

    def encode_untrusted(self, text: str) -> TokenIds:
        """Return the ids of text from users or media, in which special tokens are encoded as plain text."""
        with self._lock:
            return tuple(self._tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """Yield the text of ids as they come; an incomplete character is held back until it is complete."""
        pending_ids: list[int] = []
        sent_chars = 0
        for token in ids:
            pending_ids.append(token)
            with self._lock:
                text = self._tokenizer.decode(pending_ids, skip_special_tokens=True)
            if not text.endswith("\ufffd"):
                yield text[sent_chars:]
                sent_chars = len(text)
