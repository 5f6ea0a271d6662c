"""Null queries: questions, scenes and patterns that no archive is likely to be about."""

from __future__ import annotations

import hashlib
from importlib import resources
from itertools import chain

import numpy as np

from indexer.text.language import LANGUAGES
from indexer.types import Pixels

DEFAULT_LANGUAGE = "en"
"""Chosen: the longest list of null queries, for queries whose language is not known too."""


def load_null_queries(language: str = DEFAULT_LANGUAGE) -> list[str]:
    """Load the stored null queries in a language of `LANGUAGES`, which no archive is likely to be about."""
    return _load_lines(f"null_queries_{language}")


def load_null_scenes() -> list[str]:
    """Load the stored descriptions, in English, of pictures that no archive is likely to hold."""
    return _load_lines("null_scenes")


def _load_lines(name: str) -> list[str]:
    text = (resources.files("services") / "data" / f"{name}.txt").read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def make_null_pictures(number: int, px: int = 224) -> list[Pixels]:
    """Generate null pictures, seeded: gradients, stripes and coloured noise at several scales, uint8 `[px, px, 3]`."""
    random = np.random.default_rng(20)
    pictures = []
    for i in range(number):
        cells = 2 ** (1 + i % 6)
        coarse = random.integers(0, 256, (cells, cells, 3)).astype(np.float32)
        tiled = np.repeat(np.repeat(coarse, px // cells + 1, 0), px // cells + 1, 1)[:px, :px]
        shade = np.linspace(0.5, 1.0, px, dtype=np.float32)[:, None, None] if i % 2 else 1.0
        pictures.append((tiled * shade).astype(np.uint8))
    return pictures


def digest_null_queries() -> str:
    """Return what changes with the texts of null queries and scenes."""
    lines = [*chain(*map(load_null_queries, LANGUAGES)), *load_null_scenes()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
