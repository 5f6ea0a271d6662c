"""Scoring of answers about drawn-world videos: correctness, and whether the citations prove it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from demoworld.world.claims import NUMBER_WORDS
from demoworld.world.concepts import get_concept, load_concepts
from demoworld.world.places import PLACES, place_index
from demoworld.world.questions import Question, QuestionKind, Span
from demoworld.world.truth import EventTruth, VideoTruth
from services.answering.types import Answer
from services.summaries.types import Chapter, Statement, Summary

_MIN_IOU, _LONG_EVENT_S = 0.5, 10.0


@dataclass(frozen=True, slots=True)
class AnswerScore:
    """The score of one answer.

    `citation_precision` is the share of its citations that overlap the truth, None where none can be judged;
    `abstained` is whether it refuses; `evidence_suffices` is whether the evidence held the answer.
    """

    question: Question
    text: str
    right: bool
    abstained: bool
    citation_precision: float | None
    evidence_suffices: bool = True
    prompt_tokens: int = 0
    seconds: float = 0.0


def score_answer(question: Question, answer: Answer) -> AnswerScore:
    """Score an answer; a question about something absent is right where the answer abstains."""
    spans = [
        _citation_span(citation.evidence.result.segment)
        for sentence in answer.sentences
        for citation in sentence.citations
    ]
    if not question.spans:
        return AnswerScore(question, answer.text, answer.abstained, answer.abstained, None)
    right = not answer.abstained and _is_answer_right(question, answer.text, spans)
    hits = [any(start < end_s and end > start_s for start_s, end_s in question.spans) for start, end in spans]
    cited = sum(hits) / len(hits) if hits else None
    return AnswerScore(question, answer.text, right, answer.abstained, cited)


def score_summary(truth: VideoTruth, summary: Summary) -> tuple[float, float]:
    """Return the shares of long events told and of false statements of a summary.

    An event of ten seconds or more is told where a chapter of its time names it. A statement that names anything is
    false where what it names is not visible in its cited time.
    """
    long_events = [event for event in truth.events if event.end_s - event.start_s >= _LONG_EVENT_S]
    mentioned = [any(_mentions_event(chapter, event) for chapter in summary.chapters) for event in long_events]
    statements = [
        statement
        for chapter in summary.chapters
        for statement in chapter.statements
        if extract_concepts(statement.text)
    ]
    false = [not _is_statement_true(truth, statement) for statement in statements]
    return sum(mentioned) / max(1, len(mentioned)), sum(false) / max(1, len(false))


def _mentions_event(chapter: Chapter, event: EventTruth) -> bool:
    overlaps = chapter.start_s < event.end_s and chapter.end_s > event.start_s
    return overlaps and any(_locate_concept(statement.text, event.concept) >= 0 for statement in chapter.statements)


def _is_statement_true(truth: VideoTruth, statement: Statement) -> bool:
    during = [
        event for event in truth.events if event.start_s < statement.end_s + 1 and event.end_s > statement.start_s - 1
    ]
    places = [PLACES[place_index(event.place)].phrase for event in during]
    stated_places = [place.phrase for place in PLACES if place.phrase in statement.text]
    visible_names = {event.concept for event in during}
    return set(extract_concepts(statement.text)) <= visible_names and (
        not stated_places or any(phrase in places for phrase in stated_places)
    )


def interval_iou(spans: Sequence[Span], truth: Sequence[Span]) -> float:
    """Return the intersection over union of two sets of spans."""
    edges = sorted({edge for span in (*spans, *truth) for edge in span})
    intersection = union = 0.0
    for start, end in pairwise(edges):
        in_spans, in_truth = (any(s <= start and end <= e for s, e in intervals) for intervals in (spans, truth))
        intersection += (end - start) * (in_spans and in_truth)
        union += (end - start) * (in_spans or in_truth)
    return intersection / union if union else 0.0


def _is_answer_right(question: Question, text: str, spans: Sequence[Span]) -> bool:
    match question.kind:
        case QuestionKind.WHEN:
            return interval_iou(spans, question.spans) >= _MIN_IOU
        case QuestionKind.IS_THERE:
            return any(_locate_concept(text, name) >= 0 for name in extract_concepts(question.text))
        case QuestionKind.FIRST:
            places = {name: _locate_concept(text, name) for name in extract_concepts(question.text)}
            position = places.pop(question.answer)
            return position >= 0 and all(other < 0 or position < other for other in places.values())
        case QuestionKind.HOW_OFTEN:
            often = re.search(rf"\b({'|'.join(NUMBER_WORDS)}) times?\b", text)
            return often is not None and often[1] == question.answer
        case QuestionKind.HOW_MANY:
            return re.search(rf"\b{question.answer}\b", text, re.IGNORECASE) is not None
        case QuestionKind.CHANGED:
            before, after = question.answer.split(", then ")
            return 0 <= text.find(before) < text.rfind(after)
        case QuestionKind.PLACE | QuestionKind.SIGN:
            return question.answer.casefold() in text.casefold()
        case _:
            return _locate_concept(text, question.answer) >= 0


def _citation_span(segment: object) -> Span:
    start_s, end_s = getattr(segment, "start_s", None) or 0.0, getattr(segment, "end_s", None)
    return start_s, start_s if end_s is None else end_s


def extract_concepts(text: str) -> list[str]:
    """Return the concepts that a text names; of nested names the longest."""
    names = [known.name for known in load_concepts() if _locate_concept(text, known.name) >= 0]
    return [name for name in names if not any(name != other and name in other for other in names)]


def _locate_concept(text: str, name: str) -> int:
    """Return where a text names a concept, in singular or plural; -1 where it does not."""
    match = re.search(rf"\b(?:{re.escape(name)}|{re.escape(get_concept(name).plural)})\b", text, re.IGNORECASE)
    return match.start() if match else -1
