"""What storing tokens in fewer bits costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from memory.quantization import TokenPrecision, dequantize, quantize

slot_tokens = arrays.arrays(
    np.float32,
    st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 9)),
    elements=st.floats(-6e4, 6e4, width=32),
)


@given(slot_tokens)
def test_bytes_are_off_by_half_a_step_of_their_token_at_most(tokens: NDArray[np.float32]) -> None:
    stored = quantize(tokens, TokenPrecision.INT8)
    assert stored["tokens"].dtype == np.int8
    assert stored["scales"].shape == tokens.shape[:-1]
    largest = np.abs(tokens).max(-1, keepdims=True)
    assert (np.abs(dequantize(stored, TokenPrecision.INT8) - tokens) <= largest / 254 * 1.0001 + 1e-37).all()


@given(slot_tokens)
def test_half_precision_is_off_by_a_two_thousandth_of_each_element(tokens: NDArray[np.float32]) -> None:
    stored = quantize(tokens, TokenPrecision.FLOAT16)
    assert (np.abs(dequantize(stored, TokenPrecision.FLOAT16) - tokens) <= np.abs(tokens) / 2048 + 1e-7).all()


@pytest.mark.parametrize(("precision", "largest"), [(TokenPrecision.FLOAT16, 5e-4), (TokenPrecision.INT8, 1.5e-2)])
def test_tokens_as_a_model_makes_them_keep_their_direction(precision: TokenPrecision, largest: float) -> None:
    tokens = np.random.default_rng(0).standard_normal((4, 49, 896)).astype(np.float32)
    again = dequantize(quantize(tokens, precision), precision)
    error = np.linalg.norm(again - tokens, axis=-1) / np.linalg.norm(tokens, axis=-1)
    assert float(error.max()) <= largest


@pytest.mark.parametrize("precision", TokenPrecision)
def test_tokens_of_nothing_come_back_as_nothing(precision: TokenPrecision) -> None:
    tokens = np.zeros((2, 3, 4), np.float32)
    np.testing.assert_array_equal(dequantize(quantize(tokens, precision), precision), tokens)
