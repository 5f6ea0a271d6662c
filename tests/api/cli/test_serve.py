"""`afterimage serve` as a process of its own: how it starts, how it ends, and what outlives it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import Popen
from threading import Thread

import httpx2
import pytest
from sqlalchemy import text

from api.client import Client, ServerUnavailable
from api.schemas.jobs import JobShape
from services.access.api_keys import Scope
from services.database.engine import SqlDatabase
from services.jobs.store import JobStore
from tests.support.cli_runner import RunCommand
from tests.support.containers import copy_home
from tests.support.database_servers import find_free_port
from tests.support.server_processes import start_afterimage, wait_until_ready
from tests.support.small_archive import HARBOUR, WITHOUT_MODELS, make_document, open_small_archive
from tests.support.waiting import TIMEOUT_S, wait_until

SETTINGS = WITHOUT_MODELS | {"jobs__lease_s": "3", "jobs__sweep_interval_s": "0.5", "jobs__max_attempts": "20"}


@contextmanager
def run_server_process(home: Path, log: Path, port: int, **settings: str) -> Iterator[Popen[bytes]]:
    """A server over a home, once it is ready; it is killed afterwards."""
    server = start_afterimage(home, log, SETTINGS | settings, "serve", "--port", str(port))
    try:
        wait_until_ready(server, port)
        yield server
    finally:
        server.kill()
        server.wait()


@contextmanager
def block_stored_responses(database: SqlDatabase) -> Iterator[None]:
    """Answers that are to be kept wait until the context ends."""
    wait = "BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END"
    with database.write() as connection:
        connection.execute(text(f"CREATE FUNCTION held_up() RETURNS trigger LANGUAGE plpgsql AS '{wait}'"))
        when = "BEFORE UPDATE OF status ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION held_up()"
        connection.execute(text(f"CREATE TRIGGER held_up {when}"))
    with closing(database.open_session()) as session:
        session.execute(text("SELECT pg_advisory_lock(7)"))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_ends_what_it_began_when_it_is_told_to_stop(
    small_home: Path, tmp_path: Path, number: signal.Signals
) -> None:
    log, port = tmp_path / "log", find_free_port()
    with run_server_process(copy_home(small_home, tmp_path / "home"), log, port) as process:
        assert httpx2.get(f"http://127.0.0.1:{port}/v1/collections").status_code == 200
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 0
    assert "stopped;" not in log.read_text() and "Traceback" not in log.read_text()
    lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
    asked = [line for line in lines if line.get("path") == "/v1/collections"]
    assert [line["status"] for line in asked] == [200] and asked[0]["request"]


@pytest.mark.slow
def test_a_job_and_who_follows_it_outlive_a_server_that_is_killed(small_home: Path, tmp_path: Path) -> None:
    home, log, port = copy_home(small_home, tmp_path / "home"), tmp_path / "log", find_free_port()
    make_document(tmp_path / "long.pdf", *(f"The {number}th lantern is lit." for number in range(60)))
    followed_events: list[object] = []
    with Client(f"http://127.0.0.1:{port}", resume_timeout_s=TIMEOUT_S) as archive:
        with run_server_process(home, log, port):
            job = archive.upload(tmp_path / "long.pdf", HARBOUR)
            following = Thread(target=lambda: followed_events.extend(archive.follow_job(job.id)))
            following.start()
        with run_server_process(home, log, port):
            following.join(TIMEOUT_S)
            assert followed_events, "the stream has not ended"
            end = followed_events[-1]
            assert isinstance(end, JobShape) and (end.id, end.state) == (job.id, "done")
            numbers = [event.number for event in followed_events[:-1]]
            assert numbers == sorted(set(numbers))
            assert [one.name for one in archive.list_assets(HARBOUR).items].count("long.pdf") == 1


@pytest.mark.slow
def test_a_job_is_made_once_though_its_server_is_killed_before_it_answers(postgres_url: str, tmp_path: Path) -> None:
    document, log, port = tmp_path / "lanterns.pdf", tmp_path / "log", find_free_port()
    make_document(document, "The puffin warden owes nine lanterns.")
    settings = {"catalog__url": postgres_url, "ingest__allowed_roots": f'["{tmp_path}"]'}
    database = SqlDatabase(postgres_url)

    with Client(f"http://127.0.0.1:{port}") as archive:

        def ask() -> JobShape:
            return archive.import_source(str(document), "new", idempotency_key="lanterns")

        with block_stored_responses(database), ThreadPoolExecutor(1) as threads:
            with run_server_process(tmp_path / "home", log, port, **settings):
                first_request = threads.submit(ask)
                wait_until(lambda: len(JobStore(database, 1).list_page().items) == 1, "the job is stored")
                (submitted_job,) = JobStore(database, 1).list_page().items
            with pytest.raises(ServerUnavailable):
                first_request.result()
        with run_server_process(tmp_path / "home", log, port, **settings):
            assert ask().id == submitted_job.id and ask().id == submitted_job.id
            assert [job.id for job in archive.list_jobs().items] == [submitted_job.id]
            *_, end = archive.follow_job(submitted_job.id)
            assert isinstance(end, JobShape) and end.state == "done"
    database.close()


def test_a_server_that_others_can_reach_needs_keys(run_command: RunCommand, small_home: Path) -> None:
    said = run_command(small_home, "serve", "--host", "0.0.0.0", **WITHOUT_MODELS)
    assert said.exit_code == 1 and "`afterimage keys create` makes one" in said.stderr


def test_once_there_is_a_key_each_request_needs_one(small_home: Path, tmp_path: Path) -> None:
    container = open_small_archive(copy_home(small_home, tmp_path / "home"))
    assert not container.api_keys.any_active()
    key, _ = container.api_keys.create("a", {Scope.READ})
    assert container.api_keys.any_active()
    container.api_keys.revoke(key.id)
    assert not container.api_keys.any_active()
    container.close()


@pytest.mark.slow
def test_a_server_that_listens_beyond_its_machine_warns_and_believes_the_proxies_it_is_told(
    small_home: Path, tmp_path: Path
) -> None:
    home, log, port = copy_home(small_home, tmp_path / "home"), tmp_path / "log", find_free_port()
    with closing(open_small_archive(home)) as container:
        container.api_keys.create("a", {Scope.READ})
    settings = SETTINGS | {"serve__trusted_proxies": '["127.0.0.1"]'}
    server = start_afterimage(home, log, settings, "serve", "--host", "0.0.0.0", "--port", str(port))
    try:
        wait_until_ready(server, port)
        forwarded = {"x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https"}
        assert httpx2.get(f"http://127.0.0.1:{port}/v1/collections", headers=forwarded).status_code == 401
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"]
    assert any("listening on 0.0.0.0, beyond this machine" in str(line) for line in lines)
    assert [line["client"] for line in lines if line.get("path") == "/v1/collections"] == ["203.0.113.7"]
