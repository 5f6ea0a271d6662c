"""Where sentences end, and how long a text is: English and other Latin scripts, Chinese, Japanese, Korean."""

from __future__ import annotations

import re
from collections.abc import Iterator

_UNSPACED_SCRIPTS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Scripts written without spaces: kana and Han."""

_WORD = re.compile(rf"[{_UNSPACED_SCRIPTS}]{{1,2}}|[^\s{_UNSPACED_SCRIPTS}]+")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED_SCRIPTS}\u3000-\u303f\uff00-\uff65]")

_CLOSING_QUOTES = r"[\"'”’»)\]]*"
_SENTENCE_END = re.compile(
    rf"(?P<wide>[。！？｡．]+[」』”’）)]*)|(?P<latin>[.!?…؟।۔]+{_CLOSING_QUOTES})(?=\s|$|[{_UNSPACED_SCRIPTS}])|(?P<line>\n)"
)
_NEXT_WORD = re.compile(r"[\s\"'“‘«„(\[]*(\S{0,40})")
_MAX_WORD_CHARS = 40
_LAST_WORD = re.compile(r"[^\s(\[\"“„«]*$")

_ABBREVIATION = re.compile(
    r"dr|mr|mrs|ms|prof|st|sr|sra|jr|hr|fr|mme|mlle|mgr|rev|gen|col|capt|lt|sgt|hon|pres|gov|sen|rep|messrs|vs|cf|viz|ca|"
    r"approx|dept|est|incl|resp|bzw|ggf|bspw|evtl|inkl|sog|vgl|ing|dipl|tel|ext"
)
"""Words whose full stop does not end a sentence,"""
_NUMBER_ABBREVIATION = re.compile(
    r"no|nos|nr|nrs|num|figs?|pp?|vols?|art|abs|sect?|ch|chap|eqs?|tab|par|item|ver|v",
)
"""and those of which that is true before a number or a code, as in "Serial no. LJ-20318"."""
_DIGIT = re.compile(r"\d")
_AFTER_ORDINAL = re.compile(
    r"\s+(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w*\b|\s+(?:jahrhundert|kapitel|stock)",
    re.IGNORECASE,
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Spans `(start, end)` of the sentences, in order and without the space around them.

    A sentence ends at a full stop, question or exclamation mark followed by a space, at their full-width kin, and at a
    line break; not after abbreviations, initials and numbers of a list, nor where a small letter follows. Together the
    spans hold every character that is no space.
    """
    spans = []
    start = 0
    for end in [*_find_ends(text), len(text)]:
        piece = text[start:end]
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, first + len(piece.strip())))
        start = end
    return spans


def split_words(text: str) -> list[tuple[int, int]]:
    """Spans of the words; of scripts without spaces, two characters count as one."""
    return [match.span() for match in _WORD.finditer(text)]


def joins_without_space(left: str, right: str) -> bool:
    """Whether a line that ends with `left` and one that begins with `right` are written on without a space."""
    return bool(_UNSPACED_CHARACTER.match(left[-1:]) and _UNSPACED_CHARACTER.match(right[:1]))


def _find_ends(text: str) -> Iterator[int]:
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match["latin"] and not _is_sentence_end(text, start, match):
            continue
        yield match.end()
        start = match.end()


def _is_sentence_end(text: str, start: int, mark: re.Match[str]) -> bool:
    following = _NEXT_WORD.match(text, mark.end())
    next_word = following.group(1) if following else ""
    if next_word[:1].islower():
        return False
    if mark["latin"][0] != "." or mark["latin"].startswith(".."):
        return True
    before = _LAST_WORD.search(text, max(start, mark.start() - _MAX_WORD_CHARS), mark.start())
    word = before.group() if before else ""
    if word.isdigit() and len(word) <= 2:
        is_list_number = not text[start : mark.start() - len(word)].strip(" ([\n\t")
        return not is_list_number and not _AFTER_ORDINAL.match(text, mark.end())
    return not _is_abbreviation(word, next_word)


def _is_abbreviation(word: str, next_word: str) -> bool:
    bare = word.lower().rstrip(".")
    if bare in ("a.m", "p.m"):
        return False
    if _ABBREVIATION.fullmatch(bare) or (_NUMBER_ABBREVIATION.fullmatch(bare) and _DIGIT.search(next_word)):
        return True
    letters = bare.split(".")
    return bare != "i" and all(len(letter) == 1 and letter.isalpha() for letter in letters)
