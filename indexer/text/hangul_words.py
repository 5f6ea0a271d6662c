"""Korean words at the end of a line, which is broken between any two syllables, without a hyphen."""

from __future__ import annotations

import re
from collections.abc import Set

_LAST_WORD = re.compile(r"[가-힣]+$")
_FIRST_WORD = re.compile(r"[가-힣]+")
_PARTICLES = re.compile(
    "을|를|은|는|의|에|에서|에게|으로|로|와|과|까지|부터|처럼|보다|께서|라고|라는|이라는|다|니다|습니다|요|한다|된다|이다|하다|되다|했다|였다|하는|되는|하여|하고|되어"
)
"""Source: particles and endings of the standard grammar that are written together with the word before them."""


def is_divided_word(before: str, after: str, vocabulary: Set[str]) -> bool:
    """Return True if a line end before `after` divides a Korean word.

    What follows is a particle or ending by itself, or the page (`words_of`) has a word that begins with the two parts
    and none that is the first alone.
    """
    left, right = _LAST_WORD.search(before), _FIRST_WORD.match(after)
    if left is None or right is None:
        return False
    if _PARTICLES.fullmatch(right[0]):
        return True
    start = left[0] + right[0][:1]
    return left[0] not in vocabulary and any(word.startswith(start) for word in vocabulary)
