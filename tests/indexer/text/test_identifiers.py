"""Identifiers: options, codes and long numbers are, everyday words with digits are not."""

from __future__ import annotations

import pytest

from indexer.text.identifiers import find_identifiers


@pytest.mark.parametrize(
    ("text", "identifiers"),
    [
        ("Was kostet RE-2024/0117?", {"re-2024/0117"}),
        ("CVE-2021-44228 and RFC2822.", {"cve-2021-44228", "rfc2822"}),
        ("IBAN DE89370400440532013000", {"de89370400440532013000"}),
        ("Account 4711902, invoice 20240117", {"4711902", "20240117"}),
        ("-e and -E with --no-check=1", {"-e", "-E", "--no-check"}),
        ("--verbose는 무엇입니까? 주문 B00X12", {"--verbose", "b00x12"}),
    ],
)
def test_codes_numbers_and_options_are_found(text: str, identifiers: set[str]) -> None:
    assert find_identifiers(text) == identifiers


@pytest.mark.parametrize(
    "text",
    [
        "in 2016 at 10:30",
        "an A4 page, an mp3 file",
        "a 10-year-old ship - old",
        "well-known e-mail",
        "-5 degrees",
        "항목 - 값",
    ],
)
def test_everyday_words_and_numbers_are_none(text: str) -> None:
    assert find_identifiers(text) == frozenset()
