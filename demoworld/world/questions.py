"""Questions about a video, generated from its truth, each with its answer and the spans that prove it.

A question is generated only where the truth gives it exactly one answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations, pairwise

import numpy as np

from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import add_article, get_concept, load_concepts
from demoworld.world.places import PLACES, place_index
from demoworld.world.truth import EventTruth, VideoTruth

Span = tuple[float, float]
_RECENT_MAX_GAP_S = 12.0


class QuestionKind(StrEnum):
    """Kind of question, by what it asks for."""

    IS_THERE = "is there"
    VISIBLE_AT = "what"
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
    """A question and its expected answer.

    `answer` is short: a name, a number, a text, yes or no; for times it is that of `spans`, in seconds. `spans` are the
    times that prove the answer; empty for what never appears.
    """

    kind: QuestionKind
    text: str
    answer: str
    spans: tuple[Span, ...]


def generate_questions(truth: VideoTruth, seed: int, max_per_kind: int) -> list[Question]:
    """Generate at most `max_per_kind` questions of every kind, in a seeded order."""
    rng = np.random.default_rng(seed)
    chosen: list[Question] = []
    for generate in _QUESTION_GENERATORS.values():
        candidates = list(generate(truth))
        chosen += [candidates[number] for number in rng.permutation(len(candidates))[:max_per_kind]]
    return chosen


def _events_of_single_concepts(events: Sequence[EventTruth]) -> list[EventTruth]:
    """Return the events whose concept appears once in the video."""
    counts = Counter(event.concept for event in events)
    return [event for event in events if counts[event.concept] == 1]


def _phrase_event(event: EventTruth) -> str:
    known = get_concept(event.concept)
    if event.count > 1:
        return f"{NUMBER_WORDS[event.count]} {known.plural}"
    return add_article(known.name)


def _event_span(event: EventTruth) -> Span:
    return event.start_s, event.end_s


def _ask_is_there(truth: VideoTruth) -> Iterator[Question]:
    """Ask about as many present concepts as absent ones."""
    present = sorted(truth.collect_concepts())
    absent = [known.name for known in load_concepts() if known.name not in truth.collect_concepts()]
    count = min(len(present), len(absent)) or len(present)
    for name in present[:count]:
        spans = tuple(_event_span(event) for event in truth.events if event.concept == name)
        yield Question(QuestionKind.IS_THERE, f"Is there {add_article(name)} in the video?", "yes", spans)
    for name in absent[:count]:
        yield Question(QuestionKind.IS_THERE, f"Is there {add_article(name)} in the video?", "no", ())


def _ask_visible_at(truth: VideoTruth) -> Iterator[Question]:
    """Ask about a moment at which exactly one event is in the picture."""
    for event in truth.events:
        middle = (event.start_s + event.end_s) / 2
        if sum(other.start_s - 1 <= middle < other.end_s + 1 for other in truth.events) == 1:
            yield Question(
                QuestionKind.VISIBLE_AT,
                f"What can be seen at {_format_timestamp(middle)}?",
                event.concept,
                (_event_span(event),),
            )


def _ask_how_many(truth: VideoTruth) -> Iterator[Question]:
    for event in _events_of_single_concepts(truth.events):
        text = f"How many {get_concept(event.concept).plural} are there?"
        yield Question(QuestionKind.HOW_MANY, text, NUMBER_WORDS[event.count], (_event_span(event),))


def _ask_place(truth: VideoTruth) -> Iterator[Question]:
    for event in _events_of_single_concepts(truth.events):
        where = PLACES[place_index(event.place)].phrase
        yield Question(QuestionKind.PLACE, f"Where is the {event.concept}?", where, (_event_span(event),))


def _ask_when(truth: VideoTruth) -> Iterator[Question]:
    for event in _events_of_single_concepts(truth.events):
        yield Question(
            QuestionKind.WHEN,
            f"When does {_phrase_event(event)} appear?",
            _format_timestamp(event.start_s),
            (_event_span(event),),
        )


def _ask_before(truth: VideoTruth) -> Iterator[Question]:
    """Ask only where exactly one event ended shortly before."""
    alone = _events_of_single_concepts(truth.events)
    for event in alone:
        earlier = [other for other in truth.events if other.start_s < event.start_s]
        recent = [other for other in earlier if other.end_s > event.start_s - _RECENT_MAX_GAP_S]
        if len(recent) == 1 and recent[0] in alone and recent[0].end_s <= event.start_s:
            text = f"What was seen last before the {event.concept}?"
            yield Question(QuestionKind.BEFORE, text, recent[0].concept, (_event_span(recent[0]), _event_span(event)))


def _ask_sign(truth: VideoTruth) -> Iterator[Question]:
    with_sign = [stretch for stretch in truth.stretches if stretch.sign]
    counts = Counter((stretch.place, stretch.night) for stretch in with_sign)
    for stretch in with_sign:
        if counts[stretch.place, stretch.night] == 1 and stretch.sign:
            where = PLACES[place_index(stretch.place)].phrase
            text = f"What does the sign say {where} {'at night' if stretch.night else 'by day'}?"
            yield Question(QuestionKind.SIGN, text, stretch.sign, ((stretch.start_s, stretch.end_s),))


def _ask_first(truth: VideoTruth) -> Iterator[Question]:
    for number, (earlier, later) in enumerate(combinations(_events_of_single_concepts(truth.events), 2)):
        if later.start_s - earlier.start_s > 1:
            left, right = (earlier, later) if number % 2 else (later, earlier)
            text = f"Which was seen first, the {left.concept} or the {right.concept}?"
            yield Question(QuestionKind.FIRST, text, earlier.concept, (_event_span(earlier), _event_span(later)))


def _ask_how_often(truth: VideoTruth) -> Iterator[Question]:
    for name in sorted(truth.collect_concepts()):
        spans = tuple(_event_span(event) for event in truth.events if event.concept == name)
        if len(spans) < len(NUMBER_WORDS):
            yield Question(
                QuestionKind.HOW_OFTEN, f"How often does {add_article(name)} appear?", NUMBER_WORDS[len(spans)], spans
            )


def _ask_between(truth: VideoTruth) -> Iterator[Question]:
    """Ask only where exactly one event lies in between, wholly."""
    alone = _events_of_single_concepts(truth.events)
    for before, middle, after in zip(truth.events, truth.events[1:], truth.events[2:], strict=False):
        apart = before.end_s <= middle.start_s and middle.end_s <= after.start_s < before.end_s + 2 * _RECENT_MAX_GAP_S
        between = [event for event in truth.events if event.start_s < after.start_s and event.end_s > before.end_s]
        if apart and between == [middle] and before in alone and after in alone:
            text = f"What was seen between the {before.concept} and the {after.concept}?"
            yield Question(
                QuestionKind.BETWEEN,
                text,
                middle.concept,
                (_event_span(before), _event_span(middle), _event_span(after)),
            )


def _ask_changed(truth: VideoTruth) -> Iterator[Question]:
    """Ask about the middles of two consecutive shots."""
    for before, after in pairwise(truth.stretches):
        middles = [(stretch.start_s + stretch.end_s) / 2 for stretch in (before, after)]
        text = f"How did the place change between {_format_timestamp(middles[0])} and {_format_timestamp(middles[1])}?"
        where = [PLACES[place_index(stretch.place)].phrase for stretch in (before, after)]
        yield Question(
            QuestionKind.CHANGED,
            text,
            f"{where[0]}, then {where[1]}",
            ((before.start_s, before.end_s), (after.start_s, after.end_s)),
        )


def _ask_absent(truth: VideoTruth) -> Iterator[Question]:
    never = [known.name for known in load_concepts() if known.name not in truth.collect_concepts()]
    forms = ("When does {} appear?", "Is there {} in the video?", "Where is {}?")
    for number, name in enumerate(never):
        yield Question(QuestionKind.ABSENT, forms[number % len(forms)].format(add_article(name)), "not shown", ())


def _format_timestamp(time_s: float) -> str:
    whole = int(time_s)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


_QUESTION_GENERATORS: dict[QuestionKind, Callable[[VideoTruth], Iterator[Question]]] = {
    QuestionKind.IS_THERE: _ask_is_there,
    QuestionKind.VISIBLE_AT: _ask_visible_at,
    QuestionKind.HOW_MANY: _ask_how_many,
    QuestionKind.PLACE: _ask_place,
    QuestionKind.WHEN: _ask_when,
    QuestionKind.BEFORE: _ask_before,
    QuestionKind.SIGN: _ask_sign,
    QuestionKind.FIRST: _ask_first,
    QuestionKind.HOW_OFTEN: _ask_how_often,
    QuestionKind.BETWEEN: _ask_between,
    QuestionKind.CHANGED: _ask_changed,
    QuestionKind.ABSENT: _ask_absent,
}
