"""Text to ids and back. Words of people and of media never become tokens that rule the conversation."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from services.generators.onevision.engine import TokenIds


class PromptTokenizer:
    """A checkpoint's tokenizer, for several threads: it refuses to be set while another one reads from it."""

    def __init__(self, tokenizer: Any) -> None:  # noqa: ANN401 - transformers has no types
        self._tokenizer = tokenizer
        self._lock = threading.Lock()

    def encode_trusted(self, text: str) -> TokenIds:
        """The ids of our own words, special tokens among them."""
        with self._lock:
            return tuple(self._tokenizer(text, add_special_tokens=False).input_ids)

    def encode_untrusted(self, text: str) -> TokenIds:
        """The ids of anybody's words: what is written like a special token stays letters."""
        with self._lock:
            return tuple(self._tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)

    def decode_stream(self, ids: Iterable[int]) -> Iterator[str]:
        """The text of ids as they come; half a character waits for its other half."""
        pending_ids: list[int] = []
        done = 0
        for one in ids:
            pending_ids.append(one)
            with self._lock:
                text = self._tokenizer.decode(pending_ids, skip_special_tokens=True)
            if not text.endswith("\ufffd"):
                yield text[done:]
                done = len(text)
