"""What there is to ask of evidence, and what a good answer says: short sentences, each with the ids that prove it.

The answers follow from what the pictures show, whatever happens in the video besides: what is not in the evidence is
"not shown". A question is asked only where the pictures leave no doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from demoworld.train.answer_templates import (
    capitalize,
    choose,
    choose_copula,
    fill_template,
    format_citation,
    format_count_noun,
    format_count_sentence,
    format_place,
    format_place_sentence,
    format_question_time,
    format_things,
)
from demoworld.train.evidence_truth import (
    find_items_showing,
    find_moments_at,
    list_pictures,
    pick_absent_concept,
    pick_shown_concept,
    sample_time_within,
)
from demoworld.train.footage import LabelledFrame
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import get_concept
from services.generators.citation_parser import ABSTENTION
from services.generators.prompts import caption_prompt, format_timestamp

MAX_LISTED, _MOMENT_GAP_S, _PLURAL_PROBABILITY, _SHOT_EDGE_PROBABILITY, _BETWEEN_MAX_MOMENTS = 5, 3.0, 0.6, 0.6, 8
_IS_THERE_TEMPLATES = ("Is there {a} in the video?", "Is there {a} in the video?", "Is {a} shown?", "Can {a} be seen?")
_WHEN_TEMPLATES = ("When does {a} appear?", "When does {a} appear?", "When is {a} seen?", "When can {a} be seen?")
_WHEN_PLURAL_TEMPLATES = ("When does {a} appear?", "When do {a} appear?", "When are {a} seen?", "When can {a} be seen?")
_WHERE_TEMPLATES = ("Where is the {x}?", "Where is the {x}?", "Where is {a}?", "In which place is the {x}?")
_COUNT_TEMPLATES = ("How many {xs} are there?", "How many {xs} are there?", "How many {xs} can be seen?")
_OFTEN_TEMPLATES = ("How often does {a} appear?", "How often does {a} appear?", "How many times does {a} appear?")
_VISIBLE_AT_TEMPLATES = (
    "What can be seen at {t}?",
    "What can be seen at {t}?",
    "What is shown at {t}?",
    "What happens at {t}?",
)
_FIRST_TEMPLATES = ("Which was seen first, the {x} or the {y}?", "Which appears first, the {x} or the {y}?")
_BEFORE_TEMPLATES = ("What was seen last before the {x}?", "What came before the {x}?")
_BETWEEN_TEMPLATES = ("What was seen between the {x} and the {y}?", "What happened between the {x} and the {y}?")
_CHANGED_TEMPLATES = ("How did the place change between {t} and {u}?", "What changed between {t} and {u}?")
_SIGN_TEMPLATES = ("What does the sign say {p}?", "What is written on the sign {p}?")
_ANY_TEMPLATES = ("What can be seen?", "What is shown?", "What happens in the video?", "What is in the picture?")
QUESTION_TEMPLATES = (
    *_IS_THERE_TEMPLATES, *_WHEN_TEMPLATES, *_WHEN_PLURAL_TEMPLATES, *_WHERE_TEMPLATES, *_COUNT_TEMPLATES, *_OFTEN_TEMPLATES, *_VISIBLE_AT_TEMPLATES, *_FIRST_TEMPLATES, *_BEFORE_TEMPLATES, *_BETWEEN_TEMPLATES, *_CHANGED_TEMPLATES,
    *_SIGN_TEMPLATES, *_ANY_TEMPLATES,
    "Question: Yes, there is the video. The were times. can be seen. It was, then. at night. "
    "appears at was seen first, then, at. was seen before. before the. between them. The sign says",
)  # fmt: skip
"""All that is asked, and the words of the answers."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request as the generator makes it, the answer, and what kind of question it is."""

    request: str
    answer: str
    kind: str = ""


def generate_examples(rng: np.random.Generator, context: SyntheticContext, count: int) -> list[Example]:
    """So many lessons at most about evidence, of all kinds that it gives rise to."""
    kinds = list(_GENERATOR_WEIGHTS)
    weights = np.array([_GENERATOR_WEIGHTS[kind] for kind in kinds], float)
    examples: list[Example] = []
    for _ in range(3 * count):
        kind = kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]
        example = kind(rng, context)
        if example is not None:
            example = replace(example, kind=kind.__name__.strip("_"))
        if example is not None and example not in examples:
            examples.append(example)
        if len(examples) == count:
            break
    return examples


_ExampleGenerator = Callable[[np.random.Generator, SyntheticContext], Example | None]


def _make_question(question: str, answer: str) -> Example:
    return Example(f"Question: {question}", answer)


def _format_caption(item: EvidenceItem) -> str:
    """`Two dogs are on the beach at night. [F3]`"""
    night = " at night" if item.first_frame.content.night else ""
    if not item.first_frame.content.counts:
        return f"Nothing is {format_place(item.first_frame)}{night}. [{item.id}]"
    return f"{capitalize(format_things(item.first_frame))} {choose_copula(item.first_frame)} {format_place(item.first_frame)}{night}. [{item.id}]"


def _pick_known_concept(rng: np.random.Generator, context: SyntheticContext) -> tuple[str, list[EvidenceItem]] | None:
    name = pick_shown_concept(rng, context)
    items = None if name is None else find_items_showing(context, name)
    return None if name is None or not items else (name, items)


def _is_there(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    if (found := _pick_known_concept(rng, context)) is None:
        return None
    name, items = found
    return _make_question(
        fill_template(rng, _IS_THERE_TEMPLATES, a=format_count_noun(name)),
        f"Yes, there is {format_count_noun(name)}. [{items[0].id}]",
    )


def _merge_moments(items: Sequence[EvidenceItem]) -> list[list[EvidenceItem]]:
    """Items that overlap, or nearly, are one moment."""
    moments: list[list[EvidenceItem]] = []
    for item in items:
        if moments and item.start_s - max(one.end_s for one in moments[-1]) < _MOMENT_GAP_S:
            moments[-1].append(item)
        else:
            moments.append([item])
    return moments


def _format_moments(name: str, count: int, moments: Sequence[Sequence[EvidenceItem]]) -> str:
    verb = "appears" if count == 1 else "appear"
    phrase_start = f"{capitalize(format_count_noun(name, count))} {verb} at"
    return " ".join(f"{phrase_start} {format_timestamp(some[0].start_s)}. {format_citation(some)}" for some in moments)


def _when(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    if not context.frames or (found := _pick_known_concept(rng, context)) is None:
        return None
    name, items = found
    if len(items) > MAX_LISTED or items[0] in context.slots:
        return None
    counts = {item.first_frame.content.counts[name] for item in items}
    count = counts.pop() if len(counts) == 1 and rng.random() < 0.7 else 1
    asked = fill_template(
        rng, _WHEN_TEMPLATES if count == 1 else _WHEN_PLURAL_TEMPLATES, a=format_count_noun(name, count)
    )
    return _make_question(asked, _format_moments(name, count, _merge_moments(items)))


def _often(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    if not context.frames or (found := _pick_known_concept(rng, context)) is None:
        return None
    name, items = found
    if len(items) > MAX_LISTED or items[0] in context.slots:
        return None
    moments = _merge_moments(items)
    times = "one time" if len(moments) == 1 else f"{NUMBER_WORDS[len(moments)]} times"
    total = f"{capitalize(format_count_noun(name))} appears {times}. {format_citation([some[0] for some in moments])}"
    said = f"{_format_moments(name, 1, moments)} {total}"
    return _make_question(fill_template(rng, _OFTEN_TEMPLATES, a=format_count_noun(name)), said)


def _where(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    if (found := _pick_known_concept(rng, context)) is None:
        return None
    name, items = found
    if len({item.first_frame.content.place for item in items}) > 1 or items[0].is_merged:
        return None
    seen = items[0].first_frame.content
    said = f"{format_place_sentence(name, seen.counts[name], seen.place)} [{items[0].id}]"
    return _make_question(fill_template(rng, _WHERE_TEMPLATES, x=name, a=format_count_noun(name)), said)


def _count(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Of things of which there are several more often than of single ones."""
    several = {
        name for item in list_pictures(context) for name, count in item.first_frame.content.counts.items() if count > 1
    }
    name = (
        choose(rng, sorted(several))
        if several and rng.random() < _PLURAL_PROBABILITY
        else pick_shown_concept(rng, context)
    )
    items = None if name is None else find_items_showing(context, name)
    if name is None or not items:
        return None
    counts = {item.first_frame.content.counts[name] for item in items}
    if len(counts) > 1 or items[0] in context.slots or (count := counts.pop()) > 5:
        return None
    return _make_question(
        fill_template(rng, _COUNT_TEMPLATES, xs=get_concept(name).plural),
        f"{format_count_sentence(name, count)} [{items[0].id}]",
    )


def _what(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    if not context.frames:
        return None
    item = context.frames[int(rng.integers(len(context.frames)))]
    time_s = sample_time_within(rng, item)
    if (
        len(find_moments_at(context, time_s)) > 1
        or item.first_frame.content.unclear
        or not item.first_frame.content.counts
    ):
        return None
    return _make_question(
        fill_template(rng, _VISIBLE_AT_TEMPLATES, t=format_question_time(rng, time_s)),
        f"{capitalize(format_things(item.first_frame))} can be seen. [{item.id}]",
    )


def _first(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    left, right = _pick_known_concept(rng, context), _pick_known_concept(rng, context)
    if not context.frames or left is None or right is None or left[0] == right[0]:
        return None
    pair = (left[1][0], right[1][0])
    if any(item in context.slots for item in pair) or pair[0].start_s == pair[1].start_s:
        return None
    asked = fill_template(rng, _FIRST_TEMPLATES, x=left[0], y=right[0])
    first, second = sorted((left, right), key=lambda pair: pair[1][0].start_s)
    times = [format_timestamp(one[1][0].start_s) for one in (first, second)]
    said = f"The {first[0]} was seen first, at {times[0]}, before the {second[0]}, at {times[1]}."
    return _make_question(asked, f"{said} {format_citation((first[1][0], second[1][0]))}")


def _list_nonempty_moments(context: SyntheticContext) -> list[EvidenceItem]:
    """The moments with something in them."""
    return [item for item in context.frames if item.first_frame.content.counts or item.first_frame.content.unclear]


def _shows_single_concept(item: EvidenceItem) -> bool:
    return len(item.first_frame.content.counts) == 1 and not item.first_frame.content.unclear


def _before(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    pairs = [
        (one, other)
        for one, other in pairwise(_list_nonempty_moments(context))
        if _shows_single_concept(one) and other.first_frame.concept_names
    ]
    if not pairs:
        return None
    earlier, later = pairs[int(rng.integers(len(pairs)))]
    name = choose(rng, later.first_frame.concept_names)
    if (
        not (items := find_items_showing(context, name))
        or items[0] is not later
        or name in earlier.first_frame.content.counts
    ):
        return None
    said = f"{capitalize(format_things(earlier.first_frame))} {_choose_past_copula(earlier.first_frame)} seen before the {name}."
    return _make_question(fill_template(rng, _BEFORE_TEMPLATES, x=name), f"{said} {format_citation((earlier, later))}")


def _choose_past_copula(frame: LabelledFrame) -> str:
    return "was" if sum(frame.content.counts.values()) == 1 else "were"


def _between(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    full = _list_nonempty_moments(context)
    ends = [
        (first, last)
        for first in range(len(full))
        for last in range(first + 2, min(len(full), first + _BETWEEN_MAX_MOMENTS))
    ]
    framed = [
        found
        for first, last in ends
        if (found := _pick_surrounded_moment(rng, context, full[first : last + 1])) is not None
    ]
    if not framed:
        return None
    x, middle, y = framed[int(rng.integers(len(framed)))]
    said = f"{capitalize(format_things(middle.first_frame))} {_choose_past_copula(middle.first_frame)} seen between them. [{middle.id}]"
    return _make_question(fill_template(rng, _BETWEEN_TEMPLATES, x=x, y=y), said)


def _pick_surrounded_moment(
    rng: np.random.Generator, context: SyntheticContext, run: Sequence[EvidenceItem]
) -> tuple[str, EvidenceItem, str] | None:
    """What is last seen at the beginning of a run of moments, what alone is seen inside of it, and what is first seen
    at its end; None where there is no such thing."""
    first, *between, last = run
    if not all(
        _shows_single_concept(item) and item.first_frame.concept_names == between[0].first_frame.concept_names
        for item in between
    ):
        return None
    inside = between[0].first_frame.concept_names
    befores = [
        name
        for name in first.first_frame.concept_names
        if name not in inside and _find_first_and_last(context, name)[1] is first
    ]
    afters = [
        name
        for name in last.first_frame.concept_names
        if name not in inside and _find_first_and_last(context, name)[0] is last
    ]
    if not befores or not afters or set(befores) & set(afters):
        return None
    return choose(rng, befores), between[0], choose(rng, afters)


def _find_first_and_last(context: SyntheticContext, name: str) -> tuple[EvidenceItem | None, EvidenceItem | None]:
    """The first and the last item that shows it; none where that cannot be told."""
    items = find_items_showing(context, name)
    return (items[0], items[-1]) if items else (None, None)


def _changed(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    frames = context.frames
    turns = [
        place
        for place, (one, other) in enumerate(pairwise(frames), 1)
        if _format_place_and_time(one) != _format_place_and_time(other)
    ]
    if not turns:
        return None
    turn = turns[int(rng.integers(len(turns)))]
    first = max((place for place in turns if place < turn), default=0)
    last = min((place for place in turns if place > turn), default=len(frames)) - 1
    earlier = frames[first if rng.random() < _SHOT_EDGE_PROBABILITY else int(rng.integers(first, turn))]
    later = frames[last if rng.random() < _SHOT_EDGE_PROBABILITY else int(rng.integers(turn, last + 1))]
    times = [sample_time_within(rng, item) for item in (earlier, later)]
    said = f"It was {_format_place_and_time(earlier)}, then {_format_place_and_time(later)}. {format_citation((earlier, later))}"
    return _make_question(
        fill_template(
            rng, _CHANGED_TEMPLATES, t=format_question_time(rng, times[0]), u=format_question_time(rng, times[1])
        ),
        said,
    )


def _format_place_and_time(item: EvidenceItem) -> str:
    return f"{format_place(item.first_frame)}{' at night' if item.first_frame.content.night else ''}"


def _sign(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    with_sign = [item for item in list_pictures(context) if item.first_frame.sign_text]
    if not with_sign:
        return None
    item = with_sign[int(rng.integers(len(with_sign)))]
    where = item.first_frame.content.place, item.first_frame.content.night
    if sum((other.first_frame.content.place, other.first_frame.content.night) == where for other in with_sign) > 1:
        return None
    place = f"{format_place(item.first_frame)} {'at night' if item.first_frame.content.night else 'by day'}"
    return _make_question(
        fill_template(rng, _SIGN_TEMPLATES, p=place), f"The sign says {item.first_frame.sign_text}. [{item.id}]"
    )


def _any(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    items = [item for item in list_pictures(context) if item.first_frame.content.counts][:4]
    if not items or any(item.first_frame.content.unclear for item in items):
        return None
    return _make_question(choose(rng, _ANY_TEMPLATES), " ".join(_format_caption(item) for item in items))


def _described(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """A caption, or a title."""
    items = list_pictures(context)
    if not items or any(item.first_frame.content.unclear for item in items):
        return None
    if rng.random() < 0.6:
        return Example(caption_prompt(40), " ".join(_format_caption(item) for item in items[:8]))
    full = [item for item in items if item.first_frame.content.counts][:1]
    title = [
        f"{capitalize(format_things(one.first_frame))} {format_place(one.first_frame)}. [{one.id}]" for one in full
    ]
    return Example(caption_prompt(7), title[0]) if title else None


def _absent(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    name = pick_absent_concept(rng, context)
    if name is None:
        return None
    forms = (
        _IS_THERE_TEMPLATES,
        _IS_THERE_TEMPLATES,
        _WHEN_TEMPLATES,
        _WHERE_TEMPLATES,
        _COUNT_TEMPLATES,
        _OFTEN_TEMPLATES,
        _BEFORE_TEMPLATES,
    )[int(rng.integers(7))]
    return _make_question(
        fill_template(rng, forms, a=format_count_noun(name), x=name, xs=get_concept(name).plural), ABSTENTION
    )


def _half_absent(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    absent, there = pick_absent_concept(rng, context), pick_shown_concept(rng, context)
    if absent is None or there is None:
        return None
    forms = (_FIRST_TEMPLATES, _BETWEEN_TEMPLATES)[int(rng.integers(2))]
    names = (absent, there) if rng.random() < 0.5 else (there, absent)
    return _make_question(fill_template(rng, forms, x=names[0], y=names[1]), ABSTENTION)


_GENERATOR_WEIGHTS: dict[_ExampleGenerator, float] = {
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
