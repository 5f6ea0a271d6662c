"""Lookups by the dozen, which teach to find: they are a few words long each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demoworld.train.knowing import around, known, missing, pick, time_within
from demoworld.train.lessons import MOST_LISTED, Lesson
from demoworld.train.saying import cited, one_of, phrase, time_as_asked
from demoworld.train.showing import Item, Showing
from demoworld.world.claims import NUMBERS
from services.generators.wording import format_timestamp

_DRILLED = 10
_DRILLS = ("moments", "moments", "times", "times", "numbers", "places", "places", "pictures")


def drills(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """Many things looked up at once, those that are there and those that are not: which moment shows each, when, how
    many, or where. A lookup is a few words long, so that a row holds ten times as many as it holds questions."""
    made = (_drill(rng, showing) for _ in range(count))
    return [lesson for lesson in made if lesson is not None]


def _drill(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    what = one_of(rng, _DRILLS if showing.frames else ("moments", "numbers", "places"))
    if what == "pictures":
        return _at_times(rng, showing)
    names = {name for _ in range(_DRILLED) for name in (pick(rng, showing), missing(rng, showing)) if name}
    said: dict[str, str] = {}
    for name in rng.permutation(sorted(names)).tolist()[:_DRILLED]:
        items = known(showing, name)
        if items is not None:
            told = _looked_up(what, name, items)
            said |= {name: told} if told else {}
    return _lesson(what, said)


def _at_times(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    """Which moments some times lie in."""
    said: dict[str, str] = {}
    for place in rng.permutation(len(showing.frames))[:_DRILLED]:
        item = showing.frames[int(place)]
        time_s = time_within(rng, item)
        if len(around(showing, time_s)) == 1:
            said[time_as_asked(rng, time_s)] = cited([item])
    return _lesson("pictures", said)


def _lesson(what: str, said: dict[str, str]) -> Lesson | None:
    if not said:
        return None
    answer = " ".join(f"{name} {told}." for name, told in said.items())
    return Lesson(f"Give the {what}: {', '.join(said)}.", answer, what)


def _looked_up(what: str, name: str, items: Sequence[Item]) -> str | None:
    """What is to be said of one thing; None where it cannot be told."""
    if not items:
        return "none"
    match what:
        case "moments":
            return cited(items[:MOST_LISTED])
        case "times":
            return format_timestamp(items[0].start_s)
        case "numbers":
            counts = {item.look.seen.counts[name] for item in items}
            return NUMBERS[counts.pop()] if len(counts) == 1 and max(counts) < len(NUMBERS) else None
        case _:
            places = {item.look.seen.place for item in items}
            return phrase(items[0].look) if len(places) == 1 and not items[0].merged else None
