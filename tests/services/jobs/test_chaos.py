"""Workers and the API killed, Redis and PostgreSQL restarted under way: every job ends done, once, as where nothing
happened, and who follows a job misses nothing.

`AFTERIMAGE_TEST_CHAOS` is the number of rounds; what happens when, in each, is drawn from its number.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from subprocess import Popen

import pytest
from sqlalchemy import select

from api.client import Client, ProblemError, ServerUnavailable
from api.schemas.jobs import JobEventShape, JobShape
from indexer.storage.artifacts import CheckpointRecord
from indexer.types import Lane, Vectors
from memory.store import StoredMemory
from services.catalog.types import Asset
from services.container import Container
from services.database.schema import Jobs
from services.jobs.types import (
    DeleteRequest,
    Job,
    JobState,
    NewJob,
    ReindexRequest,
    SummarizeRequest,
)
from tests.support.assertions import check_memory, check_vectors
from tests.support.containers import MakeContainer, open_container
from tests.support.database_servers import PostgresServer, RedisServer, find_free_port
from tests.support.job_workers import FAST_JOB_SETTINGS, TIMEOUT_S, count_starts, import_job, make_files, make_photo
from tests.support.server_processes import start_afterimage, wait_until_ready

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("AFTERIMAGE_TEST_CHAOS", "2"))
WORKERS = 2
PHOTOS, LATER_PHOTOS = 2, 8
SETTINGS = FAST_JOB_SETTINGS | {"visual__model": "package:demoworld/weights/open_clip"}
"""Vectors and memories are made, text is not read."""
COLLECTION = "default"


@dataclass
class Cluster:
    """Servers, an API and workers; whatever is killed is started again, as a supervisor would."""

    settings: dict[str, str]
    home: Path
    logs: Path
    redis: RedisServer
    postgres: PostgresServer
    port: int = field(default_factory=find_free_port)
    incidents: list[str] = field(default_factory=list)
    api: Popen[bytes] | None = None
    workers: list[Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.api = self._start_api()
        self.workers = [self._start_worker() for _ in range(WORKERS)]
        self.wait_for_api()

    def kill_worker(self, worker: str | None) -> None:
        """The one that a job names as its own; any, where it names none that is still there."""
        pid = 0 if worker is None else int(worker.rpartition(":")[2])
        number = next((number for number, process in enumerate(self.workers) if process.pid == pid), 0)
        _kill(self.workers[number])
        self.workers[number] = self._start_worker()
        self.incidents.append("worker killed")

    def kill_api(self) -> None:
        assert self.api is not None
        _kill(self.api)
        self.api = self._start_api()
        self.incidents.append("api killed")

    def wait_for_api(self) -> None:
        assert self.api is not None
        wait_until_ready(self.api, self.port)

    def restart_redis(self) -> None:
        with self.redis.simulate_outage():
            self.incidents.append("redis stopped")

    def wipe_redis(self) -> None:
        self.redis.kill()
        for log_file in self.redis.folder.glob("appendonlydir/*"):
            log_file.unlink()
        self.redis.start()
        self.incidents.append("redis lost everything")

    def restart_postgres(self) -> None:
        with self.postgres.simulate_outage():
            self.incidents.append("postgres stopped")

    def stop(self) -> None:
        for process in self.workers:
            process.terminate()
        for process in self.workers:
            process.wait(TIMEOUT_S)
        if self.api is not None:
            _kill(self.api)

    def _start_api(self) -> Popen[bytes]:
        return self._start_process("api", "serve", "--port", str(self.port))

    def _start_worker(self) -> Popen[bytes]:
        return self._start_process("workers", "worker")

    def _start_process(self, log: str, *command: str) -> Popen[bytes]:
        return start_afterimage(self.home, self.logs / log, SETTINGS | self.settings, *command)


@dataclass(frozen=True, slots=True)
class MediaFiles:
    """What is taken in, a film first: some at first, some when servers go away."""

    first: list[Path]
    later: list[Path]


@dataclass(frozen=True, slots=True)
class ArchiveState:
    """What jobs left behind, but for the time at which it was."""

    assets: list[Asset]
    records: list[CheckpointRecord]
    vectors: list[dict[Lane, Vectors]]
    memory: StoredMemory
    counts: dict[str, int]
    results: list[object]


@pytest.fixture(scope="module")
def media_files(tmp_path_factory: pytest.TempPathFactory) -> MediaFiles:
    folder = tmp_path_factory.mktemp("films")
    make_files(folder)
    photos = [make_photo(folder, number) for number in range(PHOTOS + LATER_PHOTOS)]
    first = [folder / "film.mp4", folder / "report.pdf", folder / "photo.png"]
    return MediaFiles([*first, *photos[:PHOTOS]], photos[PHOTOS:])


@pytest.fixture(scope="module")
def reference_state(media_files: MediaFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArchiveState]:
    """The same jobs in a process to which nothing happens."""
    roots = f'["{media_files.first[0].parent}"]'
    container = open_container(tmp_path_factory.mktemp("undisturbed"), **SETTINGS, ingest__allowed_roots=roots)
    container.background.dispatcher.start()
    jobs = _run_jobs(
        container, *(import_job(path) for path in media_files.first), *(import_job(path) for path in media_files.later)
    )
    summarize, delete = SummarizeRequest(_asset_id(jobs[0])), DeleteRequest(_asset_id(jobs[len(media_files.first)]))
    jobs += _run_jobs(container, NewJob(summarize, COLLECTION), NewJob(delete, COLLECTION))
    jobs += _run_jobs(container, NewJob(ReindexRequest()))
    state = _read_state(container, [job.id for job in jobs])
    assert {*state.vectors[0]} == {Lane.VISUAL} and state.memory.lanes
    yield state
    container.close()


@pytest.fixture
def cluster(
    redis_server: RedisServer, postgres_server: PostgresServer, media_files: MediaFiles, tmp_path: Path
) -> Iterator[Cluster]:
    with postgres_server.create_database() as url:
        settings = {"jobs__kind": "celery", "jobs__url": redis_server.url, "catalog__url": url}
        settings |= {
            "jobs__lease_s": "8",
            "jobs__max_attempts": "20",
            "ingest__allowed_roots": f'["{media_files.first[0].parent}"]',
        }
        cluster = Cluster(settings, tmp_path / "home", tmp_path, redis_server, postgres_server)
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_every_job_ends_done_once_as_if_nothing_had_happened(
    make_container: MakeContainer, cluster: Cluster, media_files: MediaFiles, reference_state: ArchiveState, round_: int
) -> None:
    draw = random.Random(round_)
    container = make_container(cluster.home, **(SETTINGS | cluster.settings))
    cluster.start()
    with Client(cluster.url, resume_timeout_s=TIMEOUT_S) as archive, ThreadPoolExecutor(1) as threads:
        jobs = _submit_imports(archive, media_files.first)
        follower = threads.submit(lambda: list(archive.follow_job(jobs[0])))
        _kill_in_mid_film(cluster, container, jobs[0], draw)
        assert _submit_imports(archive, media_files.first) == jobs  # as by someone who was not answered
        jobs += _submit_while_api_is_killed(archive, cluster, container, media_files.later, draw)
        _restart_in_mid_queue(cluster, container, jobs, draw)
        jobs += _summarize_and_delete(archive, cluster, container, jobs, draw)
        _check_nothing_left_over(container)
        jobs.append(archive.reindex("new index").id)
        if draw.random() < 0.5:  # while it is at it; else before it is begun, mostly
            _wait_until(lambda: container.background.jobs.get(jobs[-1]).state is not JobState.QUEUED)
        draw.choice([lambda: cluster.kill_worker(container.background.jobs.get(jobs[-1]).worker), cluster.wipe_redis])()
        _wait_for_all(container, jobs)
        _check_nothing_missed(container, jobs[0], follower.result(TIMEOUT_S))
    _check_done_once(container, jobs)
    _check_nothing_left_over(container)
    _check_equal(_read_state(container, jobs), reference_state)


def _submit_imports(archive: Client, paths: Sequence[Path]) -> list[str]:
    """The jobs that take files in; asked for again, they are the same."""
    return [archive.import_source(path.as_uri(), COLLECTION, path.name, idempotency_key=path.name).id for path in paths]


def _submit_while_api_is_killed(
    archive: Client, cluster: Cluster, container: Container, paths: Sequence[Path], draw: random.Random
) -> list[str]:
    """While it takes one of them; who was not answered asks again, until the name of the request is free."""
    moment = _count_jobs(container) + draw.randrange(len(paths))
    with ThreadPoolExecutor(1) as threads:
        submission = threads.submit(lambda: _retry_until_answered(lambda: _submit_imports(archive, paths)))
        _wait_until(lambda: _count_jobs(container) >= moment)
        cluster.kill_api()
        return submission.result(TIMEOUT_S)


def _retry_until_answered(submit: Callable[[], list[str]]) -> list[str]:
    while True:
        try:
            return submit()
        except ServerUnavailable:
            pass
        except ProblemError as error:
            assert error.problem.type == "urn:afterimage:idempotency-conflict"
        time.sleep(0.1)


def _kill_in_mid_film(cluster: Cluster, container: Container, film: str, draw: random.Random) -> None:
    """The worker that is at it, and the API that tells of it. Its row is locked meanwhile, so that it cannot end."""
    checkpoint = f"{draw.randrange(3):05}.json"
    _wait_until(lambda: container.background.jobs.get(film).state is JobState.RUNNING)
    with container.database.write() as connection:
        connection.execute(select(Jobs.job_id).where(Jobs.job_id == film).with_for_update())
        _wait_until(lambda: any(cluster.home.glob(f"artifacts/*/*/{checkpoint}")))
        worker = container.background.jobs.get(film).worker
        assert worker is not None
        for kill in draw.sample([lambda: cluster.kill_worker(worker), cluster.kill_api], 2):
            kill()
        assert container.background.jobs.get(film).state is JobState.RUNNING
    cluster.wait_for_api()


def _restart_in_mid_queue(cluster: Cluster, container: Container, jobs: Sequence[str], draw: random.Random) -> None:
    """Redis and PostgreSQL, somewhere in the jobs that are still to be done."""
    moments = sorted(draw.sample(range(len(jobs) - LATER_PHOTOS, len(jobs) - 2), 2))
    for moment, restart in zip(moments, draw.sample([cluster.restart_redis, cluster.restart_postgres], 2), strict=True):
        _wait_until(lambda moment=moment: _count_finished(container, jobs) >= moment)
        restart()
    _wait_for_all(container, jobs)


def _summarize_and_delete(
    archive: Client, cluster: Cluster, container: Container, jobs: Sequence[str], draw: random.Random
) -> list[str]:
    """Of the film, and of a photo; whoever is at one of both is killed, and sometimes the API."""
    all_jobs = container.background.jobs
    film, pictured = (_asset_id(all_jobs.get(jobs[number])) for number in (0, len(jobs) - LATER_PHOTOS))
    (deleted,) = archive.delete_asset(pictured, COLLECTION)
    job_ids = [archive.summarize(film, idempotency_key="film").id, deleted.id]
    doomed = draw.choice(job_ids)
    _wait_until(lambda: container.background.jobs.get(doomed).state is not JobState.QUEUED)
    cluster.kill_worker(container.background.jobs.get(doomed).worker)
    if draw.random() < 0.5:
        cluster.kill_api()
        cluster.wait_for_api()
    assert archive.summarize(film, idempotency_key="film").id == job_ids[0]
    _wait_for_all(container, job_ids)
    return job_ids


def _run_jobs(container: Container, *new_jobs: NewJob) -> list[Job]:
    jobs = [container.background.dispatcher.submit(new).id for new in new_jobs]
    _wait_for_all(container, jobs)
    return [container.background.jobs.get(job) for job in jobs]


def _count_jobs(container: Container) -> int:
    return len(container.background.jobs.list_page(limit=500).items)


def _count_finished(container: Container, jobs: Sequence[str]) -> int:
    return sum(container.background.jobs.get(job).state.is_terminal for job in jobs)


def _wait_for_all(container: Container, jobs: Sequence[str]) -> None:
    _wait_until(lambda: _count_finished(container, jobs) == len(jobs))


def _wait_until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _asset_id(job: Job) -> str:
    assert job.asset_id is not None
    return job.asset_id


def _kill(process: Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _check_nothing_missed(container: Container, job: str, stream: Sequence[JobEventShape | JobShape]) -> None:
    """All that happened, once, in order, and its end."""
    *events, end = stream
    assert isinstance(end, JobShape)
    assert end.model_dump_json() == JobShape.of(container.background.jobs.get(job)).model_dump_json()
    happened = container.background.jobs.list_events(job)
    assert events == [JobEventShape.of(event) for event in happened]
    assert all(one.number < other.number for one, other in pairwise(happened))


def _check_done_once(container: Container, jobs: Sequence[str]) -> None:
    assert sorted(jobs) == sorted(job.id for job in container.background.jobs.list_page(limit=500).items)
    for job in jobs:
        current, events = container.background.jobs.get(job), container.background.jobs.list_events(job)
        states = [(event.state.value, event.note) for event in events]
        assert current.state is JobState.DONE, (current, states)
        assert sum(event.state.is_terminal for event in events) == 1, states
        assert count_starts(container, current) == current.fencing_token, states


def _check_nothing_left_over(container: Container) -> None:
    """Neither of what was deleted, nor of what was made twice."""
    assert container.catalog.orphaned_asset_ids() == []
    assert container.artifacts.list_assets() == sorted(asset.asset_id for asset in container.catalog.assets())


def _read_state(container: Container, jobs: Sequence[str]) -> ArchiveState:
    assets = sorted(container.catalog.assets(), key=lambda asset: asset.name)
    manifests = [container.artifacts.read_manifest(asset.asset_id, asset.version) for asset in assets]
    checkpoints = [pair for manifest in manifests for pair in container.artifacts.read_checkpoints(manifest)]
    memory = container.video_memory.memory(assets[0])
    assert memory is not None
    return ArchiveState(
        [replace(asset, indexed_at=0.0) for asset in assets],
        [replace(record, tensors_sha="") for record, _ in checkpoints],
        [vectors for _, vectors in checkpoints],
        memory,
        container.index.segment_counts(),
        [container.background.jobs.get(job).result for job in jobs],
    )


def _check_equal(state: ArchiveState, expected: ArchiveState) -> None:
    for name in ("assets", "records", "counts", "results"):
        assert getattr(state, name) == getattr(expected, name), name
    check_vectors(state.vectors, expected.vectors)
    check_memory(state.memory, expected.memory)
