"""Examples about content: which things, how many, where, and which sign; captions; and questions about absent things.

Each generator returns None where the context allows no example of its kind.
"""

from __future__ import annotations

import numpy as np

from demoworld.train.answer_templates import (
    capitalize,
    choose,
    choose_copula,
    fill_template,
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
    pick_known_concept,
    pick_shown_concept,
    sample_time_within,
)
from demoworld.train.example import Example, make_question
from demoworld.train.question_templates import (
    ANY_TEMPLATES,
    BEFORE_TEMPLATES,
    BETWEEN_TEMPLATES,
    COUNT_TEMPLATES,
    FIRST_TEMPLATES,
    IS_THERE_TEMPLATES,
    OFTEN_TEMPLATES,
    SIGN_TEMPLATES,
    VISIBLE_AT_TEMPLATES,
    WHEN_TEMPLATES,
    WHERE_TEMPLATES,
)
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.concepts import get_concept
from services.generators.citation_parser import ABSTENTION
from services.generators.prompts import caption_prompt

_PLURAL_PROBABILITY = 0.6


def ask_is_there(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask whether a shown thing is there."""
    if (known := pick_known_concept(rng, context)) is None:
        return None
    name, items = known
    return make_question(
        fill_template(rng, IS_THERE_TEMPLATES, a=format_count_noun(name)),
        f"Yes, there is {format_count_noun(name)}. [{items[0].id}]",
    )


def ask_where(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask where a thing is, where it is shown in one place only."""
    if (known := pick_known_concept(rng, context)) is None:
        return None
    name, items = known
    if len({item.first_frame.content.place for item in items}) > 1 or items[0].is_merged:
        return None
    content = items[0].first_frame.content
    answer = f"{format_place_sentence(name, content.counts[name], content.place)} [{items[0].id}]"
    return make_question(fill_template(rng, WHERE_TEMPLATES, x=name, a=format_count_noun(name)), answer)


def ask_how_many(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask for the count of a thing; several are asked about more often than single ones."""
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
    return make_question(
        fill_template(rng, COUNT_TEMPLATES, xs=get_concept(name).plural),
        f"{format_count_sentence(name, count)} [{items[0].id}]",
    )


def ask_visible_at(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask what is visible at a time that lies in exactly one moment."""
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
    return make_question(
        fill_template(rng, VISIBLE_AT_TEMPLATES, t=format_question_time(rng, time_s)),
        f"{capitalize(format_things(item.first_frame))} can be seen. [{item.id}]",
    )


def ask_sign(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask for the text of a sign, by a place and time of day that only one sign has."""
    with_sign = [item for item in list_pictures(context) if item.first_frame.sign_text]
    if not with_sign:
        return None
    item = with_sign[int(rng.integers(len(with_sign)))]
    where = item.first_frame.content.place, item.first_frame.content.night
    if sum((other.first_frame.content.place, other.first_frame.content.night) == where for other in with_sign) > 1:
        return None
    place = f"{format_place(item.first_frame)} {'at night' if item.first_frame.content.night else 'by day'}"
    return make_question(
        fill_template(rng, SIGN_TEMPLATES, p=place), f"The sign says {item.first_frame.sign_text}. [{item.id}]"
    )


def ask_what_is_shown(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask what can be seen, answered by captions of up to four items."""
    items = [item for item in list_pictures(context) if item.first_frame.content.counts][:4]
    if not items or any(item.first_frame.content.unclear for item in items):
        return None
    return make_question(choose(rng, ANY_TEMPLATES), " ".join(_format_caption(item) for item in items))


def ask_caption(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Request captions of up to eight items, or a title."""
    items = list_pictures(context)
    if not items or any(item.first_frame.content.unclear for item in items):
        return None
    if rng.random() < 0.6:
        return Example(caption_prompt(40), " ".join(_format_caption(item) for item in items[:8]))
    full = [item for item in items if item.first_frame.content.counts][:1]
    title = [
        f"{capitalize(format_things(item.first_frame))} {format_place(item.first_frame)}. [{item.id}]" for item in full
    ]
    return Example(caption_prompt(7), title[0]) if title else None


def _format_caption(item: EvidenceItem) -> str:
    """Format `Two dogs are on the beach at night. [F3]`"""
    frame = item.first_frame
    place = f"{format_place(frame)}{' at night' if frame.content.night else ''}"
    if not frame.content.counts:
        return f"Nothing is {place}. [{item.id}]"
    return f"{capitalize(format_things(frame))} {choose_copula(frame)} {place}. [{item.id}]"


def ask_absent(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask about a thing that nothing shows."""
    name = pick_absent_concept(rng, context)
    if name is None:
        return None
    forms = (
        IS_THERE_TEMPLATES,
        IS_THERE_TEMPLATES,
        WHEN_TEMPLATES,
        WHERE_TEMPLATES,
        COUNT_TEMPLATES,
        OFTEN_TEMPLATES,
        BEFORE_TEMPLATES,
    )[int(rng.integers(7))]
    return make_question(
        fill_template(rng, forms, a=format_count_noun(name), x=name, xs=get_concept(name).plural), ABSTENTION
    )


def ask_partly_absent(rng: np.random.Generator, context: SyntheticContext) -> Example | None:
    """Ask about the order of an absent thing and a shown one."""
    absent, shown = pick_absent_concept(rng, context), pick_shown_concept(rng, context)
    if absent is None or shown is None:
        return None
    forms = (FIRST_TEMPLATES, BETWEEN_TEMPLATES)[int(rng.integers(2))]
    names = (absent, shown) if rng.random() < 0.5 else (shown, absent)
    return make_question(fill_template(rng, forms, x=names[0], y=names[1]), ABSTENTION)
