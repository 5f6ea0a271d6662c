"""Claims about a scene: what may be stated of it, whether it holds, and its phrasing.

The phrasing comes as phrases, captions or questions, with synonyms and in another order on request.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demoworld.world.concepts import add_article, get_concept
from demoworld.world.places import PLACES, place_index
from demoworld.world.rendering import render_instance_mask
from demoworld.world.scene import Scene

VISIBLE_MIN_SHARE, HIDDEN_MAX_SHARE = 0.5, 0.15
"""A thing is visible from the first share of its area, hidden up to the second, and undecidable between them."""
_LABEL_SIZE_PX = 96
NUMBER_WORDS = ("no", "one", "two", "three", "four", "five")
QUERY_TEMPLATES = (
    "{}", "{}", "{}", "{}", "{}", "a picture of {}", "a photo of {}", "a drawing of {}", "is there {}?",
    "can you see {}?", "when does {} appear?", "where is {}?", "show me {}", "find {}", "{} in the video",
    "when is {} seen?", "a scene with {}", "there is {}", "here you see {}", "which picture shows {}?",
    "in which video is {}?", "what happens with {}?", "when do we see {}?", "does {} appear?", "look for {}",
    "I want to see {}", "the moment with {}", "what about {}?",
)  # fmt: skip
NIGHT_PHRASES = ("at night", "by night", "in the dark", "after dark")
DAY_PHRASES = ("by day", "during the day", "in daylight", "in the daytime")
_CONJUNCTIONS = (
    "{} and {}",
    "{} and {}",
    "{} with {}",
    "{} next to {}",
    "{}, {}",
    "{} together with {}",
    "both {} and {}",
)


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement about one picture; it holds where all of its parts hold.

    `things` are names of concepts, each with a number, or None where any number will do.
    """

    things: tuple[tuple[str, int | None], ...] = ()
    place: str | None = None
    night: bool | None = None


@dataclass(frozen=True, slots=True)
class VisibleContent:
    """What a picture visibly shows: `counts` of clearly visible things; concepts in `unclear` are undecidable."""

    counts: dict[str, int]
    unclear: frozenset[str]
    place: str
    night: bool

    @classmethod
    def from_scene(cls, scene: Scene) -> VisibleContent:
        """Determine what is visible in a scene at the size in which the models see it."""
        return cls.from_visible_shares(scene, render_instance_mask(scene, _LABEL_SIZE_PX, _LABEL_SIZE_PX)[1])

    @classmethod
    def from_visible_shares(cls, scene: Scene, shares: list[float]) -> VisibleContent:
        """Determine what is visible, given the visible share of every thing."""
        counts: dict[str, int] = {}
        unclear = set()
        for thing, share in zip(scene.things, shares, strict=True):
            if share >= VISIBLE_MIN_SHARE:
                counts[thing.concept] = counts.get(thing.concept, 0) + 1
            elif share > HIDDEN_MAX_SHARE:
                unclear.add(thing.concept)
        return cls(counts, frozenset(unclear), scene.place, scene.night)


def evaluate_claim(claim: Claim, content: VisibleContent) -> bool | None:
    """Return whether a claim holds of a picture; None where that is undecidable."""
    if claim.place not in (None, content.place) or claim.night not in (None, content.night):
        return False
    verdict: bool | None = True
    for name, number in claim.things:
        count = content.counts.get(name, 0)
        if name in content.unclear and (count == 0 or number is not None):
            verdict = None
        elif count == 0 or number not in (None, count):
            return False
    return verdict


def phrase_claim(
    claim: Claim,
    rng: np.random.Generator,
    synonym_share: float = 0.0,
    reverse_order: bool = False,
    template: str = "{}",
) -> str:
    """Phrase a claim in words.

    `synonym_share` is the probability of a synonym for each word; `reverse_order` reverses the order of the parts.
    """
    parts = [_phrase_thing(name, number, rng, synonym_share) for name, number in claim.things]
    if reverse_order:
        parts.reverse()
    words = "" if not parts else parts[0]
    for part in parts[1:]:
        words = str(rng.choice(_CONJUNCTIONS)).format(words, part) if synonym_share else f"{words} and {part}"
    where = _phrase_circumstances(claim, rng, synonym_share)
    pieces = [*where, words] if reverse_order and words else [words, *where]
    return template.format(" ".join(piece for piece in pieces if piece))


def phrase_plainly(claim: Claim) -> str:
    """Phrase a claim with its main words and in its own order."""
    return phrase_claim(claim, np.random.default_rng(0))


def _phrase_thing(name: str, number: int | None, rng: np.random.Generator, synonyms: float) -> str:
    entry = get_concept(name)
    if number is not None and number > 1:
        return f"{NUMBER_WORDS[number]} {entry.plural}"
    if number is None and synonyms and rng.random() < 0.15:
        return entry.plural
    word = str(rng.choice(entry.synonyms)) if entry.synonyms and rng.random() < synonyms else name
    if number == 1:
        return f"one {word}"
    if synonyms and rng.random() < 0.35:
        return f"{rng.choice(('the', 'some', ''))} {word}".strip()
    return add_article(word)


def _phrase_circumstances(claim: Claim, rng: np.random.Generator, synonyms: float) -> list[str]:
    words = []
    if claim.place is not None:
        place = PLACES[place_index(claim.place)]
        use_synonym = bool(place.synonyms) and rng.random() < synonyms
        words.append(str(rng.choice(place.synonyms)) if use_synonym else place.phrase)
        if synonyms and rng.random() < 0.1:
            words[-1] = place.name
    if claim.night is not None:
        choices = NIGHT_PHRASES if claim.night else DAY_PHRASES
        words.append(str(rng.choice(choices)) if rng.random() < synonyms else choices[0])
    return words
