"""Visual tokens of pictures that were seen lately: a frame is shown with a question, and again for every sentence."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor

from indexer.types import PictureRef, Pixels
from services.generators.onevision.vision import Vision

_Key = tuple[PictureRef, int]


class Sights:
    """Looks at pictures as frames; the last ones stay, in `room` bytes at most. For several threads."""

    def __init__(self, pixels: Callable[[PictureRef], Pixels], room: int = 64 << 20) -> None:
        self._pixels, self._room = pixels, room
        self._kept: OrderedDict[_Key, Tensor] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def frames(self, vision: Vision, pictures: Sequence[PictureRef], tokens: int) -> list[Tensor]:
        """The tokens of each picture, `[tokens, D]`. Errors: as of `pixels`."""
        with self._lock:
            known = {picture: self._kept.get((picture, tokens)) for picture in pictures}
        missing = [picture for picture, seen in known.items() if seen is None]
        seen = vision.frames([self._pixels(picture) for picture in missing], tokens) if missing else []
        fresh = dict(zip(missing, seen, strict=True))
        self._keep(fresh, tokens)
        return [fresh[picture] if (tensor := known[picture]) is None else tensor for picture in pictures]

    def _keep(self, fresh: dict[PictureRef, Tensor], tokens: int) -> None:
        with self._lock:
            for picture, tensor in fresh.items():
                if (picture, tokens) not in self._kept:
                    self._kept[picture, tokens] = tensor.clone()
                    self._bytes += tensor.nbytes
            while self._bytes > self._room and self._kept:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
