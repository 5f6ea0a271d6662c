"""What can be said of a scene, whether it holds, and in which words.

The words come in several forms: phrases, captions, questions; with synonyms and in other orders where asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demoworld.world.concepts import concept, with_article
from demoworld.world.drawing import label
from demoworld.world.places import PLACES, number_of_place
from demoworld.world.scene import Scene

CLEAR, GONE = 0.5, 0.15
"""A thing counts as seen where this share of it is; below the second it is not seen; between, nobody can tell."""
_LOOK_PX = 96
NUMBERS = ("no", "one", "two", "three", "four", "five")
FRAMES = (
    "{}", "{}", "{}", "{}", "{}", "a picture of {}", "a photo of {}", "a drawing of {}", "is there {}?",
    "can you see {}?", "when does {} appear?", "where is {}?", "show me {}", "find {}", "{} in the video",
    "when is {} seen?", "a scene with {}", "there is {}", "here you see {}", "which picture shows {}?",
    "in which video is {}?", "what happens with {}?", "when do we see {}?", "does {} appear?", "look for {}",
    "I want to see {}", "the moment with {}", "what about {}?",
)  # fmt: skip
NIGHT = ("at night", "by night", "in the dark", "after dark")
DAY = ("by day", "during the day", "in daylight", "in the daytime")
_JOINTS = ("{} and {}", "{} and {}", "{} with {}", "{} next to {}", "{}, {}", "{} together with {}", "both {} and {}")


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about one picture: all of its parts hold, or it does not.

    `things` are names of concepts with a number, or None where any number will do.
    """

    things: tuple[tuple[str, int | None], ...] = ()
    place: str | None = None
    night: bool | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a picture shows. `counts` are of the things clearly seen; `unclear` concepts cannot be told."""

    counts: dict[str, int]
    unclear: frozenset[str]
    place: str
    night: bool

    @classmethod
    def of(cls, scene: Scene) -> Seen:
        """Look at a scene in the size in which the models see it."""
        return cls.by_shares(scene, label(scene, _LOOK_PX, _LOOK_PX)[1])

    @classmethod
    def by_shares(cls, scene: Scene, shares: list[float]) -> Seen:
        """The same, where the share seen of every thing is known already."""
        counts: dict[str, int] = {}
        unclear = set()
        for thing, share in zip(scene.things, shares, strict=True):
            if share >= CLEAR:
                counts[thing.concept] = counts.get(thing.concept, 0) + 1
            elif share > GONE:
                unclear.add(thing.concept)
        return cls(counts, frozenset(unclear), scene.place, scene.night)


def holds(claim: Claim, seen: Seen) -> bool | None:
    """Whether a claim is true of a picture; None where nobody can tell."""
    if claim.place not in (None, seen.place) or claim.night not in (None, seen.night):
        return False
    verdict: bool | None = True
    for name, number in claim.things:
        count = seen.counts.get(name, 0)
        if name in seen.unclear and (count == 0 or number is not None):
            verdict = None
        elif count == 0 or number not in (None, count):
            return False
    return verdict


def say(
    claim: Claim, rng: np.random.Generator, synonyms: float = 0.0, shuffled: bool = False, frame: str = "{}"
) -> str:
    """The claim in words; `synonyms` is how often another word is taken, `shuffled` turns the order round."""
    parts = [_thing(name, number, rng, synonyms) for name, number in claim.things]
    if shuffled:
        parts.reverse()
    words = "" if not parts else parts[0]
    for part in parts[1:]:
        words = str(rng.choice(_JOINTS)).format(words, part) if synonyms else f"{words} and {part}"
    where = _circumstances(claim, rng, synonyms)
    pieces = [*where, words] if shuffled and words else [words, *where]
    return frame.format(" ".join(piece for piece in pieces if piece))


def plain(claim: Claim) -> str:
    """The claim in its plainest words."""
    return say(claim, np.random.default_rng(0))


def _thing(name: str, number: int | None, rng: np.random.Generator, synonyms: float) -> str:
    known = concept(name)
    if number is not None and number > 1:
        return f"{NUMBERS[number]} {known.plural}"
    if number is None and synonyms and rng.random() < 0.15:
        return known.plural
    word = str(rng.choice(known.synonyms)) if known.synonyms and rng.random() < synonyms else name
    if number == 1:
        return f"one {word}"
    if synonyms and rng.random() < 0.35:
        return f"{rng.choice(('the', 'some', ''))} {word}".strip()
    return with_article(word)


def _circumstances(claim: Claim, rng: np.random.Generator, synonyms: float) -> list[str]:
    words = []
    if claim.place is not None:
        place = PLACES[number_of_place(claim.place)]
        other = bool(place.synonyms) and rng.random() < synonyms
        words.append(str(rng.choice(place.synonyms)) if other else place.phrase)
        if synonyms and rng.random() < 0.1:
            words[-1] = place.name
    if claim.night is not None:
        choices = NIGHT if claim.night else DAY
        words.append(str(rng.choice(choices)) if rng.random() < synonyms else choices[0])
    return words
