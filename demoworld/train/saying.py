"""The words in which answers speak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demoworld.train.footage import Look
from demoworld.train.showing import Item
from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concept, with_article
from demoworld.world.places import PLACES, number_of_place
from services.generators.wording import format_timestamp


def one_of(rng: np.random.Generator, some: Sequence[str]) -> str:
    return some[int(rng.integers(len(some)))]


def form(rng: np.random.Generator, forms: Sequence[str], **words: str) -> str:
    return one_of(rng, forms).format(**words)


def a(name: str, count: int = 1) -> str:
    """`a dog`, `two dogs`."""
    return with_article(name) if count == 1 else f"{NUMBERS[count]} {concept(name).plural}"


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def things(look: Look) -> str:
    return listed([a(name, min(look.seen.counts[name], 5)) for name in look.names])


def are(look: Look) -> str:
    return "is" if sum(look.seen.counts.values()) == 1 else "are"


def phrase(look: Look) -> str:
    return PLACES[number_of_place(look.seen.place)].phrase


def numbered(name: str, count: int) -> str:
    return f"There {'is' if count == 1 else 'are'} {NUMBERS[count]} {name if count == 1 else concept(name).plural}."


def placed(name: str, count: int, place: str) -> str:
    phrase = PLACES[number_of_place(place)].phrase
    the = f"The {name} is" if count == 1 else f"The {concept(name).plural} are"
    return f"{the} {phrase}."


def cited(items: Sequence[Item]) -> str:
    return f"[{', '.join(item.id for item in items)}]"


def time_as_asked(rng: np.random.Generator, time_s: float) -> str:
    """A time as people write it."""
    whole = format_timestamp(time_s)
    return whole if rng.random() < 0.3 else whole[1:] if whole[0] == "0" else whole
