"""Extractive question answering: the answer is quoted from the evidence, without a language model.

Where a reader judged the units of the evidence (`services/reading`), the likeliest is quoted, and others that are
nearly as likely. Without a reader, the evidence is cut into sentences and pairs of neighbouring sentences. Each is
scored by a weighted sum of its similarity to the question (sentence embedding), its share of the question's words (rare
ones count more) and the retrieval score of its passage, scaled down if it lacks the type of answer that is asked for.
Where only pictures were retrieved, the answer says where they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from indexer.ports import SentenceEncoder
from indexer.text.list_markers import has_list_marker, has_prompt, leads_in
from indexer.text.sentences import split_sentences
from indexer.text.tokenizer import tokenize, tokenize_query
from services.generators.location_templates import describe_location
from services.generators.ports import AnswerTypeMatcher
from services.generators.types import DraftSentence, Evidence, Quote
from services.search.types import AnswerUnit


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """Weights and thresholds of extractive answering."""

    semantic_weight: float = 0.6
    """Chosen: meaning leads, as a question seldom has the words of its answer; the three weights add up to 1."""
    lexical_weight: float = 0.3
    """Chosen: names and numbers, which embeddings blur, still decide between sentences of similar meaning."""
    retrieval_weight: float = 0.1
    """Chosen: the passage's own score only breaks ties, since it was computed for the whole passage."""
    pair_penalty: float = 0.03
    """Chosen: a pair is quoted only where its second sentence adds something; a higher penalty splits answers."""
    wrong_type_factor: float = 0.6
    """Chosen: a sentence without the number, time or amount asked for loses to any comparable one that has it."""
    min_relative_score: float = 0.9
    """Chosen: further sentences are quoted down to this share of the best score; lower adds noise to short answers."""
    min_relative_odds: float = 0.35
    """Chosen: of units that a reader judged, those are quoted beside the best that are a third as likely or more."""
    min_sentence_words: int = 3
    """Chosen: shorter sentences are headings and labels, which make sense only with their neighbour."""
    max_pair_chars: int = 300
    """Chosen: a longer pair would be a paragraph rather than an answer; so would be a longer list."""


DEFAULT_SETTINGS = ExtractionSettings()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Characters `[start, end)` of a piece of evidence: a sentence, or two neighbouring ones."""

    evidence: Evidence
    start: int
    end: int
    is_pair: bool
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

    `text_encoder` returns the sentence encoder, or None to compare words alone. `answer_types` knows which type of
    answer a question expects.
    """

    model_id = "extractive"

    def __init__(
        self,
        text_encoder: Callable[[], SentenceEncoder | None],
        max_sentences: int,
        answer_types: AnswerTypeMatcher,
        settings: ExtractionSettings = DEFAULT_SETTINGS,
    ) -> None:
        self._text_encoder, self._max_sentences = text_encoder, max_sentences
        self._answer_types, self._settings = answer_types, settings

    def answer(self, question: str, evidence: Sequence[Evidence]) -> Iterator[DraftSentence]:
        """Yield the best candidate and those nearly as good; the location of the first picture if there is no text."""
        candidates = self._rank_candidates(question, evidence)
        if not candidates:
            for piece in evidence[:1]:
                yield DraftSentence(describe_location(question, piece.result), (Quote(piece.id),), piece.result.score)
            return
        min_score = self._find_min_score(candidates[0])
        selection: list[_Candidate] = []
        for candidate in candidates:
            if candidate.score < min_score or len(selection) == self._max_sentences:
                return
            if not any(candidate.overlaps_with(other) for other in selection):
                selection.append(candidate)
                yield DraftSentence(candidate.text, (candidate.quote,), candidate.score)

    def describe(self, evidence: Sequence[Evidence], max_words: int) -> Iterator[DraftSentence]:
        """Yield the most central sentences in the order of the evidence; none for pictures without text."""
        sentences = [candidate for candidate in self._candidates(evidence) if not candidate.is_pair]
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

    def _find_min_score(self, best: _Candidate) -> float:
        """Return the score down to which other candidates are quoted beside the best one."""
        if not best.evidence.result.answer_units:
            return self._settings.min_relative_score * best.score
        odds = self._settings.min_relative_odds * best.score
        return odds / (odds + 1 - best.score)

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
                if len(text.split()) < self._settings.min_sentence_words:
                    if after is not None and _is_label(text):
                        end = after.end
                    elif before is not None:
                        start = before.start
                candidates.append(_Candidate(piece, start, end, is_pair=False, score=unit.probability))
        return candidates

    def _find_end(self, text: str, unit: AnswerUnit, units: Sequence[AnswerUnit]) -> int:
        """Return where the quote of a unit ends: behind what it leads in, or the command that it tells of."""
        end = unit.end
        is_lead = leads_in(text[unit.start : unit.end])
        for following in (other for other in units if other.start >= unit.end):
            continued = text[following.start : following.end]
            is_first = is_lead and end == unit.end
            belongs = has_prompt(continued) or (is_lead and has_list_marker(continued)) or is_first
            if not belongs or following.end - unit.start > self._settings.max_pair_chars:
                break
            end = following.end
        return end

    def _candidates(self, evidence: Sequence[Evidence]) -> list[_Candidate]:
        """Return every sentence and pair of sentences of the evidence, not yet scored."""
        settings = self._settings
        return [_Candidate(piece, *span) for piece in evidence for span in _quotable_spans(piece.text, settings)]

    def _centralities(self, texts: Sequence[str]) -> list[float]:
        """Return each text's similarity to the mean of all; without an encoder earlier texts are more central."""
        encoder = self._text_encoder()
        if encoder is None or not texts:
            return [-float(number) for number in range(len(texts))]
        vectors = encoder.encode(list(texts))
        return [float(similarity) for similarity in vectors @ vectors.mean(0)]

    def _rank_candidates(self, question: str, evidence: Sequence[Evidence]) -> list[_Candidate]:
        """Return all candidates with their scores, the best first."""
        if read := self._read_candidates(evidence):
            return sorted(read, key=lambda candidate: -candidate.score)
        candidates = self._candidates(evidence)
        if not candidates:
            return []
        texts = [candidate.text for candidate in candidates]
        similarities, overlaps = self._semantic_similarities(question, texts), _lexical_overlaps(question, texts)
        scored = [
            replace(candidate, score=self._score(question, candidate, similarity, overlap))
            for candidate, similarity, overlap in zip(candidates, similarities, overlaps, strict=True)
        ]
        return sorted(scored, key=lambda candidate: -candidate.score)

    def _score(self, question: str, candidate: _Candidate, similarity: float, overlap: float) -> float:
        """Return the weighted sum of a candidate's features, scaled down for a wrong answer type."""
        settings = self._settings
        score = (
            settings.semantic_weight * similarity
            + settings.lexical_weight * overlap
            + settings.retrieval_weight * candidate.evidence.result.score
            - settings.pair_penalty * candidate.is_pair
        )
        matches = self._answer_types.matches(question, candidate.text)
        return score * (1.0 if matches else settings.wrong_type_factor)

    def _semantic_similarities(self, question: str, texts: Sequence[str]) -> list[float]:
        """Return each text's cosine similarity to the question, in [0, 1]; zeros without an encoder."""
        encoder = self._text_encoder()
        if encoder is None:
            return [0.0] * len(texts)
        similarities = encoder.encode(list(texts)) @ encoder.encode_queries([question])[0]
        return [float(similarity) for similarity in np.clip(similarities, 0.0, 1.0)]


def _is_label(text: str) -> bool:
    """Return True for a text like `Invoice no.` or `Total:`, whose value follows."""
    return text.rstrip().endswith((":", ".", "：")) and not any(character.isdigit() for character in text)


def _quotable_spans(text: str, settings: ExtractionSettings) -> Iterator[tuple[int, int, bool]]:
    """Yield start and end of each sentence (False) and of each pair of neighbouring sentences (True)."""
    spans = _merge_short_sentences(text, settings.min_sentence_words)
    yield from ((start, end, False) for start, end in spans)
    for (start, _), (_, end) in pairwise(spans):
        if end - start <= settings.max_pair_chars:
            yield start, end, True


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


def _lexical_overlaps(question: str, texts: Sequence[str]) -> list[float]:
    """Return for each text the share of the question's words that it holds, weighted by inverse document frequency."""
    question_words = set(tokenize(" ".join(tokenize_query(question))))
    shared_words = [question_words & set(tokenize(text)) for text in texts]
    counts = Counter(word for words in shared_words for word in words)
    weights = {word: math.log(1 + len(texts) / (1 + counts[word])) for word in question_words}
    total = sum(weights.values())
    return [sum(weights[word] for word in words) / total if total else 0.0 for words in shared_words]
