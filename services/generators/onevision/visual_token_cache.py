"""LRU cache of visual tokens: a frame of a question is shown again to verify each sentence of the answer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor

from indexer.types import PictureRef, Pixels
from services.generators.onevision.vision import VisionEncoder

_Key = tuple[PictureRef, int]


class VisualTokenCache:
    """Encodes pictures as frames and caches the last ones, in at most `max_bytes`. Thread-safe."""

    def __init__(self, load_pixels: Callable[[PictureRef], Pixels], max_bytes: int = 64 << 20) -> None:
        self._load_pixels, self._max_bytes = load_pixels, max_bytes
        self._entries: OrderedDict[_Key, Tensor] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()

    def encode_frames(self, vision: VisionEncoder, pictures: Sequence[PictureRef], max_tokens: int) -> list[Tensor]:
        """Return the visual tokens of each picture, `[n, D]`. Errors: those of `load_pixels`."""
        with self._lock:
            known = {picture: self._entries.get((picture, max_tokens)) for picture in pictures}
        missing = [picture for picture, tokens in known.items() if tokens is None]
        pixels = [self._load_pixels(picture) for picture in missing]
        encoded = vision.encode_frames(pixels, max_tokens) if missing else []
        new_entries = dict(zip(missing, encoded, strict=True))
        self._store(new_entries, max_tokens)
        return [new_entries[picture] if (tokens := known[picture]) is None else tokens for picture in pictures]

    def _store(self, new_entries: dict[PictureRef, Tensor], max_tokens: int) -> None:
        """Add entries; evict the oldest ones beyond `max_bytes`."""
        with self._lock:
            for picture, tensor in new_entries.items():
                if (picture, max_tokens) not in self._entries:
                    self._entries[picture, max_tokens] = tensor.clone()
                    self._size_bytes += tensor.nbytes
            while self._size_bytes > self._max_bytes and self._entries:
                self._size_bytes -= self._entries.popitem(last=False)[1].nbytes
