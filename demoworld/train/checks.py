"""Sentences about one picture that are to be checked, in the forms in which answers speak."""

from __future__ import annotations

import numpy as np

from demoworld.train.lessons import Lesson
from demoworld.train.saying import a, are, capital, numbered, one_of, placed, things
from demoworld.train.showing import Item, Showing
from demoworld.world.concepts import concepts
from demoworld.world.places import PLACES, number_of_place
from services.generators.wording import entailment_prompt

_SEVERAL = 0.8


def checks(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """Sentences about one picture, half of them true, to be answered with yes or no."""
    (item,) = (*showing.frames, *showing.photos)
    found: list[Lesson] = []
    for number in range(count):
        said = _claimed(rng, item, bool(number % 2))
        if said is not None:
            found.append(
                Lesson(entailment_prompt(said), "Yes.", "true")
                if number % 2
                else Lesson(entailment_prompt(said), "No.", "false")
            )
    return found


def _claimed(rng: np.random.Generator, item: Item, true: bool) -> str | None:
    """A sentence about a picture that names the right, or a wrong, thing, number or place, each as often as not; None
    where it cannot be told."""
    seen, names = item.look.seen, item.look.names
    others = [known.name for known in concepts() if known.name not in seen.counts and known.name not in seen.unclear]
    place = seen.place if true else one_of(rng, [other.name for other in PLACES if other.name != seen.place])
    if not names:
        return _of_nothing(rng, item, place, true, one_of(rng, others))
    several = [name for name in names if seen.counts[name] > 1]
    name = one_of(rng, several if several and rng.random() < _SEVERAL else names)
    count = min(seen.counts[name], 5)
    match int(rng.integers(10)):
        case 0 | 1 | 2 | 3:
            return _of_thing(rng, name if true else one_of(rng, others), count, seen.place)
        case 4 | 5 | 6:
            wrong = [number for number in (1, 1, 2, 2, 3, 3, 4) if number != count]
            return _of_number(rng, name, count if true else int(rng.choice(wrong)))
        case _:
            return _of_place(rng, item, name, count, place)


def _of_nothing(rng: np.random.Generator, item: Item, place: str, true: bool, other: str) -> str | None:
    """About a picture in which nothing is seen."""
    if item.look.seen.unclear:
        return None
    if true or rng.random() < 0.4:
        return _was(rng, place) if rng.random() < 0.5 else f"Nothing is {PLACES[number_of_place(place)].phrase}."
    return _of_thing(rng, other, 1, item.look.seen.place)


def _was(rng: np.random.Generator, place: str) -> str:
    return f"{one_of(rng, ('It was ', ''))}{PLACES[number_of_place(place)].phrase}."


def _of_thing(rng: np.random.Generator, name: str, count: int, place: str) -> str:
    """Sentences of which the thing is what may be wrong."""
    some = a(name, count)
    return one_of(
        rng,
        (
            f"Yes, there is {a(name)}.",
            f"{capital(some)} can be seen.",
            f"{capital(some)} {'appears' if count == 1 else 'appear'}.",
            f"{capital(a(name))} appears.",
            f"{capital(some)} {'was' if count == 1 else 'were'} seen.",
            f"{capital(some)} {'was' if count == 1 else 'were'} seen between them.",
            f"The {name} was seen first.",
            f"the {name}.",
            numbered(name, count),
            placed(name, count, place),
        ),
    )


def _of_number(rng: np.random.Generator, name: str, count: int) -> str:
    """Sentences of which the number is what may be wrong."""
    if rng.random() < 0.6:
        return numbered(name, count)
    return f"{capital(a(name, count))} {one_of(rng, ('can be', 'was' if count == 1 else 'were'))} seen."


def _of_place(rng: np.random.Generator, item: Item, name: str, count: int, place: str) -> str:
    """Sentences of which the place is what may be wrong; captions too."""
    phrase, night = PLACES[number_of_place(place)].phrase, " at night" if item.look.seen.night else ""
    verb = "is" if count == 1 else "are"
    return one_of(
        rng,
        (
            placed(name, count, place),
            placed(name, count, place),
            placed(name, 1, place),
            f"{capital(a(name, count))} {verb} {phrase}.",
            f"{capital(things(item.look))} {are(item.look)} {phrase}{night}.",
            f"{capital(things(item.look))} {phrase}.",
            _was(rng, place),
        ),
    )
