"""Score calibration of the lanes against the scores of unrelated (null) queries (decision 0006).

The index is searched with null queries (`services/data/null_queries_en.txt`: questions about anything; for the visual
lane `null_scenes.txt`: things never seen together, decision 0012). The best score of each in a lane is a sample of the
lane's null distribution. `null_quantile` is the share of unrelated queries that shall find nothing in any lane, so each
of n lanes is cut where a share `(1 - null_quantile) / n` of them finds something (Bonferroni correction).

The calibrated score is a logistic curve through two points: 0.5 at that cut, 0.05 at the median. So 0.5 means "no
better than the best unrelated queries" in every lane and for every model.

Null queries in a language also have a mean vector: what is common to questions in that language. A share of it is taken
off the vector of each query, which else finds texts in its own language before those that answer (decision 0121).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from itertools import chain, count
from statistics import NormalDist
from typing import TypeAlias, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexer.errors import ArtifactError, BlobStoreUnavailable, StorageFull
from indexer.ports import BlobStore, ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.text.language import LANGUAGES, identify_language
from indexer.types import Lane, Pixels, SegmentFilter, Vectors
from services.database.clock import Clock, now

T = TypeVar("T")
ScoreProgress: TypeAlias = Callable[[float, float], None]
"""Called with the number of null queries that were searched, and that of all."""

SCORE_AT_CUT = 0.5
"""Source: the logistic function, whose value is 0.5 at its midpoint, where a lane's cut is (decision 0006)."""
_PICTURE_QUERIES = "pictures"
_DEFAULT_LANGUAGE = "en"
"""Chosen: the longest list of null queries, for queries whose language is not known too."""
_BLOB_KEY = "calibration.json"
_MEAN_DECIMALS = 5
"""Form: digits of a mean vector in the blob; similarities change by less than they are rounded to for display."""
_NULL_PICTURES = 32
"""Chosen: four of each of the scales and kinds of pattern that `make_null_pictures` has."""
_Tick: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class CalibrationSettings:
    """Numbers that shape the curves, besides the share of null queries that shall find nothing."""

    score_at_median: float = 0.05
    """Chosen: the calibrated score of a typical unrelated query; it sets the curve's slope, not the cut."""
    min_scale: float = 0.01
    """Chosen: keeps the curve finite where all null scores are equal, as in an empty index."""
    upper_quantile: float = 0.9
    """Chosen: the upper tenth still has several null scenes; a higher quantile follows a single one (decision 0012)."""
    language_share: float = 0.5
    """Chosen: share of the mean of a language's null queries that is taken off a query (decision 0121)."""
    encode_batch: int = 8
    """Chosen: few null queries are encoded together, so that calibration takes no more memory than indexing did."""

    @property
    def scales_to_median(self) -> float:
        """Distance of the median from the cut, in scales of the curve: the logit of `score_at_median`, negated."""
        return math.log((1 - self.score_at_median) / self.score_at_median)


DEFAULT_SETTINGS = CalibrationSettings()
"""The settings of every profile."""


def sigmoid(logit: float) -> float:
    """Return the logistic function of a logit, in (0, 1)."""
    return 1.0 / (1.0 + math.exp(min(700.0, -logit)))


@dataclass(frozen=True, slots=True)
class LogisticCurve:
    """Logistic calibration curve of a lane: its cut in the lane's own scores, and its width."""

    midpoint: float
    scale: float

    def logit(self, score: float) -> float:
        """Return how far a lane's score is above its cut, in scales of the curve."""
        return (score - self.midpoint) / self.scale

    def calibrate(self, score: float) -> float:
        """Return a lane's score on the common scale, in (0, 1); 0.5 at the cut."""
        return sigmoid(self.logit(score))


@dataclass(frozen=True, slots=True)
class _NullScores:
    generation: int
    made_of: dict[str, str]
    best: dict[str, list[float]]
    means: dict[str, list[float]]
    measured_at: float = 0.0


class Calibration:
    """Calibration curves of an index: writers refresh them after changes, readers load them from the blob store."""

    def __init__(
        self,
        index: SegmentIndex,
        visual: Callable[[], ImageTextEncoder | None],
        text: Callable[[], SentenceEncoder | None],
        model_ids: Mapping[str, str],
        blobs: BlobStore,
        null_quantile: float,
        settings: CalibrationSettings = DEFAULT_SETTINGS,
        clock: Clock = now,
    ) -> None:
        self._index, self._visual, self._text, self._settings = index, visual, text, settings
        self._provenance = {
            **model_ids,
            "null queries": _digest([*chain(*map(load_null_queries, LANGUAGES)), *load_null_scenes()]),
        }
        self._blobs, self._null_quantile, self._clock = blobs, null_quantile, clock
        self._nulls: _NullScores | None = None

    def curve(self, lane: Lane, query: str | None = None) -> LogisticCurve:
        """Return the curve of a lane for a text query, or for a picture (None).

        Queries in other languages than English use the null queries in their language, and never a cut below that of
        the English ones: an encoder that was not trained on a script finds all its texts similar (decision 0015).
        """
        nulls = self._load_current()
        if query is None:
            return self._fit_at_quantile(nulls.best.get(_PICTURE_QUERIES) or [0.0], 1)
        lanes = sum(name in nulls.best for name in Lane)
        default_curve = self._curve_fitter(lane)(nulls.best.get(lane.value) or [0.0], lanes)
        language = _choose_language(query)
        if language == _DEFAULT_LANGUAGE:
            return default_curve
        return max(
            default_curve,
            self._fit_at_quantile(nulls.best.get(f"{lane}-{language}") or [0.0], lanes),
            key=lambda curve: curve.midpoint,
        )

    def without_language(self, vector: NDArray[np.float32], query: str) -> NDArray[np.float32]:
        """Return the vector `[dim]` of a query for the text lane, without a share of what its language adds to it.

        Similarities of the result are lower than cosines, for all texts alike.
        """
        mean = self._load_current().means.get(_choose_language(query))
        return vector if mean is None else vector - self._settings.language_share * np.asarray(mean, np.float32)

    def _curve_fitter(self, lane: Lane) -> Callable[[list[float], int], LogisticCurve]:
        return self._fit_normal_tail if lane is Lane.VISUAL else self._fit_at_quantile

    def _fit_at_quantile(self, best: list[float], lanes: int) -> LogisticCurve:
        return self._fit_curve(float(np.quantile(best, self._lane_quantile(lanes))), best)

    def _fit_normal_tail(self, best: list[float], lanes: int) -> LogisticCurve:
        """Fit the curve with the cut at the quantile of a normal tail through the median and the upper tenth.

        An archive may show one of the null scenes, which an empirical quantile would follow (decision 0012). The cut is
        never below the `min_similarity` of the weights.
        """
        upper_quantile = self._settings.upper_quantile
        middle, upper = (float(np.quantile(best, share)) for share in (0.5, upper_quantile))
        stretch = NormalDist().inv_cdf(self._lane_quantile(lanes)) / NormalDist().inv_cdf(upper_quantile)
        visual = self._visual()
        floor = -1.0 if visual is None else visual.min_similarity
        return self._fit_curve(max(floor, middle + stretch * (upper - middle)), best)

    def _fit_curve(self, midpoint: float, best: list[float]) -> LogisticCurve:
        scale = (midpoint - float(np.median(best))) / self._settings.scales_to_median
        return LogisticCurve(midpoint, max(self._settings.min_scale, scale))

    def _lane_quantile(self, lanes: int) -> float:
        return 1 - (1 - self._null_quantile) / lanes

    def refresh(self, progress: ScoreProgress | None = None) -> None:
        """Search the index with the null queries and store their scores."""
        self._nulls = self._measure(self._make_tick(progress))
        self._blobs.put(_BLOB_KEY, msgspec.json.encode(self._nulls))

    def refresh_if_stale(self, min_interval_s: float = 0.0, progress: ScoreProgress | None = None) -> None:
        """Refresh if the index has changed since the last calibration, and that is `min_interval_s` ago.

        Also after a run that was killed before its own refresh.
        """
        stored = self._load_stored()
        if stored is None or (
            stored.generation != self._index.generation() and self._clock() - stored.measured_at >= min_interval_s
        ):
            self.refresh(progress)

    def prepare(self, progress: ScoreProgress | None = None) -> None:
        """Measure now what the first query would measure: the scores of an index whose only run was killed, say.

        They are stored for later readers, where the store can be written.
        """
        if self._nulls is None and self._load_stored() is None:
            with suppress(StorageFull, BlobStoreUnavailable):
                self.refresh(progress)

    def _load_current(self) -> _NullScores:
        generation = self._index.generation()
        if self._nulls is None or self._nulls.generation != generation:
            self._nulls = self._load_stored() or self._nulls or self._measure(_ignore)
        return self._nulls

    def _load_stored(self) -> _NullScores | None:
        try:
            nulls = msgspec.json.decode(self._blobs.get(_BLOB_KEY), type=_NullScores)
        except (ArtifactError, msgspec.MsgspecError):
            return None
        return nulls if nulls.made_of == self._provenance else None

    def _make_tick(self, progress: ScoreProgress | None) -> _Tick:
        """Return what is called after each search with a null query."""
        if progress is None:
            return _ignore
        queries = sum(len(load_null_queries(language)) for language in LANGUAGES)
        total = queries * (1 if self._text() is None else 2)
        if self._visual() is not None:
            total += queries - len(load_null_queries()) + len(load_null_scenes()) + _NULL_PICTURES
        done = count(1)
        return lambda: progress(next(done), total)

    def _measure(self, tick: _Tick) -> _NullScores:
        generation, means = self._index.generation(), {}
        best: dict[str, list[float]] = {}
        for language in LANGUAGES:
            suffix = "" if language == _DEFAULT_LANGUAGE else f"-{language}"
            queries = load_null_queries(language)
            best[f"{Lane.KEYWORDS}{suffix}"] = [self._top_score(Lane.KEYWORDS, query, tick) for query in queries]
            if (text := self._text()) is not None:
                vectors = self._encode(text.encode_queries, queries)
                means[language] = vectors.mean(axis=0)
                centred = vectors - self._settings.language_share * means[language]
                best[f"{Lane.TEXT}{suffix}"] = [self._top_score(Lane.TEXT, vector, tick) for vector in centred]
            if (visual := self._visual()) is not None:
                seen = load_null_scenes() if language == _DEFAULT_LANGUAGE else queries
                best[f"{Lane.VISUAL}{suffix}"] = self._top_scores(Lane.VISUAL, visual.encode_texts, seen, tick)
        if (visual := self._visual()) is not None:
            best[_PICTURE_QUERIES] = self._top_scores(Lane.VISUAL, visual.encode_images, make_null_pictures(), tick)
        stored = {language: [round(float(value), _MEAN_DECIMALS) for value in mean] for language, mean in means.items()}
        return _NullScores(generation, self._provenance, best, stored, self._clock())

    def _top_scores(
        self, lane: Lane, encode: Callable[[Sequence[T]], Vectors], nulls: Sequence[T], tick: _Tick
    ) -> list[float]:
        return [self._top_score(lane, vector, tick) for vector in self._encode(encode, nulls)]

    def _encode(self, encode: Callable[[Sequence[T]], Vectors], nulls: Sequence[T]) -> Vectors:
        size = self._settings.encode_batch
        return np.concatenate([encode(nulls[first : first + size]) for first in range(0, len(nulls), size)])

    def _top_score(self, lane: Lane, query: NDArray[np.float32] | str, tick: _Tick) -> float:
        hits = self._index.search(lane, query, 1, SegmentFilter())
        tick()
        return hits[0].score if hits else 0.0


def load_null_queries(language: str = _DEFAULT_LANGUAGE) -> list[str]:
    """Load the stored null queries in a language of `LANGUAGES`, which no archive is likely to be about."""
    return _load_lines(f"null_queries_{language}")


def load_null_scenes() -> list[str]:
    """Load the stored descriptions, in English, of pictures that no archive is likely to hold."""
    return _load_lines("null_scenes")


def _load_lines(name: str) -> list[str]:
    text = (resources.files("services") / "data" / f"{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _choose_language(query: str) -> str:
    return identify_language(query) or _DEFAULT_LANGUAGE


def _ignore() -> None:
    """Progress that nobody watches."""


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def make_null_pictures(number: int = _NULL_PICTURES, px: int = 224) -> list[Pixels]:
    """Generate null pictures, seeded: gradients, stripes and coloured noise at several scales, uint8 `[px, px, 3]`."""
    random = np.random.default_rng(20)
    pictures = []
    for i in range(number):
        cells = 2 ** (1 + i % 6)
        coarse = random.integers(0, 256, (cells, cells, 3)).astype(np.float32)
        tiled = np.repeat(np.repeat(coarse, px // cells + 1, 0), px // cells + 1, 1)[:px, :px]
        shade = np.linspace(0.5, 1.0, px, dtype=np.float32)[:, None, None] if i % 2 else 1.0
        pictures.append((tiled * shade).astype(np.uint8))
    return pictures
