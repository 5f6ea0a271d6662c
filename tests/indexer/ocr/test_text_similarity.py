from __future__ import annotations

import pytest

from indexer.ocr.text_similarity import is_fragment, is_same, is_scrolled


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("Quarterly report", "Quarterly  repart", True),
        ("Net revenue", "NET REVENUE", True),
        ("Total 12", "Total 13", False),
        ("12:00:01", "12:00:02", False),
        ("Yes", "No", False),
    ],
)
def test_small_differences_are_alike_and_other_digits_are_not(a: str, b: str, expected: bool) -> None:
    assert is_same(a, b) is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("ls -la", "ls -la /home", True),
        ("harbour today", "News from the harbour today", True),
        ("Is -la /home/proj", "ls -la /home/projects", True),
        ("the fire truck left the station", "ire truck left the station at noon", False),
        ("Total 5", "Total 50", False),
        ("12:00:00", "12:00:01", False),
        ("ls", "ls -la", False),
    ],
)
def test_a_part_is_told_from_another_number(a: str, b: str, expected: bool) -> None:
    assert is_fragment(a, b) is expected
    assert is_fragment(b, a) is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("alpha beta gamma", "beta gamma delta", True),
        ("beta gamma delta", "alpha beta gamma", True),
        ("Revenue 2023: 5", "Revenue 2024: 5", False),
        ("12:00:00", "12:00:01", False),
        ("alpha beta", "gamma delta", False),
    ],
)
def test_a_text_that_passes_by_is_shifted(a: str, b: str, expected: bool) -> None:
    assert is_scrolled(a, b) is expected
