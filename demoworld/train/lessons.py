"""What there is to ask of evidence, and what a good answer says: short sentences, each with the ids that prove it.

The answers follow from what the pictures show, whatever happens in the video besides: what is not in the evidence is
"not shown". A question is asked only where the pictures leave no doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from demoworld.train.footage import Look
from demoworld.train.showing import Item, Showing
from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concept, concepts, with_article
from demoworld.world.places import PLACES, number_of_place
from services.generators.cited import NOT_SHOWN
from services.generators.wording import checking, clock, describing

_MOST_LISTED, _GAP_S, _DRILLED = 5, 3.0, 10
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
    """A request as the generator makes it, and the answer."""

    request: str
    answer: str


def lessons(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """So many lessons at most about evidence, of all kinds that it gives rise to."""
    kinds = list(_KINDS)
    weights = np.array([_KINDS[kind] for kind in kinds], float)
    found: list[Lesson] = []
    for _ in range(3 * count):
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        lesson = kind(rng, showing)
        if lesson is not None and lesson not in found:
            found.append(lesson)
        if len(found) == count:
            break
    return found


def checks(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """Sentences about one picture, half of them true, to be answered with yes or no."""
    (item,) = (*showing.frames, *showing.photos)
    found: list[Lesson] = []
    for number in range(count):
        said = _claimed(rng, item, bool(number % 2))
        if said is not None:
            found.append(Lesson(checking(said), "Yes." if number % 2 else "No."))
    return found


def drills(rng: np.random.Generator, showing: Showing, count: int) -> list[Lesson]:
    """Many things looked up at once, those that are there and those that are not: which moment shows each, when, how
    many, or where. A lookup is a few words long, so that a row holds ten times as many as it holds questions."""
    made = (_drill(rng, showing) for _ in range(count))
    return [lesson for lesson in made if lesson is not None]


def _drill(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    names = {name for _ in range(_DRILLED) for name in (_pick(rng, showing), _missing(rng, showing)) if name}
    said: dict[str, str] = {}
    what = _one(rng, ("moments", "times", "numbers", "places") if showing.frames else ("moments", "numbers", "places"))
    for name in rng.permutation(sorted(names)).tolist()[:_DRILLED]:
        items = _known(showing, name)
        if items is not None:
            told = _looked_up(what, name, items)
            said |= {name: told} if told else {}
    if not said:
        return None
    return Lesson(f"Give the {what}: {', '.join(said)}.", " ".join(f"{name} {told}." for name, told in said.items()))


def _looked_up(what: str, name: str, items: Sequence[Item]) -> str | None:
    """What is to be said of one thing; None where it cannot be told."""
    if not items:
        return "none"
    match what:
        case "moments":
            return _cited(items[:_MOST_LISTED])
        case "times":
            return clock(items[0].start_s)
        case "numbers":
            counts = {item.look.seen.counts[name] for item in items}
            return NUMBERS[counts.pop()] if len(counts) == 1 and max(counts) < len(NUMBERS) else None
        case _:
            places = {item.look.seen.place for item in items}
            return _phrase(items[0].look) if len(places) == 1 and not items[0].merged else None


_Kind = Callable[[np.random.Generator, Showing], Lesson | None]


def _ask(form: str, answer: str) -> Lesson:
    return Lesson(f"Question: {form}", answer)


def _one(rng: np.random.Generator, some: Sequence[str]) -> str:
    return some[int(rng.integers(len(some)))]


def _form(rng: np.random.Generator, forms: Sequence[str], **words: str) -> str:
    return _one(rng, forms).format(**words)


def _cited(items: Sequence[Item]) -> str:
    return f"[{', '.join(item.id for item in items)}]"


def a(name: str, count: int = 1) -> str:
    """`a dog`, `two dogs`."""
    return with_article(name) if count == 1 else f"{NUMBERS[count]} {concept(name).plural}"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _things(look: Look) -> str:
    return _listed([a(name, min(look.seen.counts[name], 5)) for name in look.names])


def _are(look: Look) -> str:
    return "is" if sum(look.seen.counts.values()) == 1 else "are"


def _phrase(look: Look) -> str:
    return PLACES[number_of_place(look.seen.place)].phrase


def _caption(item: Item) -> str:
    """`Two dogs are on the beach at night. [F3]`"""
    night = " at night" if item.look.seen.night else ""
    if not item.look.seen.counts:
        return f"Nothing is {_phrase(item.look)}{night}. [{item.id}]"
    return f"{_capital(_things(item.look))} {_are(item.look)} {_phrase(item.look)}{night}. [{item.id}]"


def _pictures(showing: Showing) -> tuple[Item, ...]:
    return (*showing.frames, *showing.photos)


def _known(showing: Showing, name: str) -> list[Item] | None:
    """The items that show a concept, moments before slots; None where one of them leaves it open, or where a slot
    shows it among others, in a mean."""
    showing_it, in_slots = [], []
    for item in _pictures(showing):
        if name in item.look.seen.unclear:
            return None
        if name in item.look.seen.counts:
            showing_it.append(item)
    for slot in showing.slots:
        shares = [name in look.seen.counts for look in slot.looks]
        if any(name in look.seen.unclear for look in slot.looks) or (any(shares) and not all(shares)):
            if not showing_it:
                return None
        elif all(shares):
            in_slots.append(slot)
    return showing_it or in_slots


def _pick(rng: np.random.Generator, showing: Showing) -> str | None:
    """A concept that is shown in one of the pictures, mostly, or in a slot."""
    names = sorted({name for item in _pictures(showing) for name in item.look.names})
    if showing.slots and rng.random() < 0.1:
        names = sorted({name for slot in showing.slots for name in slot.look.names})
    return _one(rng, names) if names else None


def _missing(rng: np.random.Generator, showing: Showing) -> str | None:
    """A concept that nothing shows."""
    name = concepts()[int(rng.integers(len(concepts())))].name
    for item in (*_pictures(showing), *showing.slots):
        if any(name in look.seen.counts or name in look.seen.unclear for look in item.looks):
            return None
    return name


def _of_one(rng: np.random.Generator, showing: Showing) -> tuple[str, list[Item]] | None:
    name = _pick(rng, showing)
    items = None if name is None else _known(showing, name)
    return None if name is None or not items else (name, items)


def _is_there(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    return _ask(_form(rng, _IS_THERE, a=a(name)), f"Yes, there is {a(name)}. [{items[0].id}]")


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
    said = f"{_capital(a(name, count))} {verb} at"
    return " ".join(f"{said} {clock(some[0].start_s)}. {_cited(some)}" for some in moments)


def _when(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if not showing.frames or (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    if len(items) > _MOST_LISTED or items[0] in showing.slots:
        return None
    counts = {item.look.seen.counts[name] for item in items}
    count = counts.pop() if len(counts) == 1 and rng.random() < 0.7 else 1
    asked = _form(rng, _WHEN if count == 1 else _WHEN_SOME, a=a(name, count))
    return _ask(asked, _moments_said(name, count, _moments(items)))


def _often(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if not showing.frames or (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    if len(items) > _MOST_LISTED or items[0] in showing.slots:
        return None
    moments = _moments(items)
    times = "one time" if len(moments) == 1 else f"{NUMBERS[len(moments)]} times"
    total = f"{_capital(a(name))} appears {times}. {_cited([some[0] for some in moments])}"
    said = f"{_moments_said(name, 1, moments)} {total}"
    return _ask(_form(rng, _OFTEN, a=a(name)), said)


def _where(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    if len({item.look.seen.place for item in items}) > 1 or items[0].merged:
        return None
    seen = items[0].look.seen
    said = f"{_at(name, seen.counts[name], seen.place)} [{items[0].id}]"
    return _ask(_form(rng, _WHERE, x=name, a=a(name)), said)


def _count(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if (found := _of_one(rng, showing)) is None:
        return None
    name, items = found
    counts = {item.look.seen.counts[name] for item in items}
    if len(counts) > 1 or items[0] in showing.slots or (count := counts.pop()) > 5:
        return None
    return _ask(_form(rng, _COUNT, xs=concept(name).plural), f"{_number(name, count)} [{items[0].id}]")


def _what(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    if not showing.frames:
        return None
    item = showing.frames[int(rng.integers(len(showing.frames)))]
    time_s = float(rng.uniform(item.start_s, item.end_s))
    around = [one for one in showing.frames if one.start_s - 1 <= time_s < one.end_s + 1]
    if len(around) > 1 or item.look.seen.unclear or not item.look.seen.counts:
        return None
    return _ask(_form(rng, _WHAT, t=_time(rng, time_s)), f"{_capital(_things(item.look))} can be seen. [{item.id}]")


def _time(rng: np.random.Generator, time_s: float) -> str:
    """A time as people write it."""
    whole = clock(time_s)
    return whole if rng.random() < 0.3 else whole[1:] if whole[0] == "0" else whole


def _first(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    one, other = _of_one(rng, showing), _of_one(rng, showing)
    if not showing.frames or one is None or other is None or one[0] == other[0]:
        return None
    pair = (one[1][0], other[1][0])
    if any(item in showing.slots for item in pair) or pair[0].start_s == pair[1].start_s:
        return None
    asked = _form(rng, _FIRST, x=one[0], y=other[0])
    first, second = sorted((one, other), key=lambda pair: pair[1][0].start_s)
    times = [clock(one[1][0].start_s) for one in (first, second)]
    said = f"The {first[0]} was seen first, at {times[0]}, before the {second[0]}, at {times[1]}."
    return _ask(asked, f"{said} {_cited((first[1][0], second[1][0]))}")


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
    name = _one(rng, later.look.names)
    if not (known := _known(showing, name)) or known[0] is not later or name in earlier.look.seen.counts:
        return None
    said = f"{_capital(_things(earlier.look))} {_were(earlier.look)} seen before the {name}."
    return _ask(_form(rng, _BEFORE, x=name), f"{said} {_cited((earlier, later))}")


def _were(look: Look) -> str:
    return "was" if sum(look.seen.counts.values()) == 1 else "were"


def _between(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    full = _alone(showing)
    first = int(rng.integers(len(full))) if full else 0
    last = first + 2 + int(rng.integers(3))
    between = full[first + 1 : last]
    if last >= len(full) or not full[first].look.names or not full[last].look.names:
        return None
    if not all(_single(item) and item.look.names == between[0].look.names for item in between):
        return None
    x, y, middle = _one(rng, full[first].look.names), _one(rng, full[last].look.names), between[0]
    if len({x, y, *middle.look.names}) < 3:
        return None
    before, after = _known(showing, x), _known(showing, y)
    if not before or not after or before[-1] is not full[first] or after[0] is not full[last]:
        return None
    said = f"{_capital(_things(middle.look))} {_were(middle.look)} seen between them. [{middle.id}]"
    return _ask(_form(rng, _BETWEEN, x=x, y=y), said)


def _changed(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    pairs = [(a, b) for a, b in pairwise(showing.frames) if a.look.seen.place != b.look.seen.place]
    if not pairs:
        return None
    one, other = pairs[int(rng.integers(len(pairs)))]
    times = [float(rng.uniform(item.start_s, item.end_s)) for item in (one, other)]
    said = f"It was {_place(one)}, then {_place(other)}. {_cited((one, other))}"
    return _ask(_form(rng, _CHANGED, t=_time(rng, times[0]), u=_time(rng, times[1])), said)


def _place(item: Item) -> str:
    return f"{_phrase(item.look)}{' at night' if item.look.seen.night else ''}"


def _sign(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    with_sign = [item for item in _pictures(showing) if item.look.sign]
    if not with_sign:
        return None
    item = with_sign[int(rng.integers(len(with_sign)))]
    where = item.look.seen.place, item.look.seen.night
    if sum((other.look.seen.place, other.look.seen.night) == where for other in with_sign) > 1:
        return None
    place = f"{_phrase(item.look)} {'at night' if item.look.seen.night else 'by day'}"
    return _ask(_form(rng, _SIGN, p=place), f"The sign says {item.look.sign}. [{item.id}]")


def _any(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    items = [item for item in _pictures(showing) if item.look.seen.counts][:4]
    if not items or any(item.look.seen.unclear for item in items):
        return None
    return _ask(_one(rng, _ANY), " ".join(_caption(item) for item in items))


def _described(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    """A caption, or a title."""
    items = _pictures(showing)
    if not items or any(item.look.seen.unclear for item in items):
        return None
    if rng.random() < 0.6:
        return Lesson(describing(40), " ".join(_caption(item) for item in items[:8]))
    full = [item for item in items if item.look.seen.counts][:1]
    title = [f"{_capital(_things(one.look))} {_phrase(one.look)}. [{one.id}]" for one in full]
    return Lesson(describing(7), title[0]) if title else None


def _absent(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    name = _missing(rng, showing)
    if name is None:
        return None
    forms = (_IS_THERE, _IS_THERE, _WHEN, _WHERE, _COUNT, _OFTEN, _BEFORE)[int(rng.integers(7))]
    return _ask(_form(rng, forms, a=a(name), x=name, xs=concept(name).plural), NOT_SHOWN)


def _half_absent(rng: np.random.Generator, showing: Showing) -> Lesson | None:
    missing, there = _missing(rng, showing), _pick(rng, showing)
    if missing is None or there is None:
        return None
    forms = (_FIRST, _BETWEEN)[int(rng.integers(2))]
    names = (missing, there) if rng.random() < 0.5 else (there, missing)
    return _ask(_form(rng, forms, x=names[0], y=names[1]), NOT_SHOWN)


_KINDS: dict[_Kind, float] = {
    _is_there: 1.5,
    _when: 2,
    _often: 1.5,
    _where: 1.5,
    _count: 1.5,
    _what: 1.5,
    _first: 2,
    _before: 1.5,
    _between: 1.5,
    _changed: 1,
    _sign: 0.7,
    _any: 0.4,
    _described: 1,
    _absent: 3.5,
    _half_absent: 0.6,
}


def _claimed(rng: np.random.Generator, item: Item, true: bool) -> str | None:
    """A sentence about a picture in the forms in which answers speak; None where it cannot be told."""
    seen = item.look.seen
    names = item.look.names
    others = [known.name for known in concepts() if known.name not in seen.counts and known.name not in seen.unclear]
    if not names:
        if true:
            return None
        name = _one(rng, others)
        return _said(rng, name, 1, seen.place)
    name = _one(rng, names)
    count, place = min(seen.counts[name], 5), seen.place
    if true and rng.random() < 0.1:
        return _was(rng, place)
    if true:
        return None if name in seen.unclear else _said(rng, name, count, place)
    match int(rng.integers(5)):
        case 0 | 1:
            return _said(rng, _one(rng, others), count, place)
        case 2:
            wrong = _one(rng, [other.name for other in PLACES if other.name != place])
            return _at(name, count, wrong)
        case 3 if rng.random() < 0.3:
            return _was(rng, _one(rng, [other.name for other in PLACES if other.name != place]))
        case 3 if name not in seen.unclear:
            wrong_count = int(rng.choice([number for number in (1, 2, 3, 4) if number != count]))
            return _number(name, wrong_count)
        case _:
            return _said(rng, _one(rng, others), 1, place)


def _was(rng: np.random.Generator, place: str) -> str:
    return f"{_one(rng, ('It was ', ''))}{PLACES[number_of_place(place)].phrase}."


def _number(name: str, count: int) -> str:
    return f"There {'is' if count == 1 else 'are'} {NUMBERS[count]} {name if count == 1 else concept(name).plural}."


def _at(name: str, count: int, place: str) -> str:
    phrase = PLACES[number_of_place(place)].phrase
    the = f"The {name} is" if count == 1 else f"The {concept(name).plural} are"
    return f"{the} {phrase}."


def _said(rng: np.random.Generator, name: str, count: int, place: str) -> str:
    """One of the forms of a sentence about so many of one thing."""
    phrase, verb = PLACES[number_of_place(place)].phrase, "is" if count == 1 else "are"
    forms = (
        f"Yes, there is {a(name)}.",
        f"{_capital(a(name, count))} {verb} {phrase}.",
        f"{_capital(a(name, count))} can be seen.",
        f"{_capital(a(name, count))} {'appears' if count == 1 else 'appear'}.",
        f"{_capital(a(name))} appears.",
        f"{_capital(a(name, count))} {'was' if count == 1 else 'were'} seen.",
        f"{_capital(a(name, count))} {'was' if count == 1 else 'were'} seen between them.",
        f"The {name} was seen first.",
        f"the {name}.",
        _number(name, count),
        _at(name, count, place),
    )
    return _one(rng, forms)
