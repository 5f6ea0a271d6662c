"""Logistic curves that put the scores of lanes and of fused results on one scale, fitted to those of null queries.

A curve goes through two points: 0.5 at the cut, 0.05 at the score of a typical null query. So 0.5 means "no better than
the best unrelated queries" in every lane and for every model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, median, pstdev

import numpy as np

SCORE_AT_CUT = 0.5
"""Source: the logistic function, whose value is 0.5 at its midpoint, where a cut is (decision 0006)."""
_SCORE_AT_MEDIAN = 0.05
"""Chosen: the calibrated score of a typical unrelated query; it sets the curve's slope, not the cut."""
_SCALES_TO_MEDIAN = math.log((1 - _SCORE_AT_MEDIAN) / _SCORE_AT_MEDIAN)
"""Form: distance of the median from the cut, in scales of the curve: the logit of the score there, negated."""
_MIN_SCALE = 0.01
"""Chosen: keeps a lane's curve finite where all null scores are equal, as in an empty index."""
_MIN_FUSED_SCALE = 0.25
"""Chosen: the same for fused scores, whose unit is a scale of the lanes' curves; 0.5 to 1 in archives of documents."""
_UPPER_QUANTILE = 0.9
"""Chosen: the upper tenth still has several null scenes; a higher quantile follows a single one (decision 0012)."""


def sigmoid(logit: float) -> float:
    """Return the logistic function of a logit, in (0, 1)."""
    return 1.0 / (1.0 + math.exp(min(700.0, -logit)))


@dataclass(frozen=True, slots=True)
class LogisticCurve:
    """Logistic calibration curve: its cut in the scores that it calibrates, and its width."""

    midpoint: float
    scale: float

    def logit(self, score: float) -> float:
        """Return how far a score is above the cut, in scales of the curve."""
        return (score - self.midpoint) / self.scale

    def calibrate(self, score: float) -> float:
        """Return a score on the common scale, in (0, 1); 0.5 at the cut."""
        return sigmoid(self.logit(score))


def fit_at_quantile(best: Sequence[float], quantile: float) -> LogisticCurve:
    """Fit the curve of a lane with the cut at a quantile of the null queries' best scores."""
    return _fit_curve(float(np.quantile(best, quantile)), best, _MIN_SCALE)


def fit_upper_tail(best: Sequence[float], quantile: float, min_cut: float) -> LogisticCurve:
    """Fit the curve of a lane with the cut at the quantile of a normal tail through the median and the upper tenth.

    An archive may show one of the null scenes, which an empirical quantile would follow (decision 0012). The cut is at
    least `min_cut`.
    """
    middle, upper = (float(np.quantile(best, share)) for share in (0.5, _UPPER_QUANTILE))
    stretch = NormalDist().inv_cdf(quantile) / NormalDist().inv_cdf(_UPPER_QUANTILE)
    return _fit_curve(max(min_cut, middle + stretch * (upper - middle)), best, _MIN_SCALE)


def fit_normal(best: Sequence[float], quantile: float) -> LogisticCurve:
    """Fit the curve of fused scores with the cut at the quantile of a normal distribution of those of null queries.

    A fused score is a mean of several lanes, so close to normal; the queries of one language are too few for an
    empirical quantile of 0.98 (decision 0122).
    """
    return _fit_curve(fmean(best) + NormalDist().inv_cdf(quantile) * pstdev(best), best, _MIN_FUSED_SCALE)


def _fit_curve(cut: float, best: Sequence[float], min_scale: float) -> LogisticCurve:
    return LogisticCurve(cut, max(min_scale, (cut - median(best)) / _SCALES_TO_MEDIAN))
