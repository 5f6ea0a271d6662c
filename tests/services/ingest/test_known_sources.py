"""Files that did not change are passed over together: a few queries for hundreds, and never by what is out of date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import event
from sqlalchemy.engine import Engine

from services.container import Container
from services.ingest import known_sources
from services.ingest.types import Outcome
from tests.support.small_archive import open_small_archive

_FEW, _MANY = 3, 12


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    with closing(open_small_archive(tmp_path / "home")) as opened:
        yield opened


def _make_pictures(folder: Path, number: int) -> Path:
    folder.mkdir()
    for i in range(number):
        Image.fromarray(np.full((8, 8, 3), (i, 7, 7), np.uint8)).save(folder / f"{i:02d}.png")
    return folder


@contextmanager
def _count_statements() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_unchanged_files_cost_no_query_each(container: Container, tmp_path: Path) -> None:
    counts = []
    for name, number in (("few", _FEW), ("many", _MANY)):
        folder = _make_pictures(tmp_path / name, number)
        assert {report.outcome for report in container.indexing.index_paths([folder], name)} == {Outcome.INDEXED}
        with _count_statements() as statements:
            reports = list(container.indexing.index_paths([folder], name))
        assert [report.outcome for report in reports] == [Outcome.UNCHANGED] * number
        counts.append(len(statements))
    assert counts[0] == counts[1] > 0


def test_what_another_process_deleted_meanwhile_is_indexed_again(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _make_pictures(tmp_path / "pictures", _FEW)
    first, *_, last = container.indexing.index_paths([folder], "default")
    assert first.asset is not None and last.asset is not None
    monkeypatch.setattr(known_sources, "_MAX_AGE_S", -1.0)
    run = container.indexing.index_paths([folder], "default")
    outcomes = [next(run).outcome]
    container.deletion.delete_asset(last.asset.asset_id, None)
    outcomes += [report.outcome for report in run]
    assert outcomes == [Outcome.UNCHANGED, Outcome.UNCHANGED, Outcome.INDEXED]
