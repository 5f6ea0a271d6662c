"""Sentences about one picture that are to be checked, in the forms in which answers speak."""

from __future__ import annotations

import numpy as np

from demoworld.train.lessons import Lesson
from demoworld.train.saying import a, capital, numbered, one_of, placed
from demoworld.train.showing import Item, Showing
from demoworld.world.concepts import concepts
from demoworld.world.places import PLACES, number_of_place
from services.generators.wording import checking


def checks(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """Sentences about one picture, half of them true, to be answered with yes or no."""
    (item,) = (*showing.frames, *showing.photos)
    found: list[Lesson] = []
    for number in range(count):
        said = _claimed(rng, item, bool(number % 2))
        if said is not None:
            found.append(
                Lesson(checking(said), "Yes.", "true") if number % 2 else Lesson(checking(said), "No.", "false")
            )
    return found


def _claimed(rng: np.random.Generator, item: Item, true: bool) -> str | None:
    """A sentence about a picture in the forms in which answers speak; None where it cannot be told."""
    seen = item.look.seen
    names = item.look.names
    others = [known.name for known in concepts() if known.name not in seen.counts and known.name not in seen.unclear]
    if not names:
        if true:
            return None
        name = one_of(rng, others)
        return _said(rng, name, 1, seen.place)
    name = one_of(rng, names)
    count, place = min(seen.counts[name], 5), seen.place
    if true and rng.random() < 0.1:
        return _was(rng, place)
    if true:
        return None if name in seen.unclear else _said(rng, name, count, place)
    match int(rng.integers(5)):
        case 0 | 1:
            return _said(rng, one_of(rng, others), count, place)
        case 2:
            wrong = one_of(rng, [other.name for other in PLACES if other.name != place])
            return placed(name, count, wrong)
        case 3 if rng.random() < 0.3:
            return _was(rng, one_of(rng, [other.name for other in PLACES if other.name != place]))
        case 3 if name not in seen.unclear:
            wrong_count = int(rng.choice([number for number in (1, 2, 3, 4) if number != count]))
            return numbered(name, wrong_count)
        case _:
            return _said(rng, one_of(rng, others), 1, place)


def _was(rng: np.random.Generator, place: str) -> str:
    return f"{one_of(rng, ('It was ', ''))}{PLACES[number_of_place(place)].phrase}."


def _said(rng: np.random.Generator, name: str, count: int, place: str) -> str:
    """One of the forms of a sentence about so many of one thing."""
    phrase, verb = PLACES[number_of_place(place)].phrase, "is" if count == 1 else "are"
    forms = (
        f"Yes, there is {a(name)}.",
        f"{capital(a(name, count))} {verb} {phrase}.",
        f"{capital(a(name, count))} can be seen.",
        f"{capital(a(name, count))} {'appears' if count == 1 else 'appear'}.",
        f"{capital(a(name))} appears.",
        f"{capital(a(name, count))} {'was' if count == 1 else 'were'} seen.",
        f"{capital(a(name, count))} {'was' if count == 1 else 'were'} seen between them.",
        f"The {name} was seen first.",
        f"the {name}.",
        numbered(name, count),
        placed(name, count, place),
        placed(name, 1, place),
    )
    return one_of(rng, forms)
