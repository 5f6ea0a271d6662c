"""Contextualize follow-up questions by rules: one that points back is searched for together with those before it.

A question points back where it has an anaphoric word ("And where is it sold?"), begins with a conjunction, or names
hardly anything itself. Words that mean something else as often, such as German "das" and French "il", do not count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from indexer.text.tokenizer import tokenize_query

_ANAPHORIC_WORD = re.compile(
    r"\b(?:he|her|here|him|his|its?|she|that|their|them|there|these|they|this|those"
    r"|er|ihm|ihn|dafür|damit|danach|daran|darauf|darin|davon|dazu|dort"
    r"|elles?|ils|celui-ci|celle-ci|cela|ça"
    r"|él|ella|ellas|ellos|allí|ahí|eso"
    r"|он|она|оно|они|его|её|ее|ему|ей|их|им|там|этого|этом"
    r"|그것\w*|그건|그거\w*|그게|그걸|그곳\w*|거기\w*|그때\w*|그분\w*)\b"
    r"|それ|そこ|その|[它她]|(?<![其吉])他[们們的是在]|那[个個里裡]|这[个里]|這[個裡]",
    re.IGNORECASE,
)
_LEADING_CONJUNCTION = re.compile(
    r"^\W*(?:(?:also|and|but|else|or|so|then|und|oder|aber|et|ou|mais|y|o|pero|а|и|но|или|그리고|그럼|그러면|그런데)\b"
    r"|では|じゃあ|那么|那麼|还有|還有)",
    re.IGNORECASE,
)
_MIN_CONTENT_WORDS = 2
"""Chosen: a question of one content word ("Where?", "And in 2019?") names too little to be searched for alone."""
_MAX_TURNS = 4
"""Chosen: the last question and three before it; older ones are rarely what a question points back to."""


def contextualize_query(questions: Sequence[str], max_chars: int) -> list[str]:
    """Return the queries to try for the last of some questions (oldest first), first choice first.

    A question that stands alone is the only query. One that depends on its context is tried together with the
    questions before it, up to one that stands alone, and then alone. A query has at most `max_chars` characters, unless
    the last question has more.
    """
    *_, last = questions
    together = [last]
    for question in reversed(questions[-_MAX_TURNS:-1]):
        if not _depends_on_context(together[0]) or len(" ".join([question, *together])) > max_chars:
            break
        together.insert(0, question)
    return [last] if len(together) == 1 else [" ".join(together), last]


def _depends_on_context(question: str) -> bool:
    points_back = _ANAPHORIC_WORD.search(question) or _LEADING_CONJUNCTION.match(question)
    return bool(points_back) or len(set(tokenize_query(question))) < _MIN_CONTENT_WORDS
