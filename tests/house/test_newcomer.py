"""A newcomer who searches for the field's term finds the file that does it (the table of CONTRIBUTING.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from tests.house.source_tree import PRODUCT, ROOT, SourceFile, parse_source, source_files

ROW = re.compile(r"^\| (?P<question>[^|]+\?) \| `(?P<term>[^`]+)` \| `(?P<file>[^`]+)` \|$", re.MULTILINE)
QUESTIONS = [match.group("question", "term", "file") for match in ROW.finditer((ROOT / "CONTRIBUTING.md").read_text())]
MAX_FILES = 30
"""A term that stands in more files than this leads nowhere."""


def test_the_table_has_ten_questions() -> None:
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize(("question", "term", "file"), QUESTIONS, ids=[term for _, term, _ in QUESTIONS])
def test_the_term_leads_to_the_file(question: str, term: str, file: str) -> None:
    assert leads_to(term, file, source_files(*PRODUCT))


def test_a_term_that_leads_elsewhere_or_everywhere_is_noticed() -> None:
    files = [parse_source("'''Rate limits.'''\n", f"services/{number}.py") for number in range(MAX_FILES)]
    files.append(parse_source("'''Leases.'''\n", "services/leases.py"))
    assert leads_to("rate.limit", "services/0.py", files)
    assert not leads_to("rate.limit", "services/leases.py", files)
    files.append(parse_source("'''The rate limit.'''\n", "services/further.py"))
    assert not leads_to("rate.limit", "services/0.py", files)


def leads_to(term: str, file: str, files: Iterable[SourceFile]) -> bool:
    """Whether a search for the term finds the file, and not too many others."""
    pattern = re.compile(term, re.IGNORECASE)
    found = [source.path for source in files if any(map(pattern.search, source.text.splitlines()))]
    return file in found and len(found) <= MAX_FILES
