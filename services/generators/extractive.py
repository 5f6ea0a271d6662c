"""Extractive question answering: the answer is quoted from the evidence, without a language model.

Of the units of the evidence that a reader judged (`services/reading`), the likeliest is quoted, and others that are
nearly as likely. Where only pictures were retrieved, the answer says where they are. A description is made of the
sentences that are most like all others; so is an answer from texts that nobody judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from indexer.ports import SentenceEncoder
from indexer.text.list_markers import has_list_marker, has_prompt, leads_in
from indexer.text.sentences import split_sentences
from services.generators.location_templates import describe_location
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.types import AnswerUnit

_MIN_RELATIVE_ODDS = 0.35
"""Chosen: of units that a reader judged, those are quoted beside the best that are a third as likely or more."""
_MIN_SENTENCE_WORDS = 3
"""Chosen: shorter sentences are headings and labels, which make sense only with their neighbour."""
_MAX_QUOTE_CHARS = 300
"""Chosen: a longer list behind what leads in would be a paragraph rather than an answer."""
_MAX_ANSWER_WORDS = 60
"""Chosen: words of an answer from texts that nobody judged, those of three long sentences."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Characters `[start, end)` of a piece of evidence, and the probability that they answer."""

    evidence: Evidence
    start: int
    end: int
    score: float = 0.0

    @property
    def text(self) -> str:
        """Text of the candidate on one line."""
        return " ".join(self.evidence.text[self.start : self.end].split())

    @property
    def quote(self) -> Quote:
        """Reference to the characters of the candidate."""
        return Quote(self.evidence.id, self.start, self.end)

    def overlaps_with(self, other: _Candidate) -> bool:
        """Return True if the two share characters of the same evidence, or the other's text contains this one's."""
        overlaps = self.evidence is other.evidence and self.start < other.end and other.start < self.end
        return overlaps or self.text.casefold() in other.text.casefold()


class ExtractiveGenerator:
    """`services.generators.ports.Generator` that quotes at most `max_sentences` sentences of the evidence.

    `text_encoder` returns the sentence encoder that tells which sentences are central, or None: then the first are.
    """

    model_id = "extractive"

    def __init__(self, text_encoder: Callable[[], SentenceEncoder | None], max_sentences: int) -> None:
        self._text_encoder, self._max_sentences = text_encoder, max_sentences

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Yield the likeliest unit and those nearly as likely; the location of the first picture if there is no text.

        Texts whose units were not judged are described.
        """
        candidates = sorted(self._read_candidates(evidence), key=lambda candidate: -candidate.score)
        if candidates:
            yield from self._quote(candidates)
        elif any(piece.text for piece in evidence):
            yield from self.describe(evidence, _MAX_ANSWER_WORDS)
        else:
            for piece in evidence[:1]:
                yield DraftSentence(describe_location(question, piece.result), (Quote(piece.id),), piece.result.score)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield the most central sentences in the order of the evidence; none for pictures without text."""
        sentences = [
            _Candidate(piece, *span)
            for piece in evidence
            for span in _merge_short_sentences(piece.text, _MIN_SENTENCE_WORDS)
        ]
        centralities = self._centralities([sentence.text for sentence in sentences])
        ranked = sorted(range(len(sentences)), key=centralities.__getitem__, reverse=True)
        selection: list[int] = []
        for number in ranked[: self._max_sentences]:
            sentence = sentences[number]
            word_count = len(sentence.text.split())
            if word_count <= max_words and not any(sentence.overlaps_with(sentences[other]) for other in selection):
                selection.append(number)
                max_words -= word_count
        for number in sorted(selection):
            sentence = sentences[number]
            yield DraftSentence(sentence.text, (sentence.quote,), sentence.evidence.result.score)

    def _quote(self, candidates: Sequence[_Candidate]) -> Iterator[DraftSentence]:
        """Yield the first candidate, and those nearly as likely that say something else."""
        odds = _MIN_RELATIVE_ODDS * candidates[0].score
        min_score = odds / (odds + 1 - candidates[0].score)
        selection: list[_Candidate] = []
        for candidate in candidates:
            if candidate.score < min_score or len(selection) == self._max_sentences:
                return
            if not any(candidate.overlaps_with(other) for other in selection):
                selection.append(candidate)
                yield DraftSentence(candidate.text, (candidate.quote,), candidate.score)

    def _read_candidates(self, evidence: Sequence[Evidence]) -> list[_Candidate]:
        """Return the units that a reader judged, with their probabilities.

        A bare label is quoted with the value behind it, a bare value with the label before it, and what leads in with
        the list or command that follows.
        """
        candidates = []
        for piece in evidence:
            units = piece.result.answer_units
            for before, unit, after in zip((None, *units), units, (*units[1:], None), strict=False):
                text = piece.text[unit.start : unit.end]
                start, end = unit.start, self._find_end(piece.text, unit, units)
                if len(text.split()) < _MIN_SENTENCE_WORDS:
                    if after is not None and _is_label(text):
                        end = after.end
                    elif before is not None:
                        start = before.start
                candidates.append(_Candidate(piece, start, end, unit.probability))
        return candidates

    def _find_end(self, text: str, unit: AnswerUnit, units: Sequence[AnswerUnit]) -> int:
        """Return where the quote of a unit ends: behind what it leads in, or the command that it tells of."""
        end = unit.end
        is_lead = leads_in(text[unit.start : unit.end])
        for following in (other for other in units if other.start >= unit.end):
            continued = text[following.start : following.end]
            is_first = is_lead and end == unit.end
            belongs = has_prompt(continued) or (is_lead and has_list_marker(continued)) or is_first
            if not belongs or following.end - unit.start > _MAX_QUOTE_CHARS:
                break
            end = following.end
        return end

    def _centralities(self, texts: Sequence[str]) -> list[float]:
        """Return each text's similarity to the mean of all; without an encoder earlier texts are more central."""
        encoder = self._text_encoder()
        if encoder is None or not texts:
            return [-float(number) for number in range(len(texts))]
        vectors = encoder.encode(list(texts))
        return [float(similarity) for similarity in vectors @ vectors.mean(0)]


def _is_label(text: str) -> bool:
    """Return True for a text like `Invoice no.` or `Total:`, whose value follows."""
    return text.rstrip().endswith((":", ".", "：")) and not any(character.isdigit() for character in text)


def _merge_short_sentences(text: str, min_words: int) -> list[tuple[int, int]]:
    """Return the spans of the sentences; a short one is joined to the next one, the last one to the one before."""
    spans: list[tuple[int, int]] = []
    pending_start: int | None = None
    for start, end in split_sentences(text):
        pending_start = start if pending_start is None else pending_start
        if len(text[pending_start:end].split()) >= min_words:
            spans.append((pending_start, end))
            pending_start = None
    if pending_start is not None:
        start = spans.pop()[0] if spans else pending_start
        spans.append((start, len(text.rstrip())))
    return spans
