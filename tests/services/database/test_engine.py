"""The database: its tables come by migration, its transactions are whole, its failures say what failed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, insert, select, text

from indexer.errors import ArtifactError, SettingsError
from services.catalog.catalog import Catalog
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.database.errors import DatabaseUnavailable, IdempotencyConflict
from services.database.idempotency import IdempotencyKey, IdempotencyStore, StoredResponse
from services.database.migrations import HEAD, current_revision
from services.database.migrations.running import _config
from services.database.schema import Base, Collections
from tests.support.closed_port import refuse_connections
from tests.support.database_servers import PostgresServer
from tests.support.waiting import TIMEOUT_S

BEFORE_MIGRATIONS = Path(__file__).parent / "data" / "catalog_before_migrations.sql"


def _add_collection(database: SqlDatabase, name: str) -> None:
    with database.write() as connection:
        connection.execute(insert(Collections).values(name=name, created_at=0.0))


def _collection_names(database: SqlDatabase) -> list[str]:
    with database.read() as connection:
        return sorted(connection.execute(select(Collections.name)).scalars())


def test_the_steps_make_the_tables_that_the_code_expects(database: SqlDatabase) -> None:
    with database.write() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert current_revision(connection) == HEAD


def test_the_newest_step_is_named() -> None:
    config = Config()
    config.set_main_option("script_location", "services.database:migrations")
    steps = ScriptDirectory.from_config(config)
    assert steps.get_heads() == [HEAD]
    for step in steps.walk_revisions():
        assert Path(step.path).name.startswith(f"m{step.revision}_")


def test_a_catalog_made_before_there_were_steps_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(BEFORE_MIGRATIONS.read_text("utf-8"))
    connection.close()
    database = SqlDatabase(f"sqlite:///{path}")
    catalog = Catalog(database)
    assert catalog.collections() == {"trips": 1}
    asset = catalog.find("film.mp4")
    assert (asset.warnings, asset.sampled_fps) == (("a warning",), 1.04)
    assert catalog.sources(asset.asset_id)[0].state == "s@v1"
    with database.read() as connection:
        assert current_revision(connection) == HEAD
    database.close()


def test_sources_get_the_names_of_their_assets_and_no_others(database_url: str) -> None:
    """Where several collections share an asset, a name stays with the place that it came from."""
    url = database_url.replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0004")
        for asset, name in (("a", "trips/day at sea.mp4"), ("b", "only.mp4")):
            columns = "asset_id, version, kind, name, file_time, segments, looked_at, warnings, indexed_at"
            values = f"'{asset}', 'v', 'video', '{name}', 7.0, 0, 0, '[]', 1.0"
            connection.execute(text(f"INSERT INTO assets ({columns}) VALUES ({values})"))
        for collection, uri, asset in (
            ("mine", "file:///x/trips/day%20at%20sea.mp4", "a"),
            ("sent", "blob:media/0123/day_at_sea.mp4", "a"),
            ("theirs", "blob:media/4567/secret.mp4", "a"),
            ("web", "https://host/", "a"),
            ("mine", "https://host/another.mp4", "b"),
        ):
            if uri != "https://host/another.mp4":
                connection.execute(text(f"INSERT INTO collections VALUES ('{collection}', 1.0)"))
            connection.execute(text(f"INSERT INTO sources VALUES ('{collection}', '{uri}', '{asset}', 's')"))
    engine.dispose()
    database = SqlDatabase(database_url)
    rows = [row for asset in ("a", "b") for row in Catalog(database).sources(asset)]
    assert [(row.collection, row.name, row.file_time) for row in rows] == [
        ("mine", "trips/day at sea.mp4", 7.0),
        ("sent", "trips/day at sea.mp4", 7.0),
        ("theirs", "secret.mp4", 7.0),
        ("web", "host", 7.0),
        ("mine", "only.mp4", 7.0),
    ]
    database.close()


def test_answers_that_are_kept_keep_their_type(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.database.idempotency._CLAIM_TIMEOUT_S", TIMEOUT_S)  # migrating takes time
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0005")
        columns = "who, name, request, at, status, media_type, body"
        begun = f"INSERT INTO repeats ({columns}) VALUES ('', :name, 'r', :at, :s, :t, :b)"
        connection.execute(text(begun), {"name": "done", "at": now(), "s": 200, "t": "text/plain", "b": b"gulls"})
        connection.execute(text(begun), {"name": "begun", "at": now(), "s": None, "t": None, "b": None})
    engine.dispose()
    database = SqlDatabase(database_url)
    repeats = IdempotencyStore(database)
    assert repeats.claim(IdempotencyKey("", "done", "r")) == StoredResponse(
        200, {"content-type": "text/plain"}, b"gulls"
    )
    with pytest.raises(IdempotencyConflict, match="is being answered"):
        repeats.claim(IdempotencyKey("", "begun", "r"))
    database.close()


def test_a_catalog_whose_making_was_cut_off_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE collections (name VARCHAR(200) PRIMARY KEY, created_at DOUBLE NOT NULL)")
        connection.execute("INSERT INTO collections VALUES ('trips', 1.0)")
    connection.close()
    database = SqlDatabase(f"sqlite:///{path}")
    assert Catalog(database).collections() == {"trips": 0}
    database.close()


def test_many_processes_may_be_the_first(database_url: str, database: SqlDatabase) -> None:
    code = "import sys; from services.database.engine import SqlDatabase; SqlDatabase(sys.argv[1]).write().__enter__()"
    command = [sys.executable, "-c", f"{code}; print('begun')", database_url]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(5)]
    for process in started:
        out, err = process.communicate()
        assert out == b"begun\n", err.decode()
    assert _collection_names(database) == []


def test_a_database_of_a_newer_version_is_left_alone(database_url: str, database: SqlDatabase) -> None:
    _add_collection(database, "trips")
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = SqlDatabase(database_url)
    with pytest.raises(ArtifactError, match=r"a newer version of Afterimage made the catalog \(revision 9999"):
        _collection_names(newer)
    newer.close()
    assert _collection_names(database) == ["trips"]


def test_a_transaction_that_fails_changed_nothing(database: SqlDatabase) -> None:
    with pytest.raises(KeyError), database.write() as connection:
        connection.execute(insert(Collections).values(name="trips", created_at=0.0))
        raise KeyError
    assert _collection_names(database) == []


def test_a_reader_waits_for_no_writer_and_sees_what_is_whole(database: SqlDatabase) -> None:
    _add_collection(database, "one")
    with database.write() as connection:
        connection.execute(insert(Collections).values(name="two", created_at=0.0))
        assert _collection_names(database) == ["one"]
    assert _collection_names(database) == ["one", "two"]


def test_writers_take_turns(database: SqlDatabase) -> None:
    """Who read first writes all the same: what another one wrote meanwhile does not stop it."""

    def write(number: int) -> None:
        with database.write() as connection:
            connection.execute(select(Collections.name)).all()
            connection.execute(insert(Collections).values(name=f"{number:02}", created_at=0.0))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(40)))
    assert len(_collection_names(database)) == 40


@pytest.fixture
def closed_address() -> Iterator[str]:
    """`host:port` at which nobody answers."""
    with refuse_connections() as address:
        yield address


def test_a_server_that_is_not_there_is_named_by_its_setting(closed_address: str) -> None:
    database = SqlDatabase(f"postgresql://me:hunter2@{closed_address}/x")
    with pytest.raises(DatabaseUnavailable, match=r"AFTERIMAGE_CATALOG__URL") as raised:
        _collection_names(database)
    assert "hunter2" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_restarts_costs_what_was_under_way_and_no_more(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    database = SqlDatabase(postgres_url)
    _add_collection(database, "before")
    with pytest.raises(DatabaseUnavailable), database.write() as connection:
        connection.execute(insert(Collections).values(name="under way", created_at=0.0))
        with postgres_server.simulate_outage():
            pass
        connection.execute(select(Collections.name))
    assert _collection_names(database) == ["before"]
    with postgres_server.simulate_outage(), pytest.raises(DatabaseUnavailable):
        _collection_names(database)
    assert _collection_names(database) == ["before"]
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost", "is no address such as postgresql://user:password@host/name"),
        ("mysql://me:hunter2@host/x", "mysql is neither sqlite nor postgresql"),
        ("postgresql://me:hunter2@host:port/x", "is no address"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"AFTERIMAGE_CATALOG__URL: {message}") as raised:
        SqlDatabase(url)
    assert "hunter2" not in str(raised.value)
