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

from indexer.indexes.words import tokens
from services.asking import times_in, without_times
from services.ports import Checker
from services.retelling import TOLERANCE_S, firsts, often, with_count, with_times
from services.types import Draft, Evidence, Judgement, Quote, Verdict

_WORD, _DIGITS = re.compile(r"\w+"), re.compile(r"\d+")
_DENIED = re.compile(r"\b(?:no|not|never|none|nobody|nothing|without)\b|n't\b", re.IGNORECASE)
_QUOTING = re.compile(r"\b(?:says?|said|reads?|written)\b[:,]?\s*(.+)", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\bpages?\s+(\d+)", re.IGNORECASE)
_JOINT = re.compile(r",? (before|after|then) ", re.IGNORECASE)
_MOST_CANDIDATES = 24
_MOST_KEPT = 4096
_CARRIED = 0.9
_NONE: tuple[float, tuple[Evidence, ...]] = (0.0, ())


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A score of `supported` and more is a sentence that the evidence carries, one below `refuted` one that it does
    not; between them it is unclear. Errors: ValueError."""

    supported: float
    refuted: float

    def __post_init__(self) -> None:
        if not 0 <= self.refuted <= self.supported <= 1:
            raise ValueError(f"0 ≤ refuted ({self.refuted}) ≤ supported ({self.supported}) ≤ 1 does not hold")

    def judgement(self, score: float) -> Judgement:
        """The verdict on a score."""
        if score >= self.supported:
            return Judgement(Verdict.SUPPORTED, score)
        return Judgement(Verdict.UNSUPPORTED if score < self.refuted else Verdict.UNCLEAR, score)


class Grounding:
    """See `services.ports.Verifier`. Without a `checker` what is in pictures stays unclear."""

    def __init__(self, thresholds: Thresholds, checker: Checker | None = None) -> None:
        self._thresholds, self._checker = thresholds, checker
        self._known: OrderedDict[tuple[str, object], float] = OrderedDict()

    def attributed(self, draft: Draft, evidence: Sequence[Evidence]) -> Draft:
        """The draft with the citations that exist; where there is none, or where they are pictures that do not show it,
        with those that show it best, if any do. Times are those of what it cites, and how often something happens is
        counted."""
        by_id = {one.id: one for one in evidence}
        draft = replace(draft, quotes=tuple(quote for quote in draft.quotes if quote.evidence_id in by_id))
        if any(quote.end > quote.start for quote in draft.quotes):
            return draft
        if self._checker is not None:
            draft = self._by_sight(draft, evidence)
            draft = with_count(draft, evidence, self._shows, self._thresholds.supported)
        return with_times(draft, [by_id[quote.evidence_id] for quote in draft.quotes])

    def _by_sight(self, draft: Draft, evidence: Sequence[Evidence]) -> Draft:
        """The draft with the pictures that show it best, unless those that it cites do, or none does."""
        own = [one for one in evidence if Quote(one.id) in draft.quotes]
        said = without_times(draft.text)
        if any(one.found.segment.text.strip() for one in own) or often(said):
            return draft
        if own and self._proof(said, own)[0] >= self._thresholds.supported:
            return draft
        candidates = [one for one in evidence if one.found.segment.picture and one.tokens is None][:_MOST_CANDIDATES]
        score, proof = self._proof(said, candidates)
        if score < self._thresholds.supported:
            return draft
        return replace(draft, quotes=tuple(Quote(one.id) for one in proof))

    def verify(self, draft: Draft, evidence: Sequence[Evidence]) -> Judgement:
        """The verdict on a sentence by what it cites; unsupported where it cites nothing."""
        by_id = {one.id: one for one in evidence}
        cited = [by_id[quote.evidence_id] for quote in draft.quotes if quote.evidence_id in by_id]
        if not cited:
            return Judgement(Verdict.UNSUPPORTED, 0.0)
        quoted = [by_id[q.evidence_id].found.segment.text[q.start : q.end] for q in draft.quotes if q.end > q.start]
        if quoted:
            return self._of_text(draft.text, " ".join(quoted))
        if not _times_hold(draft.text, cited) or not _pages_hold(draft.text, cited):
            return Judgement(Verdict.UNSUPPORTED, 0.0)
        text = " ".join(one.found.segment.text for one in cited)
        if text.strip() and (saying := _QUOTING.search(draft.text)):
            return self._of_text(saying[1], text)
        if text.strip() and (score := _told(draft.text, text)) >= _CARRIED:
            return Judgement(Verdict.SUPPORTED, score)
        pictures = [one for one in cited if one.found.segment.picture]
        if self._checker is not None and pictures:
            return self._thresholds.judgement(self._seen(without_times(draft.text), pictures))
        if text.strip() and not pictures and not _numbers(_PAGE.sub("", draft.text)) <= _numbers(text):
            return Judgement(Verdict.UNSUPPORTED, 0.0)
        return Judgement(Verdict.UNCLEAR, 0.5)

    def _of_text(self, said: str, text: str) -> Judgement:
        score = _carried(said, text)
        return Judgement(Verdict.SUPPORTED if score >= _CARRIED else Verdict.UNSUPPORTED, score)

    def _seen(self, said: str, cited: Sequence[Evidence]) -> float:
        """How surely the pictures show it. What happens so many times must be shown by every citation, and those must
        be so many moments."""
        if told := often(said):
            claim, number = told
            return min(self._shows(claim, cited)) if number == len(firsts(cited)) else 0.0
        return self._proof(said, cited)[0]

    def _proof(self, said: str, pictures: Sequence[Evidence]) -> tuple[float, tuple[Evidence, ...]]:
        """The picture that shows a sentence best, and how surely. Of a sentence in two parts each must be shown, in the
        order that it says: the best pair of which the earlier shows the one part and the later the other."""
        joint = _JOINT.search(said)
        if joint is None or len(pictures) < 2:
            scores = self._shows(said, pictures)
            return max(zip(scores, ((one,) for one in pictures), strict=True), key=lambda best: best[0], default=_NONE)
        first, second = said[: joint.start()], said[joint.end() :]
        if joint[1].casefold() == "after":
            first, second = second, first
        ordered = sorted(pictures, key=lambda one: one.found.segment.start_s or 0.0)
        earlier, later = self._shows(first, ordered), self._shows(second, ordered)
        pairs = [
            (min(a, b), (ordered[place], other))
            for place, a in enumerate(earlier)
            for b, other in list(zip(later, ordered, strict=True))[place + 1 :]
        ]
        return max(pairs, key=lambda best: best[0])

    def _shows(self, said: str, evidence: Sequence[Evidence]) -> list[float]:
        """The probability of each, asked once."""
        assert self._checker is not None
        claim = said if said.endswith(".") else f"{said}."
        keys = [(claim, one.found.segment.picture) for one in evidence]
        missing = [one for one, key in zip(evidence, keys, strict=True) if key not in self._known]
        for one, score in zip(missing, self._checker.shows(claim, missing) if missing else [], strict=True):
            self._known[(claim, one.found.segment.picture)] = score
        scores = [self._known[key] for key in keys]
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return scores


def _carried(said: str, text: str) -> float:
    """The share of the words of `said` that stand, as often, in the text; case and punctuation aside."""
    left, words = _words(text), _words(said)
    found = 0
    for word in words:
        if word in left:
            left.remove(word)
            found += 1
    return found / len(words) if words else 0.0


def _told(said: str, text: str) -> float:
    """The share of a sentence's telling words, stemmed, that stand in the text: for what was put in other words. None
    do where it denies what the text does not."""
    telling, there = set(tokens(said)), set(tokens(text))
    if _DENIED.search(said) and not _DENIED.search(text):
        return 0.0
    return len(telling & there) / len(telling) if telling else 0.0


def _numbers(text: str) -> set[str]:
    return set(_DIGITS.findall(without_times(text)))


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _times_hold(text: str, cited: Sequence[Evidence]) -> bool:
    """Whether every time in a sentence lies in what it cites; names of files may hold any. Pages and photos have no
    time, and prove none."""
    for one in cited:
        text = text.replace(one.found.asset.name, " ")
    spans = [(one.found.segment.start_s, one.found.segment.end_s) for one in cited]
    known = [(start, start if end is None else end) for start, end in spans if start is not None]
    return not known or all(
        any(start - TOLERANCE_S <= time_s <= end + TOLERANCE_S for start, end in known) for time_s in times_in(text)
    )


def _pages_hold(text: str, cited: Sequence[Evidence]) -> bool:
    """Whether every page that a sentence names is one that it cites, or is named there; videos and photos have none."""
    pages = {str(one.found.segment.page) for one in cited if one.found.segment.page is not None}
    named = {page for one in cited for page in _PAGE.findall(one.found.segment.text)}
    return not pages or set(_PAGE.findall(text)) <= pages | named
