"""Sentence templates of the answers that the language model is trained to give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demoworld.train.footage import LabelledFrame
from demoworld.train.synthetic_context import EvidenceItem
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import add_article, get_concept
from demoworld.world.places import PLACES, place_index
from services.generators.timestamps import format_timestamp


def choose(rng: np.random.Generator, options: Sequence[str]) -> str:
    """Choose one of the options at random."""
    return options[int(rng.integers(len(options)))]


def fill_template(rng: np.random.Generator, templates: Sequence[str], **words: str) -> str:
    """Fill a randomly chosen template; `words` are its placeholders."""
    return choose(rng, templates).format(**words)


def format_count_noun(name: str, count: int = 1) -> str:
    """Format a noun with its count: `a dog`, `two dogs`."""
    return add_article(name) if count == 1 else f"{NUMBER_WORDS[count]} {get_concept(name).plural}"


def capitalize(text: str) -> str:
    """Return a text with its first letter in upper case."""
    return text[0].upper() + text[1:]


def join_list(parts: Sequence[str]) -> str:
    """Join parts as an English list: `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def format_things(frame: LabelledFrame) -> str:
    """Format the visible things of a frame as a list with counts."""
    return join_list([format_count_noun(name, min(frame.content.counts[name], 5)) for name in frame.concept_names])


def choose_copula(frame: LabelledFrame) -> str:
    """Return "is" for one visible thing, else "are"."""
    return "is" if sum(frame.content.counts.values()) == 1 else "are"


def format_place(frame: LabelledFrame) -> str:
    """Return the place phrase of a frame."""
    return PLACES[place_index(frame.content.place)].phrase


def format_count_sentence(name: str, count: int) -> str:
    """Format `There are two dogs.`"""
    verb, noun = ("is", name) if count == 1 else ("are", get_concept(name).plural)
    return f"There {verb} {NUMBER_WORDS[count]} {noun}."


def format_place_sentence(name: str, count: int, place: str) -> str:
    """Format `The dogs are on the beach.`"""
    place_phrase = PLACES[place_index(place)].phrase
    subject = f"The {name} is" if count == 1 else f"The {get_concept(name).plural} are"
    return f"{subject} {place_phrase}."


def format_citation(items: Sequence[EvidenceItem]) -> str:
    """Format the ids of evidence items as a citation: `[F1, F3]`."""
    return f"[{', '.join(item.id for item in items)}]"


def format_question_time(rng: np.random.Generator, time_s: float) -> str:
    """Format a time as people type it: a leading zero is mostly dropped."""
    whole = format_timestamp(time_s)
    return whole if rng.random() < 0.3 else whole[1:] if whole[0] == "0" else whole
