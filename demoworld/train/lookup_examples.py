"""Lookup examples: ten short lookups in one request, which teach retrieval at few tokens each."""

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
from demoworld.train.example import MAX_LISTED, Example
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.claims import NUMBER_WORDS
from services.generators.timestamps import format_timestamp

_LOOKUPS_PER_EXAMPLE = 10
_LOOKUP_KINDS = ("moments", "moments", "times", "times", "numbers", "places", "places", "pictures")


def generate_lookups(rng: np.random.Generator, context: SyntheticContext, count: int) -> list[Example]:
    """Generate examples that look up many things at once, present and absent ones.

    They ask which moment shows each, when, how many, or where. A lookup is a few words long, so that a row holds ten
    times as many of them as of questions.
    """
    examples = (_make_lookup(rng, context) for _ in range(count))
    return [example for example in examples if example is not None]


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
    """Make an example that asks which moments contain given times."""
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
    answer = " ".join(f"{name} {text}." for name, text in answers.items())
    return Example(f"Give the {kind}: {', '.join(answers)}.", answer, kind)


def _answer_lookup(kind: str, name: str, items: Sequence[EvidenceItem]) -> str | None:
    """Return the answer for one thing; None where it is undecidable."""
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
