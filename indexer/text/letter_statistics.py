"""Letter statistics: whether a text can be the text of a language, or comes from a wrong character map.

Only what is known to be unlikely is called so: scripts without statistics here are always likely.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from math import sqrt

_LATIN_FREQUENCIES = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (92, 15, 28, 42, 125, 13, 18, 26, 78, 6, 19, 46, 29, 74, 66, 25, 4, 66, 62, 63, 39, 15, 9, 2, 10, 10),
        strict=True,
    )
)
"""Chosen: rounded mean of English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Finnish, Polish and
Turkish, in thousandths; one table for all of them tells a language from permuted letters."""
_MIN_LETTERS = 80
"""Chosen: fewer letters say nothing about their frequencies."""
_MIN_LATIN_LIKENESS = 0.8
"""Measured: cosine to the table in one article of the Declaration of Human Rights: 0.82 to 0.95 in 19 of 26 languages;
Swahili, Indonesian, Pinyin, Maori, Welsh and Tagalog have 0.65 to 0.8. With permuted letters the median is 0.53, and
99 % are below 0.78. A language that is called unlikely costs one comparison with the picture."""
_MIN_COMMON_SHARE = 0.85
"""Chosen: share of Han characters or Hangul syllables in the best national character set; running text has above 0.95,
characters drawn by chance below 0.65."""
_MAX_MIXED_WORDS = 0.3
"""Chosen: share of words whose letters are of several scripts; a language has almost none."""
_HAN_CODECS = ("gb2312", "shift_jis", "big5", "euc_kr")
_CODE_BYTES = 2  # Source: KS X 1001 has further syllables only composed, in eight
_HANGUL_CODEC = "euc_kr"


def is_unlikely(text: str) -> bool:
    """Return True if the letters of a text are those of no language; False where that cannot be told."""
    letters = [character for character in unicodedata.normalize("NFKD", text.casefold()) if character.isalpha()]
    latin = [letter for letter in letters if letter in _LATIN_FREQUENCIES]
    han = [letter for letter in text if script_of(letter) == "CJK"]
    hangul = [letter for letter in text if script_of(letter) == "HANGUL"]
    return (
        (len(latin) >= _MIN_LETTERS and _latin_likeness(latin) < _MIN_LATIN_LIKENESS)
        or (len(han) >= _MIN_LETTERS and max(_encodable_share(han, c) for c in _HAN_CODECS) < _MIN_COMMON_SHARE)
        or (len(hangul) >= _MIN_LETTERS and _encodable_share(hangul, _HANGUL_CODEC) < _MIN_COMMON_SHARE)
        or (len(letters) >= _MIN_LETTERS and _mixed_word_share(text) > _MAX_MIXED_WORDS)
    )


def script_of(character: str) -> str:
    """Return the script of a letter by the first word of its Unicode name (`LATIN`, `CJK`, …); empty for others."""
    if not character.isalpha():
        return ""
    if character.isascii():
        return "LATIN"
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def main_script(text: str) -> str:
    """Return the script of most letters of a text; empty where it has none."""
    scripts = Counter(script_of(character) for character in text if character.isalpha())
    return max(scripts, key=lambda script: scripts[script], default="")


def _latin_likeness(letters: list[str]) -> float:
    """Return the cosine between the frequencies of letters and the usual ones, in [0, 1]."""
    counts = Counter(letters)
    product = sum(counts[letter] * usual for letter, usual in _LATIN_FREQUENCIES.items())
    norms = sum(count**2 for count in counts.values()) * sum(usual**2 for usual in _LATIN_FREQUENCIES.values())
    return product / sqrt(norms)


def _encodable_share(characters: list[str], codec: str) -> float:
    """Return the share of characters that a national character set has, in two bytes."""
    return sum(len(character.encode(codec, "ignore")) == _CODE_BYTES for character in characters) / len(characters)


def _mixed_word_share(text: str) -> float:
    """Return the share of words of spaced scripts whose letters are of more than one script."""
    words = [{script_of(character) for character in word if character.isalpha()} for word in text.split()]
    spaced = [scripts for scripts in words if scripts and not scripts & {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", ""}]
    return sum(len(scripts) > 1 for scripts in spaced) / len(spaced) if spaced else 0.0
