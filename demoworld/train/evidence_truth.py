"""What evidence tells without doubt, and what it does not."""

from __future__ import annotations

import numpy as np

from demoworld.train.answer_templates import choose
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.concepts import load_concepts

_NEAR_START_PROBABILITY = 0.75


def list_pictures(context: SyntheticContext) -> tuple[EvidenceItem, ...]:
    return (*context.frames, *context.photos)


def find_items_showing(context: SyntheticContext, name: str) -> list[EvidenceItem] | None:
    """The items that show a concept, moments before slots; None where one of them leaves it open, or where a slot
    shows it among others, in a mean."""
    in_pictures, in_slots = [], []
    for item in list_pictures(context):
        if name in item.first_frame.content.unclear:
            return None
        if name in item.first_frame.content.counts:
            in_pictures.append(item)
    for slot in context.slots:
        shares = [name in look.content.counts for look in slot.frames]
        if any(name in look.content.unclear for look in slot.frames) or (any(shares) and not all(shares)):
            if not in_pictures:
                return None
        elif all(shares):
            in_slots.append(slot)
    return in_pictures or in_slots


def pick_shown_concept(rng: np.random.Generator, context: SyntheticContext) -> str | None:
    """A concept that is shown in one of the pictures, mostly, or in a slot; what many show is asked about more."""
    names = sorted(name for item in list_pictures(context) for name in item.first_frame.concept_names)
    if context.slots and rng.random() < 0.1:
        names = sorted({name for slot in context.slots for name in slot.first_frame.concept_names})
    return choose(rng, names) if names else None


def pick_absent_concept(rng: np.random.Generator, context: SyntheticContext) -> str | None:
    """A concept that nothing shows."""
    name = load_concepts()[int(rng.integers(len(load_concepts())))].name
    for item in (*list_pictures(context), *context.slots):
        if any(name in look.content.counts or name in look.content.unclear for look in item.frames):
            return None
    return name


def find_moments_at(context: SyntheticContext, time_s: float) -> list[EvidenceItem]:
    """The moments that a time lies in, or within a second of."""
    return [one for one in context.frames if one.start_s - 1 <= time_s < one.end_s + 1]


def sample_time_within(rng: np.random.Generator, item: EvidenceItem) -> float:
    """A time in a moment; mostly just after its beginning, since what is asked for by its time is looked at there."""
    end_s = min(item.end_s, item.start_s + 1.0) if rng.random() < _NEAR_START_PROBABILITY else item.end_s
    return float(rng.uniform(item.start_s, end_s))
