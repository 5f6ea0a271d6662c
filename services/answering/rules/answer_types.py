"""Match answer types by rules: a number for "how many", a time for "when", money for "how much did it cost"."""

from __future__ import annotations

import re

_TIME = re.compile(
    r"\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day|\b(?:january|february|march|april|may|june|july|august|september"
    r"|october|november|december|spring|summer|autumn|winter|daily|noon|midnight|today|tomorrow)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:none|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred"
    r"|thousand|million|half|third|quarter|dozen|once|twice)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"[€$£¥]|\b(?:eur|usd|gbp|chf|euros?|dollars?|pounds?|francs?|cents?|free)\b|\d[.,]\d\d\b|\d[.,]\d{3}\b",
    re.IGNORECASE,
)
_ANSWER_TYPE_PATTERNS = tuple(
    (re.compile(asks, re.IGNORECASE), kind)
    for asks, kind in (
        (r"^(?:since |until |from |by )?when\b|\b(?:what|which) (?:date|days?|time|year)\b", _TIME),
        (r"\bhow (?:many|much|long|old|high|tall|heavy|far|fast|large|big|wide|deep|often)\b", _NUMBER),
        (
            r"\bhow much\b.*\b(?:pay|paid|costs?|spen[dt]|charged?|earn|sold|euros?|dollars?)\b|\b(?:price|fare|fee)\b",
            _MONEY,
        ),
        (r"\b(?:cost|number|amount|rate|sum|total|speed|length|weight|size|phone)\b", _NUMBER),
    )
)


class EnglishAnswerTypes:
    """Answer types of English questions (`services.generators.ports.AnswerTypeMatcher`); any text matches others."""

    def matches(self, question: str, text: str) -> bool:
        """Tell whether a text holds the type of thing that a question asks for."""
        return matches_answer_type(question, text)


def matches_answer_type(question: str, text: str) -> bool:
    """Return False where an English question asks for a number, a time or a sum, and the text holds none."""
    return all(kind.search(text) for asks, kind in _ANSWER_TYPE_PATTERNS if asks.search(question))
