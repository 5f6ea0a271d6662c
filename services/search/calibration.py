"""Score calibration of the lanes against the scores of unrelated (null) queries (decision 0006).

The index is searched with null queries (`services/data/null_queries_en.txt`: questions about anything; for the visual
lane `null_scenes.txt`: things never seen together, decision 0012). The best score of each in a lane is a sample of the
lane's null distribution. `null_quantile` is the share of unrelated queries that shall find nothing, so each of n lanes
is cut where a share `(1 - null_quantile) / n` of them finds something (Bonferroni correction).

Texts are found by two lanes. What decides is their fused score, whose null distribution is that of the best fused score
of the same queries (decision 0122); it has the shares of both lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexer.errors import ArtifactError, BlobStoreUnavailable, StorageFull
from indexer.ports import BlobStore, ImageTextEncoder, SegmentIndex, SentenceEncoder
from indexer.text.language import LANGUAGES, identify_language
from indexer.types import Hit, Lane, SegmentFilter
from services.database.clock import Clock, now
from services.search.curves import LogisticCurve, fit_at_quantile, fit_normal, fit_upper_tail
from services.search.fusion import FusionSettings, fuse, rank_hits
from services.search.null_queries import DEFAULT_LANGUAGE, digest_null_queries, load_null_queries, load_null_scenes
from services.search.null_vectors import NULL_PICTURES, NullVectors

ScoreProgress: TypeAlias = Callable[[float, float], None]
"""Called with the number of null queries that were searched, and that of all."""

_FUSED = "fused"
_PICTURE_QUERIES = "pictures"
_BLOB_KEY = "calibration.json"
_Tick: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class _NullScores:
    """Best scores of null queries, by lane (and `fused`), and language."""

    generation: int
    made_of: dict[str, str]
    best: dict[str, list[float]]
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
        fusion: FusionSettings,
        clock: Clock = now,
    ) -> None:
        self._index, self._visual, self._text, self._fusion = index, visual, text, fusion
        self._provenance = {**model_ids, "null queries": digest_null_queries(), _FUSED: _describe(fusion)}
        self._vectors = NullVectors(model_ids, blobs)
        self._blobs, self._null_quantile, self._clock = blobs, null_quantile, clock
        self._nulls: _NullScores | None = None

    def curve(self, lane: Lane, query: str | None = None) -> LogisticCurve:
        """Return the curve of a lane for a text query, or for a picture (None).

        Queries in other languages than English use the null queries in their language, and never a cut below that of
        the English ones: an encoder that was not trained on a script finds all its texts similar (decision 0015).
        """
        best = self._load_current().best
        if query is None:
            return fit_at_quantile(best.get(_PICTURE_QUERIES) or [0.0], self._quantile())
        return self._fit_lane(best, lane, _choose_language(query))

    def fused_curve(self, query: str) -> LogisticCurve | None:
        """Return the curve of the fused scores of texts for a query; None where one lane alone finds texts."""
        best = self._load_current().best
        scores = best.get(_name(_FUSED, _choose_language(query)))
        return fit_normal(scores, self._quantile(len(_lanes(best)), 2)) if scores else None

    def _fit_lane(self, best: Mapping[str, list[float]], lane: Lane, language: str) -> LogisticCurve:
        quantile, scores = self._quantile(len(_lanes(best))), best.get(lane.value) or [0.0]
        if lane is Lane.VISUAL:
            visual = self._visual()
            default_curve = fit_upper_tail(scores, quantile, -1.0 if visual is None else visual.min_similarity)
        else:
            default_curve = fit_at_quantile(scores, quantile)
        if language == DEFAULT_LANGUAGE:
            return default_curve
        own_curve = fit_at_quantile(best.get(_name(lane, language)) or [0.0], quantile)
        return max(default_curve, own_curve, key=lambda curve: curve.midpoint)

    def _quantile(self, lanes: int = 1, shares: int = 1) -> float:
        """Return the quantile for a cut that gets `shares` of the `lanes` equal shares."""
        return 1 - (1 - self._null_quantile) * shares / lanes

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
            total += queries - len(load_null_queries()) + len(load_null_scenes()) + NULL_PICTURES
        done = count(1)
        return lambda: progress(next(done), total)

    def _measure(self, tick: _Tick) -> _NullScores:
        generation = self._index.generation()
        best: dict[str, list[float]] = {}
        if (visual := self._visual()) is not None:
            vectors = self._vectors.encode_pictures(visual)
            best[_PICTURE_QUERIES] = [_best_score(self._search(Lane.VISUAL, vector, tick)) for vector in vectors]
            for language in LANGUAGES:
                vectors = self._vectors.encode_scenes(visual, language)
                scores = [_best_score(self._search(Lane.VISUAL, vector, tick)) for vector in vectors]
                best[_name(Lane.VISUAL, language)] = scores
        for language in LANGUAGES:
            hits = {Lane.KEYWORDS: [self._search(Lane.KEYWORDS, query, tick) for query in load_null_queries(language)]}
            if (text := self._text()) is not None:
                vectors = self._vectors.encode_queries(text, language)
                hits[Lane.TEXT] = [self._search(Lane.TEXT, vector, tick) for vector in vectors]
            best |= {_name(lane, language): [_best_score(found) for found in each] for lane, each in hits.items()}
            if len(hits) > 1:
                best[_name(_FUSED, language)] = self._fuse_best(best, language, hits)
        self._vectors.store()
        return _NullScores(generation, self._provenance, best, self._clock())

    def _search(self, lane: Lane, query: NDArray[np.float32] | str, tick: _Tick) -> list[Hit]:
        limit = 1 if lane is Lane.VISUAL else self._fusion.top_k_per_lane
        hits = self._index.search(lane, query, limit, SegmentFilter())
        tick()
        return hits

    def _fuse_best(
        self, best: Mapping[str, list[float]], language: str, hits: Mapping[Lane, list[list[Hit]]]
    ) -> list[float]:
        """Return the best fused score of each null query that finds a text, given its hits by lane."""
        curves = {lane: self._fit_lane(best, lane, language) for lane in hits}
        scores = []
        for query, *found in zip(load_null_queries(language), *hits.values(), strict=True):
            by_lane = zip(hits, found, strict=True)
            fused = fuse([rank_hits(lane, each, curves[lane], self._fusion) for lane, each in by_lane], query)
            scores += [entry.fused_score for entry in fused[:1]]
        return scores


def _name(lane: str, language: str) -> str:
    return lane if language == DEFAULT_LANGUAGE else f"{lane}-{language}"


def _lanes(best: Mapping[str, list[float]]) -> list[Lane]:
    return [lane for lane in Lane if lane.value in best]


def _best_score(hits: list[Hit]) -> float:
    return hits[0].score if hits else 0.0


def _describe(fusion: FusionSettings) -> str:
    return f"{fusion.top_k_per_lane} {sorted(fusion.lane_weights.items())}"


def _choose_language(query: str) -> str:
    return identify_language(query) or DEFAULT_LANGUAGE


def _ignore() -> None:
    """Progress that nobody watches."""
