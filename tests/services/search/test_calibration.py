"""Calibration after a run that was killed before it measured: it is measured once, and says how far it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexer.text.language import LANGUAGES
from services.container import Container
from services.ingest.types import MEASURING_SCORES
from services.search.null_queries import load_null_queries
from tests.support.small_archive import ROPE_SENTENCE, make_document, open_small_archive

_KEYWORD_QUERIES = sum(len(load_null_queries(language)) for language in LANGUAGES)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    make_document(tmp_path / "prices.pdf", ROPE_SENTENCE)
    return tmp_path / "prices.pdf"


@pytest.fixture
def container(tmp_path: Path, document: Path) -> Iterator[Container]:
    """The services over a home with one document, without models."""
    opened = open_small_archive(tmp_path / "home")
    list(opened.indexing.index_paths([document], "default"))
    yield opened
    opened.close()


def _forget(container: Container) -> Path:
    """Remove the stored calibration, as if the only run had been killed before it."""
    stored = container.home / "calibration.json"
    stored.unlink()
    return stored


def test_the_next_run_measures_and_reports_how_far_it_is(container: Container, document: Path) -> None:
    stored, seen = _forget(container), []

    def on_progress(name: str, done: float, total: float | None) -> None:
        seen.append((name, done, total))

    list(container.indexing.index_paths([document], "default", on_progress))
    measured = [(done, total) for name, done, total in seen if name == MEASURING_SCORES]
    assert measured == [(number, _KEYWORD_QUERIES) for number in range(1, _KEYWORD_QUERIES + 1)]
    assert stored.exists()


def test_a_search_measures_once_for_all_later_ones(container: Container) -> None:
    stored, seen = _forget(container), []
    for expected in ((_KEYWORD_QUERIES, _KEYWORD_QUERIES), None):
        with closing(open_small_archive(container.home)) as reader:
            reader.calibration.prepare(lambda done, total: seen.append((done, total)))
        assert (seen[-1] if seen else None) == expected
        assert stored.exists()
        seen.clear()
