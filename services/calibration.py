"""What a score is worth: every lane's scores are read against what unrelated queries find.

A set of null queries (`services/data/null_queries.txt`: questions about anything and everything; for pictures
`null_scenes.txt`: things that are not seen together) is put to the index; the best score that each one reaches in a
lane is that lane's null distribution. `null_quantile` is the share of unrelated queries that shall find nothing in any
lane, so each of n lanes is cut where `(1 - null_quantile) / n` of them find something. The calibrated score is a
logistic curve through two points: 0.5 at that cut, 0.05 at the median of the nulls. So 0.5 means "no better than the
luckiest unrelated queries" in every lane and for every model.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from statistics import NormalDist
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexer.errors import ArtifactError
from indexer.ports import BlobStore, ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.types import Lane, Pixels, SegmentFilter, Vectors
from services.catalog import now

T = TypeVar("T")

_PICTURES, _IN_CJK = "pictures", "-cjk"
_CJK = re.compile("[\u1100-\u11ff\u3041-\u30ff\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_AT_MEDIAN = math.log(0.95 / 0.05)
_NARROWEST, _UPPER = 0.01, 0.9
_LISTS = ("null_queries", "null_queries_cjk", "null_scenes")
_AT_ONCE = 8
"""How many nulls are encoded together: few, so that measuring takes no more memory than indexing did."""
_FILE = "calibration.json"


@dataclass(frozen=True, slots=True)
class Curve:
    """A lane's calibration: the cut in the lane's own scores, and the width of the logistic curve around it."""

    cut: float
    width: float

    def calibrated(self, score: float) -> float:
        """The lane's score on the common scale, in (0, 1); 0.5 at the cut."""
        return 1.0 / (1.0 + math.exp(min(700.0, -(score - self.cut) / self.width)))


@dataclass(frozen=True, slots=True)
class _Nulls:
    generation: int
    made_of: dict[str, str]
    best: dict[str, list[float]]
    measured_at: float = 0.0


class Calibration:
    """The curves of an index, measured after each change by whoever wrote, kept among the blobs, read by everyone."""

    def __init__(
        self,
        index: SegmentIndex,
        visual: Callable[[], ImageTextEncoder | None],
        text: Callable[[], SentenceEncoder | None],
        models: Mapping[str, str],
        blobs: BlobStore,
        quantile: float,
    ) -> None:
        self._index, self._visual, self._text = index, visual, text
        self._made_of = {**models, "null queries": _digest([line for name in _LISTS for line in null_queries(name)])}
        self._blobs, self._quantile = blobs, quantile
        self._nulls: _Nulls | None = None

    def curve(self, lane: Lane, query: str | None = None) -> Curve:
        """The curve of a lane for a query in words, or for pictures (None).

        An encoder that was not made for a script finds anything like anything in it: words in Chinese, Japanese or
        Korean are cut where unrelated words in those scripts are, and never below the others' cut.
        """
        nulls = self._current()
        if query is None:
            return self._cut_at(nulls.best.get(_PICTURES) or [0.0], 1)
        lanes = sum(name in nulls.best for name in Lane)
        plain = self._cut(lane)(nulls.best.get(lane.value) or [0.0], lanes)
        if not _CJK.search(query):
            return plain
        return max(plain, self._cut_at(nulls.best.get(f"{lane}{_IN_CJK}") or [0.0], lanes), key=lambda curve: curve.cut)

    def _cut(self, lane: Lane) -> Callable[[list[float], int], Curve]:
        return self._cut_beyond if lane is Lane.VISUAL else self._cut_at

    def _cut_at(self, best: list[float], lanes: int) -> Curve:
        return _curve(float(np.quantile(best, self._share(lanes))), best)

    def _cut_beyond(self, best: list[float], lanes: int) -> Curve:
        """The same quantile, of the normal tail through the median and the upper tenth: an archive of pictures may well
        show one of the null scenes, and that one must not cut off all that is as good. Never below the floor that the
        weights come with."""
        middle, upper = (float(np.quantile(best, share)) for share in (0.5, _UPPER))
        stretch = NormalDist().inv_cdf(self._share(lanes)) / NormalDist().inv_cdf(_UPPER)
        visual = self._visual()
        floor = -1.0 if visual is None else visual.floor
        return _curve(max(floor, middle + stretch * (upper - middle)), best)

    def _share(self, lanes: int) -> float:
        return 1 - (1 - self._quantile) / lanes

    def refresh(self) -> None:
        """Put the null queries to the index as it is now, and store what they find."""
        self._nulls = self._measure()
        self._blobs.put(_FILE, msgspec.json.encode(self._nulls))

    def keep_up(self, rest_s: float = 0.0) -> None:
        """Measure if the index has changed since the last time, be it by a run that was killed before it came here, and
        if that was `rest_s` ago."""
        stored = self._stored()
        if stored is None or (stored.generation != self._index.generation() and now() - stored.measured_at >= rest_s):
            self.refresh()

    def _current(self) -> _Nulls:
        generation = self._index.generation()
        if self._nulls is None or self._nulls.generation != generation:
            self._nulls = self._stored() or self._nulls or self._measure()
        return self._nulls

    def _stored(self) -> _Nulls | None:
        try:
            nulls = msgspec.json.decode(self._blobs.get(_FILE), type=_Nulls)
        except (ArtifactError, msgspec.MsgspecError):
            return None
        return nulls if nulls.made_of == self._made_of else None

    def _measure(self) -> _Nulls:
        generation, in_cjk = self._index.generation(), null_queries("null_queries_cjk")
        best = self._measure_words("", null_queries(), null_queries("null_scenes"))
        best |= self._measure_words(_IN_CJK, in_cjk, in_cjk)
        if (visual := self._visual()) is not None:
            best[_PICTURES] = self._best_of(Lane.VISUAL, visual.encode_images, null_pictures())
        return _Nulls(generation, self._made_of, best, now())

    def _measure_words(self, suffix: str, queries: list[str], scenes: list[str]) -> dict[str, list[float]]:
        best = {f"{Lane.KEYWORDS}{suffix}": [self._best(Lane.KEYWORDS, query) for query in queries]}
        if (text := self._text()) is not None:
            best[f"{Lane.TEXT}{suffix}"] = self._best_of(Lane.TEXT, text.encode, queries)
        if (visual := self._visual()) is not None:
            best[f"{Lane.VISUAL}{suffix}"] = self._best_of(Lane.VISUAL, visual.encode_texts, scenes)
        return best

    def _best_of(self, lane: Lane, encode: Callable[[Sequence[T]], Vectors], nulls: Sequence[T]) -> list[float]:
        some_at_a_time = (nulls[first : first + _AT_ONCE] for first in range(0, len(nulls), _AT_ONCE))
        return [self._best(lane, vector) for some in some_at_a_time for vector in encode(some)]

    def _best(self, lane: Lane, query: NDArray[np.float32] | str) -> float:
        hits = self._index.search(lane, query, 1, SegmentFilter())
        return hits[0].score if hits else 0.0


def _curve(cut: float, best: list[float]) -> Curve:
    return Curve(cut, max(_NARROWEST, (cut - float(np.median(best))) / _AT_MEDIAN))


def null_queries(name: str = "null_queries") -> list[str]:
    """The stored queries that no archive is likely to be about, one a line."""
    text = (resources.files("services") / "data" / f"{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def null_pictures(count: int = 32, px: int = 224) -> list[Pixels]:
    """Pictures of nothing, seeded: gradients, stripes and coloured noise at several scales, `[px, px, 3]`."""
    random = np.random.default_rng(20)
    pictures = []
    for i in range(count):
        cells = 2 ** (1 + i % 6)
        coarse = random.integers(0, 256, (cells, cells, 3)).astype(np.float32)
        tiled = np.repeat(np.repeat(coarse, px // cells + 1, 0), px // cells + 1, 1)[:px, :px]
        shade = np.linspace(0.5, 1.0, px, dtype=np.float32)[:, None, None] if i % 2 else 1.0
        pictures.append((tiled * shade).astype(np.uint8))
    return pictures
