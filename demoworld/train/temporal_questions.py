"""Examples about time: when and how often something appears, what came first, before or between, and what changed.

Each generator returns None where the context allows no example of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from demoworld.train.answer_templates import (
    capitalize,
    choose,
    fill_template,
    format_citation,
    format_count_noun,
    format_place,
    format_question_time,
    format_things,
)
from demoworld.train.evidence_truth import (
    find_items_showing,
    pick_known_concept,
    sample_time_within,
)
from demoworld.train.example import MAX_LISTED, Example, make_question
from demoworld.train.footage import LabelledFrame
from demoworld.train.question_templates import (
    BEFORE_TEMPLATES,
    BETWEEN_TEMPLATES,
    CHANGED_TEMPLATES,
    FIRST_TEMPLATES,
    OFTEN_TEMPLATES,
    WHEN_PLURAL_TEMPLATES,
    WHEN_TEMPLATES,
)
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.claims import NUMBER_WORDS
from services.generators.timestamps import format_timestamp

_MOMENT_GAP_S = 3.0
"""Items closer than this are one moment."""
_SHOT_EDGE_PROBABILITY = 0.6
_BETWEEN_MAX_MOMENTS = 8


def ask_when(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask when a thing appears."""
    if not context.frames or (known := pick_known_concept(rng, context)) is None:
        return None
    name, items = known
    if len(items) > MAX_LISTED or items[0] in context.slots:
        return None
    counts = {item.first_frame.content.counts[name] for item in items}
    count = counts.pop() if len(counts) == 1 and rng.random() < 0.7 else 1
    question = fill_template(
        rng, WHEN_TEMPLATES if count == 1 else WHEN_PLURAL_TEMPLATES, a=format_count_noun(name, count)
    )
    return make_question(question, _format_moments(name, count, _merge_moments(items)))


def ask_how_often(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask how often a thing appears."""
    if not context.frames or (known := pick_known_concept(rng, context)) is None:
        return None
    name, items = known
    if len(items) > MAX_LISTED or items[0] in context.slots:
        return None
    moments = _merge_moments(items)
    times = "one time" if len(moments) == 1 else f"{NUMBER_WORDS[len(moments)]} times"
    total = (
        f"{capitalize(format_count_noun(name))} appears {times}. {format_citation([moment[0] for moment in moments])}"
    )
    answer = f"{_format_moments(name, 1, moments)} {total}"
    return make_question(fill_template(rng, OFTEN_TEMPLATES, a=format_count_noun(name)), answer)


def ask_first(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask which of two things was seen first."""
    left, right = pick_known_concept(rng, context), pick_known_concept(rng, context)
    if not context.frames or left is None or right is None or left[0] == right[0]:
        return None
    pair = (left[1][0], right[1][0])
    if any(item in context.slots for item in pair) or pair[0].start_s == pair[1].start_s:
        return None
    question = fill_template(rng, FIRST_TEMPLATES, x=left[0], y=right[0])
    first, second = sorted((left, right), key=lambda pair: pair[1][0].start_s)
    times = [format_timestamp(entry[1][0].start_s) for entry in (first, second)]
    answer = f"The {first[0]} was seen first, at {times[0]}, before the {second[0]}, at {times[1]}."
    return make_question(question, f"{answer} {format_citation((first[1][0], second[1][0]))}")


def ask_before(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask what was seen last before a thing."""
    pairs = [
        (before, after)
        for before, after in pairwise(_list_nonempty_moments(context))
        if _shows_single_concept(before) and after.first_frame.concept_names
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
    things, verb = capitalize(format_things(earlier.first_frame)), _choose_past_copula(earlier.first_frame)
    answer = f"{things} {verb} seen before the {name}."
    return make_question(fill_template(rng, BEFORE_TEMPLATES, x=name), f"{answer} {format_citation((earlier, later))}")


def ask_between(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask what was seen between two things."""
    full = _list_nonempty_moments(context)
    ends = [
        (first, last)
        for first in range(len(full))
        for last in range(first + 2, min(len(full), first + _BETWEEN_MAX_MOMENTS))
    ]
    framed = [
        surrounded
        for first, last in ends
        if (surrounded := _pick_surrounded_moment(rng, context, full[first : last + 1])) is not None
    ]
    if not framed:
        return None
    x, middle, y = framed[int(rng.integers(len(framed)))]
    things, verb = capitalize(format_things(middle.first_frame)), _choose_past_copula(middle.first_frame)
    answer = f"{things} {verb} seen between them. [{middle.id}]"
    return make_question(fill_template(rng, BETWEEN_TEMPLATES, x=x, y=y), answer)


def ask_changed(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask how the place changed between two times."""
    frames = context.frames
    turns = [
        place
        for place, (before, after) in enumerate(pairwise(frames), 1)
        if _format_place_and_time(before) != _format_place_and_time(after)
    ]
    if not turns:
        return None
    turn = turns[int(rng.integers(len(turns)))]
    first = max((place for place in turns if place < turn), default=0)
    last = min((place for place in turns if place > turn), default=len(frames)) - 1
    earlier = frames[first if rng.random() < _SHOT_EDGE_PROBABILITY else int(rng.integers(first, turn))]
    later = frames[last if rng.random() < _SHOT_EDGE_PROBABILITY else int(rng.integers(turn, last + 1))]
    times = [sample_time_within(rng, item) for item in (earlier, later)]
    change = f"It was {_format_place_and_time(earlier)}, then {_format_place_and_time(later)}."
    return make_question(
        fill_template(
            rng, CHANGED_TEMPLATES, t=format_question_time(rng, times[0]), u=format_question_time(rng, times[1])
        ),
        f"{change} {format_citation((earlier, later))}",
    )


def _merge_moments(items: Sequence[EvidenceItem]) -> list[list[EvidenceItem]]:
    """Group items that overlap, or nearly do, into moments."""
    moments: list[list[EvidenceItem]] = []
    for item in items:
        if moments and item.start_s - max(earlier.end_s for earlier in moments[-1]) < _MOMENT_GAP_S:
            moments[-1].append(item)
        else:
            moments.append([item])
    return moments


def _format_moments(name: str, count: int, moments: Sequence[Sequence[EvidenceItem]]) -> str:
    verb = "appears" if count == 1 else "appear"
    phrase_start = f"{capitalize(format_count_noun(name, count))} {verb} at"
    return " ".join(
        f"{phrase_start} {format_timestamp(moment[0].start_s)}. {format_citation(moment)}" for moment in moments
    )


def _list_nonempty_moments(context: SyntheticContext) -> list[EvidenceItem]:
    """Return the moments in which something is visible or undecidable."""
    return [item for item in context.frames if item.first_frame.content.counts or item.first_frame.content.unclear]


def _shows_single_concept(item: EvidenceItem) -> bool:
    return len(item.first_frame.content.counts) == 1 and not item.first_frame.content.unclear


def _choose_past_copula(frame: LabelledFrame) -> str:
    return "was" if sum(frame.content.counts.values()) == 1 else "were"


def _pick_surrounded_moment(
    rng: np.random.Generator, context: SyntheticContext, run: Sequence[EvidenceItem]
) -> tuple[str, EvidenceItem, str] | None:
    """Pick a thing of a run's first moment, the one moment inside of the run, and a thing of its last moment.

    The first thing is not seen later, the last one not before; None where the run has no such things.
    """
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
    """Return the first and the last item that shows a concept; None for both where undecidable."""
    items = find_items_showing(context, name)
    return (items[0], items[-1]) if items else (None, None)


def _format_place_and_time(item: EvidenceItem) -> str:
    return f"{format_place(item.first_frame)}{' at night' if item.first_frame.content.night else ''}"
