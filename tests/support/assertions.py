"""Comparison of what two runs made of a file, within the differences of floating point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from indexer.types import Lane, Vectors
from memory.store import StoredMemory

_TOLERANCE = 1e-5


def check_vectors(actual: Sequence[Mapping[Lane, Vectors]], expected: Sequence[Mapping[Lane, Vectors]]) -> None:
    """Check that the vectors of checkpoints are equal, in order."""
    for vectors, others in zip(actual, expected, strict=True):
        assert vectors.keys() == others.keys()
        for lane in vectors:
            np.testing.assert_allclose(vectors[lane], others[lane], atol=_TOLERANCE)


def check_memory(actual: StoredMemory, expected: StoredMemory) -> None:
    """Check that two memories of a video are equal."""
    assert actual.lanes.keys() == expected.lanes.keys()
    for lane, slots in expected.lanes.items():
        assert [slot.node for slot in actual.lanes[lane]] == [slot.node for slot in slots], lane
        for one, other in zip(actual.lanes[lane], slots, strict=True):
            np.testing.assert_allclose(one.tokens, other.tokens, atol=_TOLERANCE)
