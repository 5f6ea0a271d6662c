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
    assert dead_links(document) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_names_exist(document: Path) -> None:
    assert missing_files(document, ROOT) == []


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# A title, long\n")
    document = tmp_path / "docs" / "page.md"
    document.write_text(
        "# Page\n[a](../README.md) [b](../README.md#a-title-long) [c](#page) [d](https://example.org/x)\n"
        "```\n[e](code.md)\n```\n[f](gone.md) [g](../README.md#no-title) [h](#no-page)\n"
    )
    assert dead_links(document) == ["gone.md", "../README.md#no-title", "#no-page"]


def test_a_name_of_a_file_that_is_gone_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    document = tmp_path / "README.md"
    document.write_text("`services/` `services/gone.py` `elsewhere/gone.py`\n")
    assert missing_files(document, tmp_path) == ["services/gone.py"]


def dead_links(document: Path) -> list[str]:
    """Return the targets of a document's links that are no file, or no heading of one; the web is not asked."""
    targets = LINK.findall(CODE.sub("", document.read_text()))
    return [target for target in targets if not _leads_somewhere(document, target)]


def missing_files(document: Path, root: Path) -> list[str]:
    """Return the names of files that a document's text has and the repository at `root` has not."""
    names = FILE_NAME.findall(CODE.sub("", document.read_text()))
    return [name for name in names if not (root / name).exists()]


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
