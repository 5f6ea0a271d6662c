"""Every sentence of an answer is held against what it cites before it leaves.

What is in a picture is asked of the generator itself, with one cited picture and one sentence at a time: the
probability of "yes". Times, order and how often something happens are not left to it: they follow from the spans of
the citations (`retelling.py`). What is quoted must stand in the text; what is put in other words is supported where
its telling words do, and refuted where a number of it does not. Sentences without a valid citation get the one that
shows them best, or none.
"""

from __future__ import annotations

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from indexer.text.tokenizer import tokenize
from services.answering.question_analysis import parse_timestamps, strip_timestamps
from services.answering.temporal_attribution import (
    TIMESTAMP_TOLERANCE_S,
    correct_occurrence_count,
    correct_timestamps,
    distinct_moments,
    parse_occurrence_count,
)
from services.answering.types import Verdict, Verification
from services.generators.ports import VisualVerifier
from services.generators.types import DraftSentence, Evidence, Quote

_WORD, _DIGITS = re.compile(r"\w+"), re.compile(r"\d+")
_NEGATION = re.compile(r"\b(?:no|not|never|none|nobody|nothing|without)\b|n't\b", re.IGNORECASE)
_REPORTED_SPEECH = re.compile(r"\b(?:says?|said|reads?|written)\b[:,]?\s*(.+)", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\bpages?\s+(\d+)", re.IGNORECASE)
_TEMPORAL_CONJUNCTION = re.compile(r",? (before|after|then) ", re.IGNORECASE)
_MAX_CANDIDATES = 24
_MAX_CACHED_SCORES = 4096
_MIN_TEXT_SUPPORT = 0.9
_NO_PICTURES: tuple[float, tuple[Evidence, ...]] = (0.0, ())


@dataclass(frozen=True, slots=True)
class VerdictThresholds:
    """A score of `supported` and more is a sentence that the evidence carries, one below `refuted` one that it does
    not; between them it is unclear. Errors: ValueError."""

    supported: float
    refuted: float

    def __post_init__(self) -> None:
        if not 0 <= self.refuted <= self.supported <= 1:
            raise ValueError(f"0 ≤ refuted ({self.refuted}) ≤ supported ({self.supported}) ≤ 1 does not hold")

    def classify(self, score: float) -> Verification:
        """The verdict on a score."""
        if score >= self.supported:
            return Verification(Verdict.SUPPORTED, score)
        return Verification(Verdict.UNSUPPORTED if score < self.refuted else Verdict.UNCLEAR, score)


class Grounding:
    """See `services.ports.Verifier`. Without a `checker` what is in pictures stays unclear."""

    def __init__(self, thresholds: VerdictThresholds, visual_verifier: VisualVerifier | None = None) -> None:
        self._thresholds, self._visual_verifier = thresholds, visual_verifier
        self._score_cache: OrderedDict[tuple[str, object], float] = OrderedDict()

    def attribute(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence:
        """The draft with the citations that exist; where there is none, or where they are pictures that do not show it,
        with those that show it best, if any do. Times are those of what it cites, and how often something happens is
        counted."""
        by_id = {one.id: one for one in evidence}
        draft = replace(draft, quotes=tuple(quote for quote in draft.quotes if quote.evidence_id in by_id))
        if any(quote.end > quote.start for quote in draft.quotes):
            return draft
        if self._visual_verifier is not None:
            draft = self._attribute_visually(draft, evidence)
            draft = correct_occurrence_count(
                draft, evidence, self._cached_entailment_scores, self._thresholds.supported
            )
        return correct_timestamps(draft, [by_id[quote.evidence_id] for quote in draft.quotes])

    def _attribute_visually(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence:
        """The draft with the pictures that show it best, unless those that it cites do, or none does."""
        own = [one for one in evidence if Quote(one.id) in draft.quotes]
        claim = strip_timestamps(draft.text)
        if any(one.result.segment.text.strip() for one in own) or parse_occurrence_count(claim):
            return draft
        if own and self._find_best_pictures(claim, own)[0] >= self._thresholds.supported:
            return draft
        candidates = [one for one in evidence if one.result.segment.picture and one.visual_tokens is None][
            :_MAX_CANDIDATES
        ]
        score, proof = self._find_best_pictures(claim, candidates)
        if score < self._thresholds.supported:
            return draft
        return replace(draft, quotes=tuple(Quote(one.id) for one in proof))

    def verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Verification:
        """The verdict on a sentence by what it cites; unsupported where it cites nothing."""
        by_id = {one.id: one for one in evidence}
        cited_evidence = [by_id[quote.evidence_id] for quote in draft.quotes if quote.evidence_id in by_id]
        if not cited_evidence:
            return Verification(Verdict.UNSUPPORTED, 0.0)
        quoted = [by_id[q.evidence_id].result.segment.text[q.start : q.end] for q in draft.quotes if q.end > q.start]
        if quoted:
            return self._verify_against_text(draft.text, " ".join(quoted))
        if not _timestamps_match(draft.text, cited_evidence) or not _pages_match(draft.text, cited_evidence):
            return Verification(Verdict.UNSUPPORTED, 0.0)
        text = " ".join(one.result.segment.text for one in cited_evidence)
        if text.strip() and (saying := _REPORTED_SPEECH.search(draft.text)):
            return self._verify_against_text(saying[1], text)
        if text.strip() and (score := _token_recall(draft.text, text)) >= _MIN_TEXT_SUPPORT:
            return Verification(Verdict.SUPPORTED, score)
        pictures = [one for one in cited_evidence if one.result.segment.picture]
        if self._visual_verifier is not None and pictures:
            return self._thresholds.classify(self._visual_support(strip_timestamps(draft.text), pictures))
        if text.strip() and not pictures and not _find_numbers(_PAGE.sub("", draft.text)) <= _find_numbers(text):
            return Verification(Verdict.UNSUPPORTED, 0.0)
        return Verification(Verdict.UNCLEAR, 0.5)

    def _verify_against_text(self, sentence: str, text: str) -> Verification:
        score = _word_overlap(sentence, text)
        return Verification(Verdict.SUPPORTED if score >= _MIN_TEXT_SUPPORT else Verdict.UNSUPPORTED, score)

    def _visual_support(self, sentence: str, cited_evidence: Sequence[Evidence]) -> float:
        """How surely the pictures show it. What happens so many times must be shown by every citation, and those must
        be so many moments."""
        if occurrences := parse_occurrence_count(sentence):
            claim, number = occurrences
            return (
                min(self._cached_entailment_scores(claim, cited_evidence))
                if number == len(distinct_moments(cited_evidence))
                else 0.0
            )
        return self._find_best_pictures(sentence, cited_evidence)[0]

    def _find_best_pictures(self, sentence: str, pictures: Sequence[Evidence]) -> tuple[float, tuple[Evidence, ...]]:
        """The picture that shows a sentence best, and how surely. Of a sentence in two parts each must be shown, in the
        order that it says: the best pair of which the earlier shows the one part and the later the other."""
        conjunction = _TEMPORAL_CONJUNCTION.search(sentence)
        if conjunction is None or len(pictures) < 2:
            scores = self._cached_entailment_scores(sentence, pictures)
            return max(
                zip(scores, ((one,) for one in pictures), strict=True), key=lambda best: best[0], default=_NO_PICTURES
            )
        first, second = sentence[: conjunction.start()], sentence[conjunction.end() :]
        if conjunction[1].casefold() == "after":
            first, second = second, first
        ordered = sorted(pictures, key=lambda one: one.result.segment.start_s or 0.0)
        earlier, later = self._cached_entailment_scores(first, ordered), self._cached_entailment_scores(second, ordered)
        pairs = [
            (min(a, b), (ordered[place], other))
            for place, a in enumerate(earlier)
            for b, other in list(zip(later, ordered, strict=True))[place + 1 :]
        ]
        return max(pairs, key=lambda best: best[0])

    def _cached_entailment_scores(self, sentence: str, evidence: Sequence[Evidence]) -> list[float]:
        """The probability of each, asked once."""
        assert self._visual_verifier is not None
        claim = sentence if sentence.endswith(".") else f"{sentence}."
        keys = [(claim, one.result.segment.picture) for one in evidence]
        missing = [one for one, key in zip(evidence, keys, strict=True) if key not in self._score_cache]
        for one, score in zip(
            missing, self._visual_verifier.entailment_scores(claim, missing) if missing else [], strict=True
        ):
            self._score_cache[(claim, one.result.segment.picture)] = score
        scores = [self._score_cache[key] for key in keys]
        while len(self._score_cache) > _MAX_CACHED_SCORES:
            self._score_cache.popitem(last=False)
        return scores


def _word_overlap(sentence: str, text: str) -> float:
    """The share of the words of `said` that stand, as often, in the text; case and punctuation aside."""
    remaining, words = _split_words(text), _split_words(sentence)
    matches = 0
    for word in words:
        if word in remaining:
            remaining.remove(word)
            matches += 1
    return matches / len(words) if words else 0.0


def _token_recall(sentence: str, text: str) -> float:
    """The share of a sentence's telling words, stemmed, that stand in the text: for what was put in other words. None
    do where it denies what the text does not."""
    telling, there = set(tokenize(sentence)), set(tokenize(text))
    if _NEGATION.search(sentence) and not _NEGATION.search(text):
        return 0.0
    return len(telling & there) / len(telling) if telling else 0.0


def _find_numbers(text: str) -> set[str]:
    return set(_DIGITS.findall(strip_timestamps(text)))


def _split_words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _timestamps_match(text: str, cited_evidence: Sequence[Evidence]) -> bool:
    """Whether every time in a sentence lies in what it cites; names of files may hold any. Pages and photos have no
    time, and prove none."""
    for one in cited_evidence:
        text = text.replace(one.result.asset.name, " ")
    spans = [(one.result.segment.start_s, one.result.segment.end_s) for one in cited_evidence]
    known = [(start, start if end is None else end) for start, end in spans if start is not None]
    return not known or all(
        any(start - TIMESTAMP_TOLERANCE_S <= time_s <= end + TIMESTAMP_TOLERANCE_S for start, end in known)
        for time_s in parse_timestamps(text)
    )


def _pages_match(text: str, cited_evidence: Sequence[Evidence]) -> bool:
    """Whether every page that a sentence names is one that it cites, or is named there; videos and photos have none."""
    pages = {str(one.result.segment.page) for one in cited_evidence if one.result.segment.page is not None}
    named = {page for one in cited_evidence for page in _PAGE.findall(one.result.segment.text)}
    return not pages or set(_PAGE.findall(text)) <= pages | named
