"""Visual tokens of pictures that were seen lately: a frame is shown with a question, and again for every sentence."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor

from indexer.types import PictureRef, Pixels
from services.generators.onevision.vision import VisionEncoder

_Key = tuple[PictureRef, int]


class VisualTokenCache:
    """Looks at pictures as frames; the last ones stay, in `room` bytes at most. For several threads."""

    def __init__(self, load_pixels: Callable[[PictureRef], Pixels], max_bytes: int = 64 << 20) -> None:
        self._load_pixels, self._max_bytes = load_pixels, max_bytes
        self._entries: OrderedDict[_Key, Tensor] = OrderedDict()
        self._size_bytes = 0
        self._lock = threading.Lock()

    def encode_frames(self, vision: VisionEncoder, pictures: Sequence[PictureRef], max_tokens: int) -> list[Tensor]:
        """The tokens of each picture, `[tokens, D]`. Errors: as of `pixels`."""
        with self._lock:
            known = {picture: self._entries.get((picture, max_tokens)) for picture in pictures}
        missing = [picture for picture, seen in known.items() if seen is None]
        seen = vision.encode_frames([self._load_pixels(picture) for picture in missing], max_tokens) if missing else []
        fresh = dict(zip(missing, seen, strict=True))
        self._store(fresh, max_tokens)
        return [fresh[picture] if (tensor := known[picture]) is None else tensor for picture in pictures]

    def _store(self, new_entries: dict[PictureRef, Tensor], max_tokens: int) -> None:
        with self._lock:
            for picture, tensor in new_entries.items():
                if (picture, max_tokens) not in self._entries:
                    self._entries[picture, max_tokens] = tensor.clone()
                    self._size_bytes += tensor.nbytes
            while self._size_bytes > self._max_bytes and self._entries:
                self._size_bytes -= self._entries.popitem(last=False)[1].nbytes
