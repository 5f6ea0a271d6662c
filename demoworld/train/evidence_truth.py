"""Ground truth of synthetic evidence: which items certainly show a concept, and which certainly do not."""

from __future__ import annotations

import numpy as np

from demoworld.train.answer_templates import choose
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.concepts import load_concepts

_NEAR_START_PROBABILITY = 0.75


def list_pictures(context: SyntheticContext) -> tuple[EvidenceItem, ...]:
    """Return a context's moments and photos."""
    return (*context.frames, *context.photos)


def find_items_showing(context: SyntheticContext, name: str) -> list[EvidenceItem] | None:
    """Return the items that show a concept, moments if there are any, else slots.

    None where a moment leaves it open, or where a merged slot shows it in some of its frames only.
    """
    in_pictures, in_slots = [], []
    for item in list_pictures(context):
        if name in item.first_frame.content.unclear:
            return None
        if name in item.first_frame.content.counts:
            in_pictures.append(item)
    for slot in context.slots:
        shares = [name in frame.content.counts for frame in slot.frames]
        if any(name in frame.content.unclear for frame in slot.frames) or (any(shares) and not all(shares)):
            if not in_pictures:
                return None
        elif all(shares):
            in_slots.append(slot)
    return in_pictures or in_slots


def pick_shown_concept(rng: np.random.Generator, context: SyntheticContext) -> str | None:
    """Pick a concept that a picture shows, now and then one of a slot; frequent ones are picked more often."""
    names = sorted(name for item in list_pictures(context) for name in item.first_frame.concept_names)
    if context.slots and rng.random() < 0.1:
        names = sorted({name for slot in context.slots for name in slot.first_frame.concept_names})
    return choose(rng, names) if names else None


def pick_absent_concept(rng: np.random.Generator, context: SyntheticContext) -> str | None:
    """Pick a random concept; None where any item may show it."""
    name = load_concepts()[int(rng.integers(len(load_concepts())))].name
    for item in (*list_pictures(context), *context.slots):
        if any(name in frame.content.counts or name in frame.content.unclear for frame in item.frames):
            return None
    return name


def find_moments_at(context: SyntheticContext, time_s: float) -> list[EvidenceItem]:
    """Return the moments that contain a time, within a second."""
    return [item for item in context.frames if item.start_s - 1 <= time_s < item.end_s + 1]


def sample_time_within(rng: np.random.Generator, item: EvidenceItem) -> float:
    """Sample a time in a moment, mostly in its first second, where search by time looks."""
    end_s = min(item.end_s, item.start_s + 1.0) if rng.random() < _NEAR_START_PROBABILITY else item.end_s
    return float(rng.uniform(item.start_s, end_s))


def pick_known_concept(rng: np.random.Generator, context: SyntheticContext) -> tuple[str, list[EvidenceItem]] | None:
    """Pick a shown concept whose items are decidable; returns its name and items, or None."""
    name = pick_shown_concept(rng, context)
    items = None if name is None else find_items_showing(context, name)
    return None if name is None or not items else (name, items)
