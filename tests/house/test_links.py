"""Links between documents lead somewhere: files exist, headings too, and names of files in the text are files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.source_tree import ROOT

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"```.*?```", re.DOTALL)
FILE_NAME = re.compile(r"`((?:api|services|memory|indexer|demoworld|benchmarks|tests|docs|examples|deploy)/[\w./-]+)`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not {".venv", "node_modules"} & set(path.parts))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    text = CODE.sub("", document.read_text())
    assert [target for target in LINK.findall(text) if not _leads_somewhere(document, target)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_names_exist(document: Path) -> None:
    names = FILE_NAME.findall(CODE.sub("", document.read_text()))
    assert [name for name in names if not (ROOT / name).exists()] == []


def _leads_somewhere(document: Path, target: str) -> bool:
    if re.match(r"[a-z]+:", target):
        return True
    name, _, anchor = target.partition("#")
    path = document if not name else document.parent / name
    return path.exists() and (not anchor or anchor in _anchors(path))


def _anchors(document: Path) -> set[str]:
    """The anchors that a Markdown renderer gives to headings: lower case, spaces as hyphens, punctuation dropped."""
    headings = HEADING.findall(CODE.sub("", document.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
