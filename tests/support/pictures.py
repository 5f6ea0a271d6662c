"""Pictures drawn for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def draw_noise(path: Path, seed: int) -> None:
    """Write a small picture of noise, another one for each seed; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
