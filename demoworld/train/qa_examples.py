"""Question-answer examples about evidence: short answers, each sentence with the ids of the items that prove it.

The answers follow from what the evidence shows, whatever else happens in the video: what it does not show is "not
shown". A question is generated only where the evidence leaves no doubt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from demoworld.train.content_questions import (
    ask_absent,
    ask_caption,
    ask_how_many,
    ask_is_there,
    ask_partly_absent,
    ask_sign,
    ask_visible_at,
    ask_what_is_shown,
    ask_where,
)
from demoworld.train.example import Example, ExampleGenerator
from demoworld.train.synthetic_context import SyntheticContext
from demoworld.train.temporal_questions import ask_before, ask_between, ask_changed, ask_first, ask_how_often, ask_when


@dataclass(frozen=True, slots=True)
class ExampleKind:
    """A kind of example, its relative frequency, and its generator."""

    name: str
    weight: float
    generate: ExampleGenerator


_KINDS = (
    ExampleKind("is_there", 1.5, ask_is_there),
    ExampleKind("when", 2, ask_when),
    ExampleKind("often", 1.5, ask_how_often),
    ExampleKind("where", 2.5, ask_where),
    ExampleKind("count", 3, ask_how_many),
    ExampleKind("what", 3, ask_visible_at),
    ExampleKind("first", 2.5, ask_first),
    ExampleKind("before", 1.5, ask_before),
    ExampleKind("between", 3, ask_between),
    ExampleKind("changed", 2, ask_changed),
    ExampleKind("sign", 1.5, ask_sign),
    ExampleKind("any", 0.7, ask_what_is_shown),
    ExampleKind("described", 2, ask_caption),
    ExampleKind("absent", 3, ask_absent),
    ExampleKind("half_absent", 0.7, ask_partly_absent),
)
"""The order decides what a seed draws."""


def generate_examples(rng: np.random.Generator, context: SyntheticContext, count: int) -> list[Example]:
    """Generate at most `count` distinct examples about a context, of all kinds that it allows."""
    weights = np.array([kind.weight for kind in _KINDS], float)
    examples: list[Example] = []
    for _ in range(3 * count):
        kind = _KINDS[int(rng.choice(len(_KINDS), p=weights / weights.sum()))]
        example = kind.generate(rng, context)
        if example is not None:
            example = replace(example, kind=kind.name)
        if example is not None and example not in examples:
            examples.append(example)
        if len(examples) == count:
            break
    return examples
