"""Dumps of earlier versions are read by this one."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from indexer.errors import ArtifactError, InvalidInput
from services.catalog.catalog import Catalog
from services.database.dump import load_tables
from services.database.engine import SqlDatabase
from services.database.migrations import HEAD, current_revision
from services.jobs.types import JobQueueName
from services.jobs.worker_registry import WorkerRegistry

TABLES_OF_0007 = (
    "collections",
    "assets",
    "sources",
    "api_keys",
    "jobs",
    "job_events",
    "deliveries",
    "idempotency_keys",
)
ASSET = {
    "asset_id": "ab" * 32,
    "version": "v1",
    "kind": "video",
    "name": "",
    "duration_s": 9.5,
    "pages": None,
    "width": 64,
    "height": 48,
    "file_time": None,
    "segments": 2,
    "sampled_frames": 10,
    "warnings": ["a warning"],
    "indexed_at": 7.0,
}
SOURCE = {"collection": "trips", "uri": "file:///film.mp4", "asset_id": "ab" * 32, "state": "s", "name": "film.mp4"}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump of revision 0007, in which sources were never gone."""
    folder = tmp_path / "tables"
    folder.mkdir()
    rows = {
        "collections": {"name": "trips", "created_at": 1.0},
        "assets": ASSET,
        "sources": SOURCE | {"file_time": None},
    }
    for table in TABLES_OF_0007:
        line = msgspec.json.encode(rows[table]) + b"\n" if table in rows else b""
        (folder / f"{table}.jsonl").write_bytes(line)
    return folder


def test_a_dump_of_an_earlier_version_is_migrated(database: SqlDatabase, dump: Path) -> None:
    load_tables(database, "0007", dump)
    asset = Catalog(database).find("film.mp4")
    assert (asset.duration_s, asset.warnings, asset.missing_since) == (9.5, ("a warning",), None)
    with database.read() as connection:
        assert current_revision(connection) == HEAD


@pytest.mark.parametrize("damage", [b"{", b"{}\n", b'{"name": "trips"}\n', None])
def test_a_damaged_dump_leaves_the_database_empty(database: SqlDatabase, dump: Path, damage: bytes | None) -> None:
    path = dump / "collections.jsonl"
    path.unlink() if damage is None else path.write_bytes(damage)
    with pytest.raises(ArtifactError):
        load_tables(database, "0007", dump)
    assert Catalog(database).collections() == {}


def test_workers_make_no_database_less_empty(database: SqlDatabase, dump: Path) -> None:
    WorkerRegistry(database).beat("a:1", [JobQueueName.INDEX])
    load_tables(database, "0007", dump)
    assert Catalog(database).collections() == {"trips": 1}


def test_a_database_with_rows_is_left_alone(database: SqlDatabase, dump: Path) -> None:
    Catalog(database).create_collection("mine")
    with pytest.raises(InvalidInput, match="not empty"):
        load_tables(database, "0007", dump)
    assert Catalog(database).collections() == {"mine": 0}
