"""How finely the tokens of a finished memory are stored.

`int8` takes half the room of `float16`: whole numbers in [-127, 127] and one float32 scale per token (a row of D), so
that the largest element of each token is exact and no element is off by more than half a step, 1/254 of the largest.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

_INT8_MAX = 127
_MIN_SCALE = np.finfo(np.float32).tiny

Tensors = dict[str, NDArray[np.generic]]


class TokenPrecision(StrEnum):
    """The ways in which tokens are stored."""

    FLOAT16 = "float16"
    INT8 = "int8"


def quantize(tokens: NDArray[np.float32], precision: TokenPrecision) -> Tensors:
    """Tokens `[..., D]` as they are stored: `tokens`, and for int8 `scales` `[...]`."""
    match precision:
        case TokenPrecision.FLOAT16:
            return {"tokens": tokens.astype(np.float16)}
        case TokenPrecision.INT8:
            scales = np.maximum(np.abs(tokens).max(-1) / _INT8_MAX, _MIN_SCALE).astype(np.float32)
            return {"tokens": np.rint(tokens / scales[..., None]).astype(np.int8), "scales": scales}


def dequantize(tensors: Mapping[str, NDArray[np.generic]], precision: TokenPrecision) -> NDArray[np.float32]:
    """The tokens again, float32. Errors: KeyError where a tensor is missing."""
    tokens = tensors["tokens"].astype(np.float32)
    match precision:
        case TokenPrecision.FLOAT16:
            return tokens
        case TokenPrecision.INT8:
            return tokens * tensors["scales"].astype(np.float32)[..., None]
