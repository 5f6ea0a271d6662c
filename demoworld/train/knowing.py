"""What evidence tells without doubt, and what it does not."""

from __future__ import annotations

import numpy as np

from demoworld.train.saying import one_of
from demoworld.train.showing import Item, Showing
from demoworld.world.concepts import concepts

_EXACT = 0.75


def pictures(showing: Showing) -> tuple[Item, ...]:
    return (*showing.frames, *showing.photos)


def known(showing: Showing, name: str) -> list[Item] | None:
    """The items that show a concept, moments before slots; None where one of them leaves it open, or where a slot
    shows it among others, in a mean."""
    showing_it, in_slots = [], []
    for item in pictures(showing):
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


def pick(rng: np.random.Generator, showing: Showing) -> str | None:
    """A concept that is shown in one of the pictures, mostly, or in a slot; what many show is asked about more."""
    names = sorted(name for item in pictures(showing) for name in item.look.names)
    if showing.slots and rng.random() < 0.1:
        names = sorted({name for slot in showing.slots for name in slot.look.names})
    return one_of(rng, names) if names else None


def missing(rng: np.random.Generator, showing: Showing) -> str | None:
    """A concept that nothing shows."""
    name = concepts()[int(rng.integers(len(concepts())))].name
    for item in (*pictures(showing), *showing.slots):
        if any(name in look.seen.counts or name in look.seen.unclear for look in item.looks):
            return None
    return name


def around(showing: Showing, time_s: float) -> list[Item]:
    """The moments that a time lies in, or within a second of."""
    return [one for one in showing.frames if one.start_s - 1 <= time_s < one.end_s + 1]


def time_within(rng: np.random.Generator, item: Item) -> float:
    """A time in a moment; mostly just after its beginning, since what is asked for by its time is looked at there."""
    end_s = min(item.end_s, item.start_s + 1.0) if rng.random() < _EXACT else item.end_s
    return float(rng.uniform(item.start_s, end_s))
