"""Concepts that can stand in a scene: names, synonyms and glyphs, in the order of the sprite sheet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import msgspec

CELL_PX = 112
"""Side of a sprite's square cell in the sheet, in pixels."""
SPRITE_COLUMNS = 12


@dataclass(frozen=True, slots=True)
class Concept:
    """One kind of thing in the drawn world; `synonyms` are the other words that the text tower is trained on."""

    name: str
    plural: str
    emoji: str
    kind: str
    synonyms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _ConceptList:
    concepts: tuple[Concept, ...]


@cache
def load_concepts() -> tuple[Concept, ...]:
    """Load all concepts in a fixed order; a concept's number is its place in it."""
    text = resources.files("demoworld.world").joinpath("data", "concepts.toml").read_bytes()
    return msgspec.toml.decode(text, type=_ConceptList).concepts


def add_article(word: str) -> str:
    """Prefix a word with "a" or "an" by its sound: an umbrella, a unicorn."""
    return f"an {word}" if word[0] in "aeio" or word.startswith("um") else f"a {word}"


@cache
def get_concept(name: str) -> Concept:
    """Return the concept of that name. Errors: KeyError."""
    return load_concepts()[concept_index(name)]


@cache
def concept_index(name: str) -> int:
    """Return a concept's number. Errors: KeyError where no concept has that name."""
    for number, known in enumerate(load_concepts()):
        if known.name == name:
            return number
    raise KeyError(name)
