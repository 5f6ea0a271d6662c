"""Near-duplicates extend a segment; what enters the picture starts one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.pipeline.near_duplicates import NearDuplicateDetector, compute_signature
from indexer.types import Pixels


def _make_scene(seed: int = 0, height: int = 360, width: int = 640) -> Pixels:
    coarse = np.random.default_rng(seed).integers(40, 200, (9, 16, 3))
    return np.kron(coarse, np.ones((height // 9, width // 16, 1))).astype(np.uint8)


def test_compression_noise_makes_no_new_segment() -> None:
    scene = _make_scene()
    noise = np.random.default_rng(1).normal(0, 4, scene.shape)
    noisy = np.clip(scene + noise, 0, 255).astype(np.uint8)
    assert NearDuplicateDetector().is_near_duplicate(compute_signature(scene), compute_signature(noisy))


def test_a_thing_of_a_twentieth_of_the_width_is_new() -> None:
    scene = _make_scene()
    entered = scene.copy()
    entered[200:232, 300:332] = (250, 20, 20)
    assert not NearDuplicateDetector().is_near_duplicate(compute_signature(scene), compute_signature(entered))


def test_another_scene_and_another_size_are_new() -> None:
    rule = NearDuplicateDetector()
    assert not rule.is_near_duplicate(compute_signature(_make_scene(0)), compute_signature(_make_scene(1)))
    assert not rule.is_near_duplicate(
        compute_signature(_make_scene(0)), compute_signature(np.zeros((20, 20, 3), np.uint8))
    )


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), value=st.integers(0, 255))
def test_a_flat_picture_of_any_size_has_a_flat_signature(height: int, width: int, value: int) -> None:
    tiles = compute_signature(np.full((height, width, 3), value, np.uint8))
    assert tiles.shape == (min(36, height), min(64, width))
    assert np.abs(tiles.astype(int) - value).max() <= 1


def test_tiles_are_means_of_their_part_of_the_picture() -> None:
    halves = np.zeros((72, 128, 3), np.uint8)
    halves[:, 64:] = 200
    tiles = compute_signature(halves)
    assert tiles[:, :32].max() == 0
    assert tiles[:, 32:] == pytest.approx(200, abs=1)
