"""Sentence and word segmentation by rules, with character spans: Latin scripts, Chinese, Japanese, Korean."""

from __future__ import annotations

import re
from collections.abc import Iterator

_UNSPACED_SCRIPTS = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
"""Character ranges of scripts written without spaces: kana and Han."""

_WORD = re.compile(rf"[{_UNSPACED_SCRIPTS}]{{1,2}}|[^\s{_UNSPACED_SCRIPTS}]+")
_UNSPACED_CHARACTER = re.compile(rf"[{_UNSPACED_SCRIPTS}\u3000-\u303f\uff00-\uff65]")

_CLOSING_QUOTES = r"[\"'”’»)\]]*(?:[ \u00a0\u202f]»)?"
_SENTENCE_END = re.compile(
    rf"(?P<wide>(?:[。！？｡]|．(?!\d))+[」』”’）)]*)|(?P<latin>[.!?…؟।۔]+{_CLOSING_QUOTES})(?=\s|$|[{_UNSPACED_SCRIPTS}])|(?P<line>\n)"
)
_NEXT_WORD = re.compile(r"[\s\"'“‘«„(\[]*(\S{0,40})")
_MAX_WORD_CHARS = 40
"""Chosen: characters before a full stop that are searched for an abbreviation; bounds the time, no abbreviation is as
long."""
_MAX_ORDINAL_DIGITS = 2
"""Chosen: a number of at most this many digits before a full stop may be an ordinal or a list number, not a year."""
_LAST_WORD = re.compile(r"[^\s(\[\"“„«]*$")

_ABBREVIATION = re.compile(
    r"dr|mr|mrs|ms|prof|st|mt|sr|sra|jr|hr|fr|mme|mlle|mgr|rev|gen|col|capt|lt|sgt|hon|pres|gov|sen|rep|messrs|vs|cf|viz|ca|"
    r"approx|dept|est|incl|resp|bzw|ggf|bspw|evtl|inkl|sog|vgl|ing|dipl|tel|ext"
)
"""Words whose full stop does not end a sentence."""
_NUMBER_ABBREVIATION = re.compile(
    r"no|nos|nr|nrs|num|figs?|pp?|vols?|art|abs|sect?|ch|chap|eqs?|tab|par|item|ver|v",
)
"""Words whose full stop does not end a sentence before a number or a code, as in "Serial no. LJ-20318"."""
_DIGIT = re.compile(r"\d")
_AFTER_ORDINAL = re.compile(
    r"\s+(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])\w*\b|\s+(?:jahrhundert|kapitel|stock)",
    re.IGNORECASE,
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the spans `(start, end)` of the sentences, in order, without surrounding whitespace.

    A sentence ends at a full stop, question or exclamation mark followed by a space, at full-width ones, and at a line
    break; not after abbreviations, initials and numbers of a list, nor before a lower-case letter. The spans cover
    every character that is not whitespace.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*_find_ends(text), len(text)]:
        piece = text[start:end]
        first = start + len(piece) - len(piece.lstrip())
        if spans and spans[-1][1] == first and not any(character.isalnum() for character in piece):
            spans[-1] = (spans[-1][0], first + len(piece.strip()))
        elif piece.strip():
            spans.append((first, first + len(piece.strip())))
        start = end
    return spans


def split_words(text: str) -> list[tuple[int, int]]:
    """Return the spans `(start, end)` of the words; in scripts without spaces, two characters count as one."""
    return [match.span() for match in _WORD.finditer(text)]


def joins_without_space(left: str, right: str) -> bool:
    """Return True if a line that begins with `right` continues one that ends with `left` without a space."""
    return bool(_UNSPACED_CHARACTER.match(left[-1:]) and _UNSPACED_CHARACTER.match(right[:1]))


def _find_ends(text: str) -> Iterator[int]:
    """Yield the end of each sentence that a mark or a line break ends."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match["latin"] and not _is_sentence_end(text, start, match):
            continue
        yield match.end()
        start = match.end()


def _is_sentence_end(text: str, start: int, mark: re.Match[str]) -> bool:
    """Return True if a punctuation mark ends the sentence that begins at `start`."""
    following = _NEXT_WORD.match(text, mark.end())
    next_word = following.group(1) if following else ""
    if next_word[:1].islower() or next_word[:1] == ".":
        return False
    if mark["latin"][0] != "." or mark["latin"].startswith(".."):
        return True
    before = _LAST_WORD.search(text, max(start, mark.start() - _MAX_WORD_CHARS), mark.start())
    word = before.group() if before else ""
    if word.isdigit() and len(word) <= _MAX_ORDINAL_DIGITS:
        is_list_number = not text[start : mark.start() - len(word)].strip(" ([\n\t")
        return not is_list_number and not _AFTER_ORDINAL.match(text, mark.end())
    return not _is_abbreviation(word, next_word)


def _is_abbreviation(word: str, next_word: str) -> bool:
    """Return True if a word before a full stop is an abbreviation or initials."""
    bare = word.lower().rstrip(".")
    if bare in ("a.m", "p.m"):
        return False
    if _ABBREVIATION.fullmatch(bare) or (_NUMBER_ABBREVIATION.fullmatch(bare) and _DIGIT.search(next_word)):
        return True
    letters = bare.split(".")
    return bare != "i" and all(len(letter) == 1 and letter.isalpha() for letter in letters)
