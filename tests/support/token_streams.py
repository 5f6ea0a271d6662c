"""Streams of visual tokens with events in them, for tests of the memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from memory.types import Node

POSITIONS, WIDTH = 6, 8


def token_stream(seed: int, length: int, scene_length: int = 7, noise: float = 0.3) -> NDArray[np.float32]:
    """Return tokens `[length, POSITIONS, WIDTH]`: a new scene every `event` frames, with noise."""
    rng = np.random.default_rng(seed)
    scenes = rng.standard_normal((length // scene_length + 1, POSITIONS, WIDTH))
    frames = scenes[np.arange(length) // scene_length] + noise * rng.standard_normal((length, POSITIONS, WIDTH))
    return frames.astype(np.float32)


def frame_node(number: int, index: int) -> Node:
    """Return the leaf node of the frame of second `index`."""
    return Node(number, float(index), float(index + 1), 1, float(index))


def node_numbers() -> Callable[[], int]:
    """Yield node numbers 0, 1, 2 …"""
    count = itertools.count()
    return lambda: next(count)
