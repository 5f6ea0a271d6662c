"""Lookups by the dozen, which teach to find: they are a few words long each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demoworld.train.answer_templates import choose, format_citation, format_place, format_question_time
from demoworld.train.evidence_truth import (
    find_items_showing,
    find_moments_at,
    pick_absent_concept,
    pick_shown_concept,
    sample_time_within,
)
from demoworld.train.qa_examples import MAX_LISTED, Example
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.claims import NUMBER_WORDS
from services.generators.prompts import format_timestamp

_LOOKUPS_PER_EXAMPLE = 10
_LOOKUP_KINDS = ("moments", "moments", "times", "times", "numbers", "places", "places", "pictures")


def generate_lookups(rng: np.random.Generator, context: SyntheticContext, count: int) -> list[Example]:
    """Many things looked up at once, those that are there and those that are not: which moment shows each, when, how
    many, or where. A lookup is a few words long, so that a row holds ten times as many as it holds questions."""
    examples = (_make_lookup(rng, context) for _ in range(count))
    return [lesson for lesson in examples if lesson is not None]


def _make_lookup(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    kind = choose(rng, _LOOKUP_KINDS if context.frames else ("moments", "numbers", "places"))
    if kind == "pictures":
        return _make_time_lookup(rng, context)
    names = {
        name
        for _ in range(_LOOKUPS_PER_EXAMPLE)
        for name in (pick_shown_concept(rng, context), pick_absent_concept(rng, context))
        if name
    }
    answers: dict[str, str] = {}
    for name in rng.permutation(sorted(names)).tolist()[:_LOOKUPS_PER_EXAMPLE]:
        items = find_items_showing(context, name)
        if items is not None:
            answer = _answer_lookup(kind, name, items)
            answers |= {name: answer} if answer else {}
    return _make_example(kind, answers)


def _make_time_lookup(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Which moments some times lie in."""
    answers: dict[str, str] = {}
    for place in rng.permutation(len(context.frames))[:_LOOKUPS_PER_EXAMPLE]:
        item = context.frames[int(place)]
        time_s = sample_time_within(rng, item)
        if len(find_moments_at(context, time_s)) == 1:
            answers[format_question_time(rng, time_s)] = format_citation([item])
    return _make_example("pictures", answers)


def _make_example(kind: str, answers: dict[str, str]) -> Example | None:
    if not answers:
        return None
    answer = " ".join(f"{name} {told}." for name, told in answers.items())
    return Example(f"Give the {kind}: {', '.join(answers)}.", answer, kind)


def _answer_lookup(kind: str, name: str, items: Sequence[EvidenceItem]) -> str | None:
    """What is to be said of one thing; None where it cannot be told."""
    if not items:
        return "none"
    match kind:
        case "moments":
            return format_citation(items[:MAX_LISTED])
        case "times":
            return format_timestamp(items[0].start_s)
        case "numbers":
            counts = {item.first_frame.content.counts[name] for item in items}
            return NUMBER_WORDS[counts.pop()] if len(counts) == 1 and max(counts) < len(NUMBER_WORDS) else None
        case _:
            places = {item.first_frame.content.place for item in items}
            return format_place(items[0].first_frame) if len(places) == 1 and not items[0].is_merged else None
