"""Verify claims by rules: text against text, times and counts against spans, pictures by a visual verifier.

A quote must stand in the text. A sentence in other words is supported where the text has its content words, and
refuted where it has a number that the text has not. Times, order and counts follow from the cited spans. What a picture
shows is asked of a visual verifier, one picture and one sentence at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.answering.grounding import CachedVisualVerifier, VerdictThresholds
from services.answering.rules.claims import (
    find_reported_speech,
    has_unsupported_numbers,
    pages_match,
    split_sequence,
    timestamps_match,
    token_recall,
    word_overlap,
)
from services.answering.rules.temporal_attribution import (
    correct_occurrence_count,
    correct_timestamps,
    distinct_moments,
    parse_occurrence_count,
)
from services.answering.rules.timestamps import strip_timestamps
from services.answering.types import Verdict, Verification
from services.generators.ports import VisualVerifier
from services.generators.types import DraftSentence, Evidence, Quote

_NO_PICTURES: tuple[float, tuple[Evidence, ...]] = (0.0, ())


@dataclass(frozen=True, slots=True)
class ClaimSettings:
    """Numbers that decide a claim's verdict, besides the thresholds on entailment scores."""

    min_text_support: float = 0.9
    """Chosen: share of a sentence's words that its text must have; one function word in ten may differ."""
    max_candidates: int = 24
    """Chosen: pictures that an uncited sentence is held against at most; each costs a forward pass."""


class RuleClaimVerifier:
    """Attribute and verify claims by rules (`services.answering.ports.ClaimVerifier`).

    Without a `visual_verifier` what pictures show stays unclear.
    """

    def __init__(
        self,
        thresholds: VerdictThresholds,
        visual_verifier: VisualVerifier | None = None,
        settings: ClaimSettings | None = None,
    ) -> None:
        self._thresholds, self._settings = thresholds, settings or ClaimSettings()
        self._visual = None if visual_verifier is None else CachedVisualVerifier(visual_verifier, thresholds.unknown)

    def attribute(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> DraftSentence:
        """Return the draft with citations that exist, and with times and counts that follow from them.

        A draft without citations, or with pictures that do not show what it says, gets those that show it best, if any
        do. A draft that quotes text keeps its quotes.
        """
        by_id = {piece.id: piece for piece in evidence}
        draft = replace(draft, quotes=tuple(quote for quote in draft.quotes if quote.evidence_id in by_id))
        if any(quote.end > quote.start for quote in draft.quotes):
            return draft
        if self._visual is not None:
            draft = self._attribute_visually(draft, evidence, self._visual)
            scores = self._visual.entailment_scores
            draft = correct_occurrence_count(draft, evidence, scores, self._thresholds.supported)
        return correct_timestamps(draft, [by_id[quote.evidence_id] for quote in draft.quotes])

    def verify(self, draft: DraftSentence, evidence: Sequence[Evidence]) -> Verification:
        """Return the verdict on a sentence by what it cites; UNSUPPORTED where it cites nothing.

        The score of a quote that a reader found is the probability that it answers the question.
        """
        by_id = {piece.id: piece for piece in evidence}
        cited = [by_id[quote.evidence_id] for quote in draft.quotes if quote.evidence_id in by_id]
        if not cited:
            return Verification(Verdict.UNSUPPORTED, 0.0)
        quoted = [by_id[q.evidence_id].text[q.start : q.end] for q in draft.quotes if q.end > q.start]
        if quoted:
            verification = self._verify_quote(draft.text, " ".join(quoted))
            was_read = any(piece.result.answer_units for piece in cited)
            return replace(verification, score=min(verification.score, draft.score)) if was_read else verification
        if not timestamps_match(draft.text, cited) or not pages_match(draft.text, cited):
            return Verification(Verdict.UNSUPPORTED, 0.0)
        return self._verify_paraphrase(draft.text, cited)

    def _verify_quote(self, sentence: str, text: str) -> Verification:
        score = word_overlap(sentence, text)
        supported = score >= self._settings.min_text_support
        return Verification(Verdict.SUPPORTED if supported else Verdict.UNSUPPORTED, score)

    def _verify_paraphrase(self, sentence: str, cited: Sequence[Evidence]) -> Verification:
        """Verify a sentence that does not quote: by the text of its evidence first, then by its pictures."""
        text = " ".join(piece.text for piece in cited)
        pictures = [piece for piece in cited if piece.segment.picture]
        if text.strip():
            if reported := find_reported_speech(sentence):
                return self._verify_quote(reported, text)
            if (score := token_recall(sentence, text)) >= self._settings.min_text_support:
                return Verification(Verdict.SUPPORTED, score)
        if pictures and self._visual is not None:
            return self._thresholds.classify(self._score_pictures(strip_timestamps(sentence), pictures, self._visual))
        if pictures:
            return Verification(Verdict.UNCLEAR, 0.5, "what the picture shows: there is no visual verifier")
        if text.strip() and has_unsupported_numbers(sentence, text):
            return Verification(Verdict.UNSUPPORTED, 0.0)
        return Verification(Verdict.UNCLEAR, 0.5, "whether the text says so in other words")

    def _attribute_visually(
        self, draft: DraftSentence, evidence: Sequence[Evidence], visual: CachedVisualVerifier
    ) -> DraftSentence:
        """Cite the pictures that show the draft best, unless those that it cites do, or none does."""
        own = [piece for piece in evidence if Quote(piece.id) in draft.quotes]
        claim = strip_timestamps(draft.text)
        if any(piece.text.strip() for piece in own) or parse_occurrence_count(claim):
            return draft
        if own and _find_best_pictures(claim, own, visual)[0] >= self._thresholds.supported:
            return draft
        candidates = [piece for piece in evidence if piece.segment.picture and piece.visual_tokens is None]
        score, proof = _find_best_pictures(claim, candidates[: self._settings.max_candidates], visual)
        if score < self._thresholds.supported:
            return draft
        return replace(draft, quotes=tuple(Quote(piece.id) for piece in proof))

    def _score_pictures(self, sentence: str, cited: Sequence[Evidence], visual: CachedVisualVerifier) -> float:
        """Score a sentence against its cited pictures.

        Where it says how often something happens, every citation must show it, and they must be that many moments.
        """
        if occurrences := parse_occurrence_count(sentence):
            claim, count = occurrences
            return min(visual.entailment_scores(claim, cited)) if count == len(distinct_moments(cited)) else 0.0
        return _find_best_pictures(sentence, cited, visual)[0]


def _find_best_pictures(
    sentence: str, pictures: Sequence[Evidence], visual: CachedVisualVerifier
) -> tuple[float, tuple[Evidence, ...]]:
    """Return the picture that shows a sentence best, with its score.

    Of a sentence with two parts in order of time it is the best pair, the earlier picture for the first part and the
    later for the second; its score is the lower of the two.
    """
    parts = split_sequence(sentence)
    if parts is None or len(pictures) < 2:
        scores = visual.entailment_scores(sentence, pictures)
        singles = ((score, (piece,)) for score, piece in zip(scores, pictures, strict=True))
        return max(singles, key=lambda best: best[0], default=_NO_PICTURES)
    ordered = sorted(pictures, key=lambda piece: piece.span.start_s if piece.span else 0.0)
    earlier, later = (visual.entailment_scores(part, ordered) for part in parts)
    pairs = [
        (min(earlier_score, later_score), (ordered[place], piece))
        for place, earlier_score in enumerate(earlier)
        for later_score, piece in list(zip(later, ordered, strict=True))[place + 1 :]
    ]
    return max(pairs, key=lambda best: best[0])
