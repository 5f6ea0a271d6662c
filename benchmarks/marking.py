"""Whether an answer about a video of the drawn world is right, and whether what it cites proves it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from demoworld.world.claims import NUMBERS
from demoworld.world.concepts import concept, concepts
from demoworld.world.places import PLACES, number_of_place
from demoworld.world.questions import Kind, Question, Span
from demoworld.world.truth import Happened, VideoTruth
from services.summarizing import Chapter, Statement, Summary
from services.types import Answer

_OVERLAP, _LONG_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class Mark:
    """One answer, marked. `cited` is the share of its citations that overlap the truth, None where there are none to
    judge; `refused` is whether it says that nothing is shown; `shown` is whether the evidence held the answer."""

    question: Question
    text: str
    right: bool
    refused: bool
    cited: float | None
    shown: bool = True
    tokens: int = 0
    seconds: float = 0.0


def marked(question: Question, answer: Answer) -> Mark:
    """Mark an answer. What asks for something absent is right where nothing is said."""
    spans = [_span(citation.evidence.result.segment) for one in answer.sentences for citation in one.citations]
    if not question.spans:
        return Mark(question, answer.text, answer.abstained, answer.abstained, None)
    right = not answer.abstained and _right(question, answer.text, spans)
    hits = [any(start < end_s and end > start_s for start_s, end_s in question.spans) for start, end in spans]
    cited = sum(hits) / len(hits) if hits else None
    return Mark(question, answer.text, right, answer.abstained, cited)


def told(truth: VideoTruth, summary: Summary) -> tuple[float, float]:
    """Of the events of ten seconds and more, the share that a chapter of their time names; of the statements that name
    anything, the share that is false: what they name is not seen, or not there, in the time that they cite."""
    long = [event for event in truth.events if event.end_s - event.start_s >= _LONG_S]
    found = [any(_tells(chapter, event) for chapter in summary.chapters) for event in long]
    said = [one for chapter in summary.chapters for one in chapter.statements if named(one.text)]
    false = [not _true(truth, one) for one in said]
    return sum(found) / max(1, len(found)), sum(false) / max(1, len(false))


def _tells(chapter: Chapter, event: Happened) -> bool:
    overlaps = chapter.start_s < event.end_s and chapter.end_s > event.start_s
    return overlaps and any(_place(one.text, event.concept) >= 0 for one in chapter.statements)


def _true(truth: VideoTruth, one: Statement) -> bool:
    during = [event for event in truth.events if event.start_s < one.end_s + 1 and event.end_s > one.start_s - 1]
    places = [PLACES[number_of_place(event.place)].phrase for event in during]
    said = [place.phrase for place in PLACES if place.phrase in one.text]
    seen = {event.concept for event in during}
    return set(named(one.text)) <= seen and (not said or any(phrase in places for phrase in said))


def overlap(spans: Sequence[Span], truth: Sequence[Span]) -> float:
    """Intersection over union of two sets of spans."""
    edges = sorted({edge for span in (*spans, *truth) for edge in span})
    both = either = 0.0
    for start, end in pairwise(edges):
        mine, theirs = (any(s <= start and end <= e for s, e in some) for some in (spans, truth))
        both += (end - start) * (mine and theirs)
        either += (end - start) * (mine or theirs)
    return both / either if either else 0.0


def _right(question: Question, text: str, spans: Sequence[Span]) -> bool:
    match question.kind:
        case Kind.WHEN:
            return overlap(spans, question.spans) >= _OVERLAP
        case Kind.IS_THERE:
            return any(_place(text, name) >= 0 for name in named(question.text))
        case Kind.FIRST:
            places = {name: _place(text, name) for name in named(question.text)}
            mine = places.pop(question.answer)
            return mine >= 0 and all(other < 0 or mine < other for other in places.values())
        case Kind.HOW_OFTEN:
            often = re.search(rf"\b({'|'.join(NUMBERS)}) times?\b", text)
            return often is not None and often[1] == question.answer
        case Kind.HOW_MANY:
            return re.search(rf"\b{question.answer}\b", text, re.IGNORECASE) is not None
        case Kind.CHANGED:
            before, after = question.answer.split(", then ")
            return 0 <= text.find(before) < text.rfind(after)
        case Kind.PLACE | Kind.SIGN:
            return question.answer.casefold() in text.casefold()
        case _:
            return _place(text, question.answer) >= 0


def _span(segment: object) -> Span:
    start_s, end_s = getattr(segment, "start_s", None) or 0.0, getattr(segment, "end_s", None)
    return start_s, start_s if end_s is None else end_s


def named(text: str) -> list[str]:
    """The concepts that a text names; of names within names the longest."""
    found = [known.name for known in concepts() if _place(text, known.name) >= 0]
    return [name for name in found if not any(name != other and name in other for other in found)]


def _place(text: str, name: str) -> int:
    """Where a text names a concept, in the singular or the plural; -1 where it does not."""
    found = re.search(rf"\b(?:{re.escape(name)}|{re.escape(concept(name).plural)})\b", text, re.IGNORECASE)
    return found.start() if found else -1
