"""Training example of the language model: a request and its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from demoworld.train.synthetic_context import SyntheticContext

MAX_LISTED = 5
"""The most items that an answer lists."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request in the form in which the generator sends it, the expected answer, and the kind of question."""

    request: str
    answer: str
    kind: str = ""


ExampleGenerator: TypeAlias = Callable[[np.random.Generator, SyntheticContext], Example | None]
"""Makes an example about a context; None where the context allows none."""


def make_question(question: str, answer: str) -> Example:
    """Make an example of a question, prefixed as the generator prefixes it."""
    return Example(f"Question: {question}", answer)
