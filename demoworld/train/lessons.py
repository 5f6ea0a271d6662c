"""What there is to ask of evidence, and what a good answer says: short sentences, each with the ids that prove it.

The answers follow from what the pictures show, whatever happens in the video besides: what is not in the evidence is
"not shown". A question is asked only where the pictures leave no doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from demoworld.train.footage import Look
from demoworld.train.knowing import around, known, missing, pick, pictures, time_within
from demoworld.train.saying import (
    a,
    are,
    capital,
    cited,
    form,
    numbered,
    one_of,
    phrase,
    placed,
    things,
    time_as_asked,
)
from demoworld.train.showing import Item, Showing
from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concept
from services.generators.cited import ABSTENTION
from services.generators.wording import caption_prompt, format_timestamp

MOST_LISTED, _GAP_S, _SEVERAL, _EDGE, _WITHIN = 5, 3.0, 0.6, 0.6, 8
_IS_THERE = ("Is there {a} in the video?", "Is there {a} in the video?", "Is {a} shown?", "Can {a} be seen?")
_WHEN = ("When does {a} appear?", "When does {a} appear?", "When is {a} seen?", "When can {a} be seen?")
_WHEN_SOME = ("When does {a} appear?", "When do {a} appear?", "When are {a} seen?", "When can {a} be seen?")
_WHERE = ("Where is the {x}?", "Where is the {x}?", "Where is {a}?", "In which place is the {x}?")
_COUNT = ("How many {xs} are there?", "How many {xs} are there?", "How many {xs} can be seen?")
_OFTEN = ("How often does {a} appear?", "How often does {a} appear?", "How many times does {a} appear?")
_WHAT = ("What can be seen at {t}?", "What can be seen at {t}?", "What is shown at {t}?", "What happens at {t}?")
_FIRST = ("Which was seen first, the {x} or the {y}?", "Which appears first, the {x} or the {y}?")
_BEFORE = ("What was seen last before the {x}?", "What came before the {x}?")
_BETWEEN = ("What was seen between the {x} and the {y}?", "What happened between the {x} and the {y}?")
_CHANGED = ("How did the place change between {t} and {u}?", "What changed between {t} and {u}?")
_SIGN = ("What does the sign say {p}?", "What is written on the sign {p}?")
_ANY = ("What can be seen?", "What is shown?", "What happens in the video?", "What is in the picture?")
FORMS = (
    *_IS_THERE, *_WHEN, *_WHEN_SOME, *_WHERE, *_COUNT, *_OFTEN, *_WHAT, *_FIRST, *_BEFORE, *_BETWEEN, *_CHANGED,
    *_SIGN, *_ANY,
    "Question: Yes, there is the video. The were times. can be seen. It was, then. at night. "
    "appears at was seen first, then, at. was seen before. before the. between them. The sign says",
)  # fmt: skip
"""All that is asked, and the words of the answers."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """A request as the generator makes it, the answer, and what kind of question it is."""

    request: str
    answer: str
    kind: str = ""


def lessons(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """So many lessons at most about evidence, of all kinds that it gives rise to."""
    kinds = list(_KINDS)
    weights = np.array([_KINDS[kind] for kind in kinds], float)
    found: list[Lesson] = []
    for _ in range(3 * count):
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        lesson = kind(rng, showing)
        if lesson is not None:
            lesson = replace(lesson, kind=kind.__name__.strip("_"))
        if lesson is not None and lesson not in found:
            found.append(lesson)
        if len(found) == count:
            break
    return found


_Kind = Callable[[np.random.Generator, Showing], Lesson | None]


def _ask(form: str, answer: str) -> Lesson:
    return Lesson(f"Question: {form}", answer)


def _caption(item: Item) -> str:
    """`Two dogs are on the beach at night. [F3]`"""
    night = " at night" if item.look.seen.night else ""
    if not item.look.seen.counts:
        return f"Nothing is {phrase(item.look)}{night}. [{item.id}]"
    return f"{capital(things(item.look))} {are(item.look)} {phrase(item.look)}{night}. [{item.id}]"


def _of_one(rng: np.random.Generator, showing: Showing) -> tuple[str, list[Item]] | None:
    name = pick(rng, showing)
    items = None if name is None else known(showing, name)
    return None if name is None or not items else (name, items)


def _is_there(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    return _ask(form(rng, _IS_THERE, a=a(name)), f"Yes, there is {a(name)}. [{items[0].id}]")


def _moments(items: Sequence[Item]) -> list[list[Item]]:
    """Items that overlap, or nearly, are one moment."""
    moments: list[list[Item]] = []
    for item in items:
        if moments and item.start_s - max(one.end_s for one in moments[-1]) < _GAP_S:
            moments[-1].append(item)
        else:
            moments.append([item])
    return moments


def _moments_said(name: str, count: int, moments: Sequence[Sequence[Item]]) -> str:
    verb = "appears" if count == 1 else "appear"
    said = f"{capital(a(name, count))} {verb} at"
    return " ".join(f"{said} {format_timestamp(some[0].start_s)}. {cited(some)}" for some in moments)


def _when(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if not showing.frames or (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    if len(items) > MOST_LISTED or items[0] in showing.slots:
        return None
    counts = {item.look.seen.counts[name] for item in items}
    count = counts.pop() if len(counts) == 1 and rng.random() < 0.7 else 1
    asked = form(rng, _WHEN if count == 1 else _WHEN_SOME, a=a(name, count))
    return _ask(asked, _moments_said(name, count, _moments(items)))


def _often(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if not showing.frames or (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    if len(items) > MOST_LISTED or items[0] in showing.slots:
        return None
    moments = _moments(items)
    times = "one time" if len(moments) == 1 else f"{NUMBERS[len(moments)]} times"
    total = f"{capital(a(name))} appears {times}. {cited([some[0] for some in moments])}"
    said = f"{_moments_said(name, 1, moments)} {total}"
    return _ask(form(rng, _OFTEN, a=a(name)), said)


def _where(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    if len({item.look.seen.place for item in items}) > 1 or items[0].merged:
        return None
    seen = items[0].look.seen
    said = f"{placed(name, seen.counts[name], seen.place)} [{items[0].id}]"
    return _ask(form(rng, _WHERE, x=name, a=a(name)), said)


def _count(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    """Of things of which there are several more often than of single ones."""
    several = {name for item in pictures(showing) for name, count in item.look.seen.counts.items() if count > 1}
    name = one_of(rng, sorted(several)) if several and rng.random() < _SEVERAL else pick(rng, showing)
    items = None if name is None else known(showing, name)
    if name is None or not items:
        return None
    counts = {item.look.seen.counts[name] for item in items}
    if len(counts) > 1 or items[0] in showing.slots or (count := counts.pop()) > 5:
        return None
    return _ask(form(rng, _COUNT, xs=concept(name).plural), f"{numbered(name, count)} [{items[0].id}]")


def _what(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if not showing.frames:
        return None
    item = showing.frames[int(rng.integers(len(showing.frames)))]
    time_s = time_within(rng, item)
    if len(around(showing, time_s)) > 1 or item.look.seen.unclear or not item.look.seen.counts:
        return None
    return _ask(
        form(rng, _WHAT, t=time_as_asked(rng, time_s)), f"{capital(things(item.look))} can be seen. [{item.id}]"
    )


def _first(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    one, other = _of_one(rng, showing), _of_one(rng, showing)
    if not showing.frames or one is None or other is None or one[0] == other[0]:
        return None
    pair = (one[1][0], other[1][0])
    if any(item in showing.slots for item in pair) or pair[0].start_s == pair[1].start_s:
        return None
    asked = form(rng, _FIRST, x=one[0], y=other[0])
    first, second = sorted((one, other), key=lambda pair: pair[1][0].start_s)
    times = [format_timestamp(one[1][0].start_s) for one in (first, second)]
    said = f"The {first[0]} was seen first, at {times[0]}, before the {second[0]}, at {times[1]}."
    return _ask(asked, f"{said} {cited((first[1][0], second[1][0]))}")


def _alone(showing: Showing) -> list[Item]:
    """The moments with something in them."""
    return [item for item in showing.frames if item.look.seen.counts or item.look.seen.unclear]


def _single(item: Item) -> bool:
    return len(item.look.seen.counts) == 1 and not item.look.seen.unclear


def _before(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    pairs = [(one, other) for one, other in pairwise(_alone(showing)) if _single(one) and other.look.names]
    if not pairs:
        return None
    earlier, later = pairs[int(rng.integers(len(pairs)))]
    name = one_of(rng, later.look.names)
    if not (items := known(showing, name)) or items[0] is not later or name in earlier.look.seen.counts:
        return None
    said = f"{capital(things(earlier.look))} {_were(earlier.look)} seen before the {name}."
    return _ask(form(rng, _BEFORE, x=name), f"{said} {cited((earlier, later))}")


def _were(look: Look) -> str:
    return "was" if sum(look.seen.counts.values()) == 1 else "were"


def _between(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    full = _alone(showing)
    ends = [(first, last) for first in range(len(full)) for last in range(first + 2, min(len(full), first + _WITHIN))]
    framed = [found for first, last in ends if (found := _framed(rng, showing, full[first : last + 1])) is not None]
    if not framed:
        return None
    x, middle, y = framed[int(rng.integers(len(framed)))]
    said = f"{capital(things(middle.look))} {_were(middle.look)} seen between them. [{middle.id}]"
    return _ask(form(rng, _BETWEEN, x=x, y=y), said)


def _framed(rng: np.random.Generator, showing: Showing, run: Sequence[Item]) -> tuple[str, Item, str] | None:
    """What is last seen at the beginning of a run of moments, what alone is seen inside of it, and what is first seen
    at its end; None where there is no such thing."""
    first, *between, last = run
    if not all(_single(item) and item.look.names == between[0].look.names for item in between):
        return None
    inside = between[0].look.names
    befores = [name for name in first.look.names if name not in inside and _ends(showing, name)[1] is first]
    afters = [name for name in last.look.names if name not in inside and _ends(showing, name)[0] is last]
    if not befores or not afters or set(befores) & set(afters):
        return None
    return one_of(rng, befores), between[0], one_of(rng, afters)


def _ends(showing: Showing, name: str) -> tuple[Item | None, Item | None]:
    """The first and the last item that shows it; none where that cannot be told."""
    items = known(showing, name)
    return (items[0], items[-1]) if items else (None, None)


def _changed(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    frames = showing.frames
    turns = [place for place, (one, other) in enumerate(pairwise(frames), 1) if _place(one) != _place(other)]
    if not turns:
        return None
    turn = turns[int(rng.integers(len(turns)))]
    first = max((place for place in turns if place < turn), default=0)
    last = min((place for place in turns if place > turn), default=len(frames)) - 1
    one = frames[first if rng.random() < _EDGE else int(rng.integers(first, turn))]
    other = frames[last if rng.random() < _EDGE else int(rng.integers(turn, last + 1))]
    times = [time_within(rng, item) for item in (one, other)]
    said = f"It was {_place(one)}, then {_place(other)}. {cited((one, other))}"
    return _ask(form(rng, _CHANGED, t=time_as_asked(rng, times[0]), u=time_as_asked(rng, times[1])), said)


def _place(item: Item) -> str:
    return f"{phrase(item.look)}{' at night' if item.look.seen.night else ''}"


def _sign(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    with_sign = [item for item in pictures(showing) if item.look.sign]
    if not with_sign:
        return None
    item = with_sign[int(rng.integers(len(with_sign)))]
    where = item.look.seen.place, item.look.seen.night
    if sum((other.look.seen.place, other.look.seen.night) == where for other in with_sign) > 1:
        return None
    place = f"{phrase(item.look)} {'at night' if item.look.seen.night else 'by day'}"
    return _ask(form(rng, _SIGN, p=place), f"The sign says {item.look.sign}. [{item.id}]")


def _any(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    items = [item for item in pictures(showing) if item.look.seen.counts][:4]
    if not items or any(item.look.seen.unclear for item in items):
        return None
    return _ask(one_of(rng, _ANY), " ".join(_caption(item) for item in items))


def _described(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    """A caption, or a title."""
    items = pictures(showing)
    if not items or any(item.look.seen.unclear for item in items):
        return None
    if rng.random() < 0.6:
        return Lesson(caption_prompt(40), " ".join(_caption(item) for item in items[:8]))
    full = [item for item in items if item.look.seen.counts][:1]
    title = [f"{capital(things(one.look))} {phrase(one.look)}. [{one.id}]" for one in full]
    return Lesson(caption_prompt(7), title[0]) if title else None


def _absent(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    name = missing(rng, showing)
    if name is None:
        return None
    forms = (_IS_THERE, _IS_THERE, _WHEN, _WHERE, _COUNT, _OFTEN, _BEFORE)[int(rng.integers(7))]
    return _ask(form(rng, forms, a=a(name), x=name, xs=concept(name).plural), ABSTENTION)


def _half_absent(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    absent, there = missing(rng, showing), pick(rng, showing)
    if absent is None or there is None:
        return None
    forms = (_FIRST, _BETWEEN)[int(rng.integers(2))]
    names = (absent, there) if rng.random() < 0.5 else (there, absent)
    return _ask(form(rng, forms, x=names[0], y=names[1]), ABSTENTION)


_KINDS: dict[_Kind, float] = {
    _is_there: 1.5,
    _when: 2,
    _often: 1.5,
    _where: 2.5,
    _count: 3,
    _what: 3,
    _first: 2.5,
    _before: 1.5,
    _between: 3,
    _changed: 2,
    _sign: 1.5,
    _any: 0.7,
    _described: 2,
    _absent: 3,
    _half_absent: 0.7,
}
