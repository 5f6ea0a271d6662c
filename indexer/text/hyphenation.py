"""Hyphens at the ends of lines: a word that was divided there, or a compound that is written with a hyphen.

Where it cannot be told, the hyphen stays: the tokenizer indexes a compound also as one word, so that both are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set

_ENDS_WITH_HYPHEN = re.compile(r"(?P<word>[^\s\-\u2010\u00ad]+(?:[-\u2010][^\s\-\u2010\u00ad]+)*)[-\u2010\u00ad]$")
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010'’][^\W\d_]+)*")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_SOFT_HYPHEN = "\u00ad"

_SUSPENDED_BEFORE = frozenset({"und", "oder", "sowie", "bzw", "bis", "and", "or", "och", "eller", "og"})
"""Chosen: words after the hyphen of a left-out part, as in `Vor- und Nachteile`, `pre- and post-war`."""
_COMPOUND_STARTS = re.compile(
    "best|better|broad|cold|cost|cross|custom|decision|deep|double|early|east|eight|eighty|energy|evidence|far|fast|fifty"
    "|first|five|fixed|forty|four|free|full|future|general|good|half|hard|heavy|high|hot|ill|industry|large|last|late|left"
    "|long|loose|low|market|modern|never|new|nine|ninety|non|north|off|old|once|one|open|post|private|problem|public|quasi"
    "|quick|rapid|ready|real|record|right|risk|second|self|semi|seven|seventy|short|single|six|sixty|slow|small|soft|south"
    "|state|still|tax|third|thirty|three|top|twenty|two|user|value|very|well|west|white|wide|world|worst|year|zero"
    "|peut|celui|celle|ceux|celles"
)
"""Chosen: words that begin English and French compounds with a hyphen (`well-known`) more often than others."""
_COMPOUND_ENDS = re.compile("based|driven|oriented|conditioned|friendly|minded|shaped|sized|known|making|style")
"""Chosen: words that end English compounds with a hyphen (`air-conditioned`) and no divided word."""
_WORD_ENDINGS = re.compile(
    "s|es|ed|er|ers|est|ing|ings|ly|ness|less|ful|ment|ments|tion|tions|sion|ity|ous|ive|able|ible|al|ance|ence|ism|ist"
    "|ish|ary|ory|ship|hood|ward|wards|itude|ate|ated|ating|ator|ize|ized|ise|ised|ure|ant|ent|ern|age|en|dom|ware"
    "|teen|teenth|ty|ically|eous|th|ths|or|ors"
)
"""Chosen: what follows the hyphen of a divided word and is no word (`long-itude`, `self-ish`)."""


def join_at_hyphen(before: str, after: str, vocabulary: Set[str]) -> str | None:
    """Return what remains of the line `before` at the line end before `after`: with or without its hyphen, or a space.

    None where the line does not end with a hyphen after a letter or digit. `vocabulary` are the words of the page
    (`words_of`), which show how it writes a word elsewhere.
    """
    match = _ENDS_WITH_HYPHEN.search(before)
    if match is None or not match["word"][-1].isalnum() or not after[:1].isalnum():
        return None
    first = _FIRST_WORD.match(after)
    left, right = match["word"].casefold(), first[0].casefold() if first else ""
    if before[-1] == _SOFT_HYPHEN:
        return before[:-1]
    if right in _SUSPENDED_BEFORE:
        return before + " "
    return before[:-1] if after[:1].islower() and _is_divided(left, right, vocabulary) else before


def words_of(lines: Iterable[str]) -> frozenset[str]:
    """Return the words inside lines, folded, without the first and last of a line, which may be parts of words."""
    return frozenset(word[0].casefold() for line in lines for word in [*_WORD.finditer(line)][1:-1])


def _is_divided(left: str, right: str, vocabulary: Set[str]) -> bool:
    """Return True if two parts are one word that was divided at the end of a line."""
    if left + right in vocabulary:
        return True
    if f"{left}-{right}" in vocabulary or len(left) == 1 or not left[-1].isalpha() or "-" in left or "-" in right:
        return False
    if _COMPOUND_ENDS.fullmatch(right):
        return False
    return _COMPOUND_STARTS.fullmatch(left) is None or bool(_WORD_ENDINGS.fullmatch(right))
