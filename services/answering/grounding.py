"""Ground sentences in pictures: cached entailment scores of a visual verifier, and thresholds for verdicts."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from services.answering.types import Verdict, Verification
from services.generators.ports import VisualVerifier
from services.generators.types import Evidence

_MAX_CACHED_SCORES = 4096
"""Form: scores kept per process; an answer of three sentences over 24 pictures asks for about a hundred."""


@dataclass(frozen=True, slots=True)
class VerdictThresholds:
    """Thresholds on entailment scores: SUPPORTED from `supported` on, UNSUPPORTED below `refuted`, UNCLEAR between.

    `python -m benchmarks.grounding --calibrate` measures them for a generator. Errors: ValueError where they cross.
    """

    supported: float
    refuted: float

    def __post_init__(self) -> None:
        """Check that 0 ≤ refuted ≤ supported ≤ 1."""
        if not 0 <= self.refuted <= self.supported <= 1:
            raise ValueError(f"0 ≤ refuted ({self.refuted}) ≤ supported ({self.supported}) ≤ 1 does not hold")

    @property
    def unknown(self) -> float:
        """Score that stands for what the model does not say: never supported, refuted only where nothing is unclear."""
        return min((self.supported + self.refuted) / 2, math.nextafter(self.supported, -1.0))

    def classify(self, score: float) -> Verification:
        """Return the verdict on an entailment score."""
        if score >= self.supported:
            return Verification(Verdict.SUPPORTED, score)
        if score < self.refuted:
            return Verification(Verdict.UNSUPPORTED, score)
        return Verification(Verdict.UNCLEAR, score, "the model is not sure what the picture shows")


class CachedVisualVerifier:
    """A visual verifier (`services.generators.ports.VisualVerifier`) that asks for each score once.

    It gives `unknown_score` where the model does not say.
    """

    def __init__(self, verifier: VisualVerifier, unknown_score: float) -> None:
        self._verifier, self._unknown_score = verifier, unknown_score
        self._scores: OrderedDict[tuple[str, object], float] = OrderedDict()

    def entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """Return the probability that each picture shows what the sentence says; the sentence gets its full stop."""
        claim = sentence if sentence.endswith(".") else f"{sentence}."
        keys = [(claim, piece.segment.picture) for piece in evidence]
        missing = [piece for piece, key in zip(evidence, keys, strict=True) if key not in self._scores]
        scores = self._verifier.entailment_scores(claim, missing) if missing else []
        for piece, score in zip(missing, scores, strict=True):
            self._scores[(claim, piece.segment.picture)] = self._unknown_score if score is None else score
        result = [self._scores[key] for key in keys]
        while len(self._scores) > _MAX_CACHED_SCORES:
            self._scores.popitem(last=False)
        return result
