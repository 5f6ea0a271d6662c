"""Quantization of the tokens of a finished memory: float16, or int8 with a scale per token.

`int8` takes half the space of `float16`: integers in [-127, 127] and one float32 scale per token (a row of D), so that
the largest element of each token is exact and the error of the others is at most half a step, 1/254 of the largest.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_INT8_MAX = 127
"""Source: symmetric range of int8, whose -128 is left unused."""
_MIN_SCALE = np.finfo(np.float32).tiny
"""Smallest normal float32, the scale of a token that is all zeros."""
Tensors = dict[str, NDArray[np.generic]]
"""Named arrays."""


class TokenPrecision(StrEnum):
    """Formats in which tokens are stored."""

    FLOAT16 = "float16"
    INT8 = "int8"


def quantize(tokens: NDArray[np.float32], precision: TokenPrecision) -> Tensors:
    """Return tokens `[..., D]` in their stored format: `tokens`, and for int8 `scales` `[...]`."""
    match precision:
        case TokenPrecision.FLOAT16:
            return {"tokens": tokens.astype(np.float16)}
        case TokenPrecision.INT8:
            scales = np.maximum(np.abs(tokens).max(-1) / _INT8_MAX, _MIN_SCALE).astype(np.float32)
            return {"tokens": np.rint(tokens / scales[..., None]).astype(np.int8), "scales": scales}


def dequantize(tensors: Mapping[str, NDArray[np.generic]], precision: TokenPrecision) -> NDArray[np.float32]:
    """Return stored tokens as float32, `[..., D]`. Errors: KeyError where an array is missing."""
    tokens = tensors["tokens"].astype(np.float32)
    match precision:
        case TokenPrecision.FLOAT16:
            return tokens
        case TokenPrecision.INT8:
            return tokens * tensors["scales"].astype(np.float32)[..., None]
