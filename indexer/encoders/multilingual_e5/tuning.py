"""What training changed of multilingual-e5-small: low-rank updates of its matrices, and whole vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from indexer.errors import ModelError

_DOWN, _UP = ".down", ".up"
"""Form: endings of the names of the two matrices of an update."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """What training changed: whole vectors by name, and for matrices by name `(down, up)` of a low-rank update.

    A matrix `[rows, columns]` becomes `matrix + up @ down`; `down` is `[rank, columns]`, `up` `[rows, rank]`.
    """

    vectors: Mapping[str, NDArray[np.float32]]
    updates: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


NO_TUNING = Tuning({}, {})


def load_tuning(path: Path) -> Tuning:
    """Load a safetensors file of updates and vectors. Errors: ModelError where it is missing or damaged."""
    try:
        return parse_tuning(load_file(path))
    except (OSError, SafetensorError, KeyError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def parse_tuning(tensors: Mapping[str, NDArray[np.generic]]) -> Tuning:
    """Sort tensors by name: `l3.q.w.down` and `l3.q.w.up` make an update, others of a layer are whole vectors.

    What belongs to no layer is left out. Errors: KeyError where a half of an update is missing.
    """
    of_layers = {
        name: values.astype(np.float32)
        for name, values in tensors.items()
        if name.startswith("l") and name[1:2].isdigit()
    }
    updates = {
        name.removesuffix(_DOWN): (down, of_layers[name.removesuffix(_DOWN) + _UP])
        for name, down in of_layers.items()
        if name.endswith(_DOWN)
    }
    return Tuning({name: values for name, values in of_layers.items() if not name.endswith((_DOWN, _UP))}, updates)
