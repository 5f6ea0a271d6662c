"""The words in which answers speak."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demoworld.train.footage import LabelledFrame
from demoworld.train.synthetic_context import EvidenceItem
from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import add_article, get_concept
from demoworld.world.places import PLACES, place_index
from services.generators.prompts import format_timestamp


def choose(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def fill_template(rng: np.random.Generator, templates: Sequence[str], **words: str) -> str:
    return choose(rng, templates).format(**words)


def format_count_noun(name: str, count: int = 1) -> str:
    """`a dog`, `two dogs`."""
    return add_article(name) if count == 1 else f"{NUMBER_WORDS[count]} {get_concept(name).plural}"


def capitalize(text: str) -> str:
    return text[0].upper() + text[1:]


def join_list(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def format_things(frame: LabelledFrame) -> str:
    return join_list([format_count_noun(name, min(frame.content.counts[name], 5)) for name in frame.concept_names])


def choose_copula(frame: LabelledFrame) -> str:
    return "is" if sum(frame.content.counts.values()) == 1 else "are"


def format_place(frame: LabelledFrame) -> str:
    return PLACES[place_index(frame.content.place)].phrase


def format_count_sentence(name: str, count: int) -> str:
    return f"There {'is' if count == 1 else 'are'} {NUMBER_WORDS[count]} {name if count == 1 else get_concept(name).plural}."


def format_place_sentence(name: str, count: int, place: str) -> str:
    place_phrase = PLACES[place_index(place)].phrase
    subject = f"The {name} is" if count == 1 else f"The {get_concept(name).plural} are"
    return f"{subject} {place_phrase}."


def format_citation(items: Sequence[EvidenceItem]) -> str:
    return f"[{', '.join(item.id for item in items)}]"


def format_question_time(rng: np.random.Generator, time_s: float) -> str:
    """A time as people write it."""
    whole = format_timestamp(time_s)
    return whole if rng.random() < 0.3 else whole[1:] if whole[0] == "0" else whole
