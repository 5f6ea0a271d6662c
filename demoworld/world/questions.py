"""Questions about a video, generated from its truth, each with its answer and the spans that prove it.

A question is asked only where the truth gives it one answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, pairwise

import numpy as np

from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concept, concepts, with_article
from demoworld.world.places import PLACES, number_of_place
from demoworld.world.truth import Happened, VideoTruth

Span = tuple[float, float]
_CLOSE_S = 12.0


class Kind(StrEnum):
    """What is asked for."""

    IS_THERE = "is there"
    WHAT = "what"
    HOW_MANY = "how many"
    PLACE = "place"
    WHEN = "when"
    BEFORE = "before"
    SIGN = "sign"
    FIRST = "first"
    HOW_OFTEN = "how often"
    BETWEEN = "between"
    CHANGED = "changed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Question:
    """`answer` is short: a name, a number, a text, yes or no; for times it is that of `spans`, in seconds.

    `spans` are the times that prove the answer, none for what never appears.
    """

    kind: Kind
    text: str
    answer: str
    spans: tuple[Span, ...]


def questions(truth: VideoTruth, seed: int, each: int) -> list[Question]:
    """At most `each` questions of every kind, in a seeded order."""
    rng = np.random.default_rng(seed)
    chosen: list[Question] = []
    for ask in _ASKED.values():
        asked = list(ask(truth))
        chosen += [asked[number] for number in rng.permutation(len(asked))[:each]]
    return chosen


def _once(events: Sequence[Happened]) -> list[Happened]:
    """The events whose concept appears once in the video."""
    counts = Counter(event.concept for event in events)
    return [event for event in events if counts[event.concept] == 1]


def _a(event: Happened) -> str:
    known = concept(event.concept)
    if event.count > 1:
        return f"{NUMBERS[event.count]} {known.plural}"
    return with_article(known.name)


def _span(event: Happened) -> Span:
    return event.start_s, event.end_s


def _is_there(truth: VideoTruth) -> Iterator[Question]:
    """As many of what is there as of what is not."""
    shown = sorted(truth.concepts())
    never = [known.name for known in concepts() if known.name not in truth.concepts()]
    both = min(len(shown), len(never)) or len(shown)
    for name in shown[:both]:
        spans = tuple(_span(event) for event in truth.events if event.concept == name)
        yield Question(Kind.IS_THERE, f"Is there {with_article(name)} in the video?", "yes", spans)
    for name in never[:both]:
        yield Question(Kind.IS_THERE, f"Is there {with_article(name)} in the video?", "no", ())


def _what(truth: VideoTruth) -> Iterator[Question]:
    """Asked at a moment at which one thing alone is in the picture."""
    for event in truth.events:
        middle = (event.start_s + event.end_s) / 2
        if sum(other.start_s - 1 <= middle < other.end_s + 1 for other in truth.events) == 1:
            yield Question(Kind.WHAT, f"What can be seen at {_clock(middle)}?", event.concept, (_span(event),))


def _how_many(truth: VideoTruth) -> Iterator[Question]:
    for event in _once(truth.events):
        text = f"How many {concept(event.concept).plural} are there?"
        yield Question(Kind.HOW_MANY, text, NUMBERS[event.count], (_span(event),))


def _place(truth: VideoTruth) -> Iterator[Question]:
    for event in _once(truth.events):
        where = PLACES[number_of_place(event.place)].phrase
        yield Question(Kind.PLACE, f"Where is the {event.concept}?", where, (_span(event),))


def _when(truth: VideoTruth) -> Iterator[Question]:
    for event in _once(truth.events):
        yield Question(Kind.WHEN, f"When does {_a(event)} appear?", _clock(event.start_s), (_span(event),))


def _before(truth: VideoTruth) -> Iterator[Question]:
    """Only where one thing alone was seen shortly before."""
    alone = _once(truth.events)
    for event in alone:
        earlier = [other for other in truth.events if other.start_s < event.start_s]
        recent = [other for other in earlier if other.end_s > event.start_s - _CLOSE_S]
        if len(recent) == 1 and recent[0] in alone and recent[0].end_s <= event.start_s:
            text = f"What was seen last before the {event.concept}?"
            yield Question(Kind.BEFORE, text, recent[0].concept, (_span(recent[0]), _span(event)))


def _sign(truth: VideoTruth) -> Iterator[Question]:
    shown = [stretch for stretch in truth.stretches if stretch.sign]
    counts = Counter((stretch.place, stretch.night) for stretch in shown)
    for stretch in shown:
        if counts[stretch.place, stretch.night] == 1 and stretch.sign:
            where = PLACES[number_of_place(stretch.place)].phrase
            text = f"What does the sign say {where} {'at night' if stretch.night else 'by day'}?"
            yield Question(Kind.SIGN, text, stretch.sign, ((stretch.start_s, stretch.end_s),))


def _first(truth: VideoTruth) -> Iterator[Question]:
    for number, (earlier, later) in enumerate(combinations(_once(truth.events), 2)):
        if later.start_s - earlier.start_s > 1:
            one, other = (earlier, later) if number % 2 else (later, earlier)
            text = f"Which was seen first, the {one.concept} or the {other.concept}?"
            yield Question(Kind.FIRST, text, earlier.concept, (_span(earlier), _span(later)))


def _how_often(truth: VideoTruth) -> Iterator[Question]:
    for name in sorted(truth.concepts()):
        spans = tuple(_span(event) for event in truth.events if event.concept == name)
        if len(spans) < len(NUMBERS):
            yield Question(Kind.HOW_OFTEN, f"How often does {with_article(name)} appear?", NUMBERS[len(spans)], spans)


def _between(truth: VideoTruth) -> Iterator[Question]:
    """Only where one thing alone was seen in between, all of it."""
    alone = _once(truth.events)
    for before, middle, after in zip(truth.events, truth.events[1:], truth.events[2:], strict=False):
        apart = before.end_s <= middle.start_s and middle.end_s <= after.start_s < before.end_s + 2 * _CLOSE_S
        others = [one for one in truth.events if one.start_s < after.start_s and one.end_s > before.end_s]
        if apart and others == [middle] and before in alone and after in alone:
            text = f"What was seen between the {before.concept} and the {after.concept}?"
            yield Question(Kind.BETWEEN, text, middle.concept, (_span(before), _span(middle), _span(after)))


def _changed(truth: VideoTruth) -> Iterator[Question]:
    """Asked of the middles of two shots that follow one another."""
    for one, other in pairwise(truth.stretches):
        middles = [(stretch.start_s + stretch.end_s) / 2 for stretch in (one, other)]
        text = f"How did the place change between {_clock(middles[0])} and {_clock(middles[1])}?"
        where = [PLACES[number_of_place(stretch.place)].phrase for stretch in (one, other)]
        yield Question(
            Kind.CHANGED, text, f"{where[0]}, then {where[1]}", ((one.start_s, one.end_s), (other.start_s, other.end_s))
        )


def _absent(truth: VideoTruth) -> Iterator[Question]:
    never = [known.name for known in concepts() if known.name not in truth.concepts()]
    forms = ("When does {} appear?", "Is there {} in the video?", "Where is {}?")
    for number, name in enumerate(never):
        yield Question(Kind.ABSENT, forms[number % len(forms)].format(with_article(name)), "not shown", ())


def _clock(time_s: float) -> str:
    whole = int(time_s)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


_ASKED: dict[Kind, Callable[[VideoTruth], Iterator[Question]]] = {
    Kind.IS_THERE: _is_there,
    Kind.WHAT: _what,
    Kind.HOW_MANY: _how_many,
    Kind.PLACE: _place,
    Kind.WHEN: _when,
    Kind.BEFORE: _before,
    Kind.SIGN: _sign,
    Kind.FIRST: _first,
    Kind.HOW_OFTEN: _how_often,
    Kind.BETWEEN: _between,
    Kind.CHANGED: _changed,
    Kind.ABSENT: _absent,
}
