"""Random scenes from a seed, with a split of training and held-out scenes.

One in five pairs of concept and place is held out: it never occurs in training. So are all variants of the places from
`FIRST_HELD_OUT_VARIANT` on.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import numpy as np

from demoworld.world.concepts import concept_index, load_concepts
from demoworld.world.places import PLACES, place_index
from demoworld.world.scene import WIDESCREEN_ASPECT, Scene, Sign, Thing

FIRST_HELD_OUT_VARIANT = 1000
_TRAINING_VARIANTS = 60
_HELD_OUT_EVERY_NTH = 5
SIGN_WORDS = ("EXIT", "STOP", "SALE", "OPEN", "GATE", "BANK", "ROOM", "PIER", "MENU", "LIFT", "WEST", "EAST")
_ASPECTS = (WIDESCREEN_ASPECT, WIDESCREEN_ASPECT, WIDESCREEN_ASPECT, 4 / 3, 1.0)
_COUNT_CHOICES = (1, 1, 1, 1, 1, 1, 2, 2, 3, 4)
_PLACEMENT_TRIES = 12
_MIN_SIZE, _SIZE_STEP = 0.3, 0.04


class Split(StrEnum):
    """Which pairs of concept and place a scene may contain."""

    TRAIN = "train"
    HELD_OUT = "held out"
    ANY = "any"


def is_held_out(concept: str, place: str) -> bool:
    """Return whether a pair never occurs in training: two of ten places for each concept."""
    return (concept_index(concept) + place_index(place)) % _HELD_OUT_EVERY_NTH == 0


def list_allowed_concepts(place: str, split: Split) -> list[str]:
    """Return the names of the concepts that a split allows in a place."""
    names = [concept.name for concept in load_concepts()]
    if split is Split.ANY:
        return names
    return [name for name in names if is_held_out(name, place) == (split is Split.HELD_OUT)]


def sample_scene(rng: np.random.Generator, split: Split, max_concepts: int = 3, aspect: float | None = None) -> Scene:
    """Sample a scene of one to `max_concepts` concepts, one to four of each, at most six things in all.

    One in eight has a sign.
    """
    place = PLACES[rng.integers(len(PLACES))].name
    names = rng.choice(list_allowed_concepts(place, split), rng.integers(1, max_concepts + 1), replace=False).tolist()
    counts = [int(rng.choice(_COUNT_CHOICES)) for _ in names]
    while sum(counts) > 6:
        counts[int(np.argmax(counts))] -= 1
    sign = sample_sign(rng) if rng.random() < 0.125 else None
    variant = sample_variant(rng, split, _TRAINING_VARIANTS)
    shape = float(rng.choice(_ASPECTS)) if aspect is None else aspect
    things = scatter_things(rng, names, counts)
    return Scene(place, bool(rng.random() < 0.35), variant, things, sign, shape)


def sample_variant(rng: np.random.Generator, split: Split, held_out_variants: int) -> int:
    """Sample a place's variant: one of training, or one of the first `held_out_variants` held-out ones."""
    return (
        int(rng.integers(_TRAINING_VARIANTS))
        if split is Split.TRAIN
        else FIRST_HELD_OUT_VARIANT + int(rng.integers(held_out_variants))
    )


def sample_sign(rng: np.random.Generator) -> Sign:
    """Sample a board with one word and two digits, in the upper part of the picture."""
    text = f"{rng.choice(SIGN_WORDS)} {rng.integers(10, 100)}"
    return Sign(text, float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.1, 0.2)))


def scatter_things(rng: np.random.Generator, names: Sequence[str], counts: Sequence[int]) -> tuple[Thing, ...]:
    """Place `counts` of each name in a picture, smaller the more there are, mostly with little overlap."""
    largest = {1: 0.66, 2: 0.58, 3: 0.5}.get(sum(counts), 0.42)
    tries = _PLACEMENT_TRIES if rng.random() < 0.85 else 1
    occupied: list[tuple[float, float, float]] = []
    things = []
    for name, count in zip(names, counts, strict=True):
        size = round(float(rng.uniform(_MIN_SIZE, largest)) / _SIZE_STEP) * _SIZE_STEP
        for _ in range(count):
            x, y = _find_free_spot(rng, size, occupied, tries)
            occupied.append((x, y, size))
            things.append(Thing(name, x, y, size, bool(rng.integers(2))))
    order = rng.permutation(len(things))
    return tuple(things[number] for number in order)


def _find_free_spot(
    rng: np.random.Generator, size: float, occupied: Sequence[tuple[float, float, float]], tries: int
) -> tuple[float, float]:
    """Return the emptiest of a few random spots; x is weighted more, since pictures are wide."""
    best, most_room = (0.5, 0.6), -1e9
    for _ in range(tries):
        x, y = float(rng.uniform(0.02, 0.98)), float(rng.uniform(0.2, 0.86))
        room = min((_distance(x, y, at) - 0.5 * (size + at[2]) for at in occupied), default=1.0)
        if room > most_room:
            best, most_room = (x, y), room
        if room > 0:
            break
    return best


def _distance(x: float, y: float, at: tuple[float, float, float]) -> float:
    return float(np.hypot((x - at[0]) * 1.5, y - at[1]))
