"""Numbers in text: one way of writing for `8,412.50`, `8.412,50`, `8 412,50` and `8'412.50`; each finds the others."""

from __future__ import annotations

import re

_JOINED = r"[-._@+,:/&#']"
NUMBER = (
    rf"(?<![^\W_])(?<![^\W_]{_JOINED})"
    r"(?:\d{1,3}(?P<group>[ .,'])\d{3}(?:(?P=group)\d{3})*(?:(?!(?P=group))[.,]\d+)?"
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?"
    r"|\d+[.,]\d+)"
    rf"(?![^\W_]|{_JOINED}[^\W_])"
)
"""Pattern of a number with groups of digits (also Indian ones) or decimals, which is no part of a code."""
_GROUPED = re.compile(r"(\d{1,3}(?:[ .,']\d{2,3})*[ .,']\d{3})(?:[.,](\d+))?")
_AMBIGUOUS = re.compile(r"([1-9]\d{0,2})[.,](\d{3})")
_UNBREAKABLE_SPACE = re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_CURRENCIES = "eur|usd|gbp|chf|jpy|krw|cny|inr|sek|nok|dkk|pln|czk|huf"
_GLUED_CURRENCY = re.compile(rf"(?<![^\W_])({_CURRENCIES})(?=\d)|(?<=\d)({_CURRENCIES})(?![^\W_])")


def mark_groups(text: str) -> str:
    """Return a text with an apostrophe for unbreakable spaces between groups of digits, which folding would lose."""
    return _UNBREAKABLE_SPACE.sub("'", text)


def split_currencies(folded: str) -> str:
    """Return a folded text with spaces between codes of currencies and the sums that they are written to."""
    return _GLUED_CURRENCY.sub(lambda match: f" {match[0]} ", folded)


def number_tokens(number: str) -> list[str]:
    """Return the tokens to search a number by, as matched by `NUMBER`: whole, and its integer and decimals.

    Where one point or comma may divide thousands or decimals, it divides thousands. Groups between plain spaces without
    decimals may be numbers of their own, and are.
    """
    if " " in number and not re.search("[.,]", number):
        return number.split(" ")
    return _with_parts(_readings(number)[0])


def number_variants(number: str) -> list[str]:
    """Return further tokens that a number in a text is found by: its other reading, and its groups of digits."""
    tokens = [token for reading in _readings(number) for token in _with_parts(reading)]
    groups = re.findall(r"\d+", number)
    known = number_tokens(number)
    return [token for token in dict.fromkeys([*tokens, *groups]) if token not in known]


def _readings(number: str) -> list[str]:
    """Return what a number may be, with a point for decimals and nothing between thousands; the likelier first."""
    grouped = _GROUPED.fullmatch(number)
    if grouped is None or (number[0] == "0" and _AMBIGUOUS.fullmatch("1" + number[1:])):
        return [number.replace(",", ".")]
    whole = re.sub(r"\D", "", grouped[1])
    readings = [f"{whole}.{grouped[2]}" if grouped[2] else whole]
    return [*readings, number.replace(",", ".")] if _AMBIGUOUS.fullmatch(number) else readings


def _with_parts(reading: str) -> list[str]:
    """Return a number, and its integer and decimals where it has them."""
    return [reading, *reading.split(".")] if "." in reading else [reading]
