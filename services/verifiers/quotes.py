"""`QuoteVerifier`: a sentence is carried when its words stand in what it quotes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from services.types import Draft, Evidence, Judgement, Verdict

_SUPPORTED = 0.9
_WORD = re.compile(r"\w+")


class QuoteVerifier:
    """Compares words, case and punctuation aside: the score is the share of the sentence's words that stand, as often,
    in the quoted text. 0.9 and more is supported; a sentence that quotes no text cannot be judged here (unclear)."""

    def verify(self, draft: Draft, evidence: Sequence[Evidence]) -> Judgement:
        by_id = {one.id: one for one in evidence}
        quotes = [by_id[q.evidence_id].found.segment.text[q.start : q.end] for q in draft.quotes if q.end > q.start]
        if not draft.quotes:
            return Judgement(Verdict.UNSUPPORTED, 0.0)
        if not quotes:
            return Judgement(Verdict.UNCLEAR, 0.5)
        score = _carried(_words(draft.text), _words(" ".join(quotes)))
        return Judgement(Verdict.SUPPORTED if score >= _SUPPORTED else Verdict.UNSUPPORTED, score)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _carried(sentence: list[str], quoted: list[str]) -> float:
    left = list(quoted)
    carried = 0
    for word in sentence:
        if word in left:
            left.remove(word)
            carried += 1
    return carried / len(sentence) if sentence else 0.0
