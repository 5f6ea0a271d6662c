"""Verification examples: sentences about one picture to be answered with yes or no, in the forms of answers."""

from __future__ import annotations

import numpy as np

from demoworld.train.answer_templates import (
    capitalize,
    choose,
    choose_copula,
    format_count_noun,
    format_count_sentence,
    format_place_sentence,
    format_things,
)
from demoworld.train.example import Example
from demoworld.train.synthetic_context import EvidenceItem, SyntheticContext
from demoworld.world.concepts import load_concepts
from demoworld.world.places import PLACES, place_index
from services.generators.prompts import entailment_prompt

_PLURAL_PROBABILITY = 0.8


def generate_verifications(rng: np.random.Generator, context: SyntheticContext, count: int) -> list[Example]:
    """Generate sentences about one picture, half of them true, to be answered with yes or no."""
    (item,) = (*context.frames, *context.photos)
    examples: list[Example] = []
    for number in range(count):
        statement = _sample_statement(rng, item, bool(number % 2))
        if statement is not None:
            examples.append(
                Example(entailment_prompt(statement), "Yes.", "true")
                if number % 2
                else Example(entailment_prompt(statement), "No.", "false")
            )
    return examples


def _sample_statement(rng: np.random.Generator, item: EvidenceItem, true: bool) -> str | None:
    """Sample a sentence that names the right or a wrong thing, number or place.

    None where the truth is undecidable.
    """
    content, names = item.first_frame.content, item.first_frame.concept_names
    absent_names = [
        known.name
        for known in load_concepts()
        if known.name not in content.counts and known.name not in content.unclear
    ]
    place = (
        content.place
        if true
        else choose(rng, [candidate.name for candidate in PLACES if candidate.name != content.place])
    )
    if not names:
        return _state_nothing(rng, item, place, true, choose(rng, absent_names))
    several = [name for name in names if content.counts[name] > 1]
    name = choose(rng, several if several and rng.random() < _PLURAL_PROBABILITY else names)
    count = min(content.counts[name], 5)
    match int(rng.integers(10)):
        case 0 | 1 | 2 | 3:
            return _state_thing(rng, name if true else choose(rng, absent_names), count, content.place)
        case 4 | 5 | 6:
            wrong = [number for number in (1, 1, 2, 2, 3, 3, 4) if number != count]
            return _state_number(rng, name, count if true else int(rng.choice(wrong)))
        case _:
            return _state_place(rng, item, name, count, place)


def _state_nothing(
    rng: np.random.Generator, item: EvidenceItem, place: str, true: bool, absent_name: str
) -> str | None:
    """Sample a sentence about a picture in which nothing is visible."""
    if item.first_frame.content.unclear:
        return None
    if true or rng.random() < 0.4:
        return (
            _state_past_place(rng, place) if rng.random() < 0.5 else f"Nothing is {PLACES[place_index(place)].phrase}."
        )
    return _state_thing(rng, absent_name, 1, item.first_frame.content.place)


def _state_past_place(rng: np.random.Generator, place: str) -> str:
    return f"{choose(rng, ('It was ', ''))}{PLACES[place_index(place)].phrase}."


def _state_thing(rng: np.random.Generator, name: str, count: int, place: str) -> str:
    """Sample a sentence whose thing is what may be wrong."""
    noun = format_count_noun(name, count)
    return choose(
        rng,
        (
            f"Yes, there is {format_count_noun(name)}.",
            f"{capitalize(noun)} can be seen.",
            f"{capitalize(noun)} {'appears' if count == 1 else 'appear'}.",
            f"{capitalize(format_count_noun(name))} appears.",
            f"{capitalize(noun)} {'was' if count == 1 else 'were'} seen.",
            f"{capitalize(noun)} {'was' if count == 1 else 'were'} seen between them.",
            f"The {name} was seen first.",
            f"the {name}.",
            format_count_sentence(name, count),
            format_place_sentence(name, count, place),
        ),
    )


def _state_number(rng: np.random.Generator, name: str, count: int) -> str:
    """Sample a sentence whose number is what may be wrong."""
    if rng.random() < 0.6:
        return format_count_sentence(name, count)
    return (
        f"{capitalize(format_count_noun(name, count))} {choose(rng, ('can be', 'was' if count == 1 else 'were'))} seen."
    )


def _state_place(rng: np.random.Generator, item: EvidenceItem, name: str, count: int, place: str) -> str:
    """Sample a sentence or caption whose place is what may be wrong."""
    phrase, night = PLACES[place_index(place)].phrase, " at night" if item.first_frame.content.night else ""
    verb = "is" if count == 1 else "are"
    return choose(
        rng,
        (
            format_place_sentence(name, count, place),
            format_place_sentence(name, count, place),
            format_place_sentence(name, 1, place),
            f"{capitalize(format_count_noun(name, count))} {verb} {phrase}.",
            f"{capitalize(format_things(item.first_frame))} {choose_copula(item.first_frame)} {phrase}{night}.",
            f"{capitalize(format_things(item.first_frame))} {phrase}.",
            _state_past_place(rng, place),
        ),
    )
