"""Locks: one writer of an asset at a time, who waits is let in, and who dies holds nothing."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from indexer.errors import StorageFull, WriteLockTimeout
from services.database.engine import SqlDatabase
from services.database.errors import DatabaseUnavailable
from services.database.migrations import HEAD, current_revision
from services.ingest.locks.files import FileLocks
from services.ingest.locks.postgres import PostgresLocks
from services.ingest.ports import Locks
from tests.support.database_servers import PostgresServer
from tests.support.waiting import TIMEOUT_S, wait_until

ASSET_A, ASSET_B = "a" * 64, "b" * 64
LOCKS_SOURCE = {
    "files": "from pathlib import Path; from services.ingest.locks.files import FileLocks; "
    "locks = FileLocks(Path(sys.argv[1]))",
    "postgres": "from services.ingest.locks.postgres import PostgresLocks; "
    "from services.database.engine import SqlDatabase; locks = PostgresLocks(SqlDatabase(sys.argv[1]))",
}


class LocksContract:
    """Tests of every implementation. Another process makes the locks anew from `LOCKS_SOURCE[kind]` and `address`."""

    kind: str

    def test_an_asset_is_changed_by_one(self, locks: Locks) -> None:
        with (
            locks.write_lock(ASSET_A),
            pytest.raises(WriteLockTimeout, match="try again when it is done"),
            locks.write_lock(ASSET_A),
        ):
            pass
        with locks.write_lock(ASSET_A):
            pass

    def test_who_changes_everything_is_alone(self, locks: Locks) -> None:
        for mine, others in ((ASSET_A, None), (None, ASSET_A), (None, None)):
            with locks.write_lock(mine), pytest.raises(WriteLockTimeout), locks.write_lock(others):
                pass

    def test_who_waits_is_let_in(self, locks: Locks) -> None:
        inside = []

        def change(number: int) -> None:
            with locks.write_lock(ASSET_A if number % 3 else None, TIMEOUT_S):
                inside.append(number)
                assert inside == [number]
                time.sleep(0.01)
                inside.remove(number)

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(change, range(18)))

    def test_who_waits_in_vain_is_told_after_that_time(self, locks: Locks) -> None:
        with locks.write_lock(ASSET_A):
            begun = time.monotonic()
            with pytest.raises(WriteLockTimeout), locks.write_lock(ASSET_A, 0.3):
                pass
            assert time.monotonic() - begun > 0.2, "not at once; clocks may differ a little"

    def test_what_is_raised_inside_comes_out_and_the_lock_is_given_back(self, locks: Locks) -> None:
        with pytest.raises(UnicodeEncodeError), locks.write_lock(ASSET_A):
            "\udcff".encode()
        with locks.write_lock(ASSET_A) as held:
            held.raise_if_lost()

    def test_a_process_that_is_killed_holds_nothing(self, locks: Locks, address: str) -> None:
        hold = f"held = locks.write_lock('{ASSET_A}'); held.__enter__(); print('held', flush=True); input()"
        command = [sys.executable, "-c", f"import sys; {LOCKS_SOURCE[self.kind]}; {hold}", address]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(WriteLockTimeout), locks.write_lock(ASSET_A):
                pass
            process.kill()
            with locks.write_lock(ASSET_A, TIMEOUT_S):
                pass


class TestFileLocks(LocksContract):
    kind = "files"

    @pytest.fixture
    def address(self, tmp_path: Path) -> str:
        return str(tmp_path / "home")

    @pytest.fixture
    def locks(self, address: str) -> Locks:
        return FileLocks(Path(address))

    def test_other_assets_wait_too(self, locks: Locks) -> None:
        with (
            locks.write_lock(ASSET_A),
            pytest.raises(WriteLockTimeout, match=r"process \d+ is writing"),
            locks.write_lock(ASSET_B),
        ):
            pass

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with (
            pytest.raises(StorageFull, match="cannot be written to"),
            FileLocks(tmp_path / "file" / "home").write_lock(ASSET_A),
        ):
            pass


class TestPostgresLocks(LocksContract):
    kind = "postgres"

    @pytest.fixture
    def address(self, postgres_url: str) -> str:
        return postgres_url

    @pytest.fixture
    def database(self, address: str) -> Iterator[SqlDatabase]:
        database = SqlDatabase(address)
        yield database
        database.close()

    @pytest.fixture
    def locks(self, database: SqlDatabase) -> Locks:
        return PostgresLocks(database)

    def test_different_assets_are_changed_side_by_side(self, locks: Locks) -> None:
        with (
            locks.write_lock(ASSET_A),
            locks.write_lock(ASSET_B),
            pytest.raises(WriteLockTimeout, match=f"asset {ASSET_A}"),
            locks.write_lock(ASSET_A),
        ):
            pass

    def test_who_waits_for_everything_is_not_passed(self, locks: Locks, postgres_server: PostgresServer) -> None:
        with ThreadPoolExecutor(1) as threads:
            with locks.write_lock(ASSET_A):
                waiting = threads.submit(self._change_everything, locks)
                wait_until(lambda: _is_locked(locks, ASSET_B), "that one waits")
            assert waiting.result() == "changed"

    def test_a_lock_whose_connection_is_lost_says_so_and_is_free(
        self, locks: Locks, postgres_server: PostgresServer
    ) -> None:
        with pytest.raises(DatabaseUnavailable, match="the write lock was lost"), locks.write_lock(ASSET_A) as lock:
            with postgres_server.simulate_outage():
                pass
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable):
                    lock.raise_if_lost()
            with locks.write_lock(ASSET_A):
                pass

    def test_many_locks_take_no_connection_from_queries(self, database: SqlDatabase) -> None:
        locks = PostgresLocks(database)
        with ExitStack() as held:
            for number in range(20):
                held.enter_context(locks.write_lock(f"{number:064x}"))
            with database.read() as connection:
                assert current_revision(connection) == HEAD

    def _change_everything(self, locks: Locks) -> str:
        with locks.write_lock(None, TIMEOUT_S):
            return "changed"


def _is_locked(locks: Locks, asset_id: str) -> bool:
    try:
        with locks.write_lock(asset_id):
            return False
    except WriteLockTimeout:
        return True


def test_without_a_server_there_is_no_right_to_write(postgres_server: PostgresServer, postgres_url: str) -> None:
    locks = PostgresLocks(SqlDatabase(postgres_url))
    with (
        postgres_server.simulate_outage(),
        pytest.raises(DatabaseUnavailable, match="AFTERIMAGE_CATALOG__URL"),
        locks.write_lock(ASSET_A),
    ):
        pass
