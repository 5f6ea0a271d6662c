"""A newcomer who searches for the field's term finds the file that does it (the table of CONTRIBUTING.md)."""

from __future__ import annotations

import re

import pytest

from tests.house.source_tree import PRODUCT, ROOT, source_files

ROW = re.compile(r"^\| (?P<question>[^|]+\?) \| `(?P<term>[^`]+)` \| `(?P<file>[^`]+)` \|$", re.MULTILINE)
QUESTIONS = [match.group("question", "term", "file") for match in ROW.finditer((ROOT / "CONTRIBUTING.md").read_text())]
MAX_FILES = 30
"""A term that stands in more files than this leads nowhere."""


def test_the_table_has_ten_questions() -> None:
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize(("question", "term", "file"), QUESTIONS, ids=[term for _, term, _ in QUESTIONS])
def test_the_term_leads_to_the_file(question: str, term: str, file: str) -> None:
    pattern = re.compile(term, re.IGNORECASE)
    found = [source.path for source in source_files(*PRODUCT) if any(map(pattern.search, source.text.splitlines()))]
    assert file in found
    assert len(found) <= MAX_FILES
