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
from places import PATIENCE_S, QUICK, make_files, photo, take_in, times_begun
from sameness import check_memory, check_vectors
from shared import Services, opened

from api.client import Client, ProblemError, ServerUnavailable
from api.job_shapes import JobEventShape, JobShape
from benchmarks.servers import Postgres, Redis, free_port
from benchmarks.serving import started, wait_until_ready
from indexer.artifacts import CheckpointRecord
from indexer.types import Lane, Vectors
from memory.store import StoredMemory
from services.catalog import Asset
from services.container import Container
from services.jobs.types import (
    DeleteRequest,
    Job,
    JobState,
    NewJob,
    ReindexRequest,
    SummarizeRequest,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("AFTERIMAGE_TEST_CHAOS", "2"))
WORKERS = 2
PHOTOS, LATER_PHOTOS = 2, 8
LATEST_S, LATEST_ANSWER_S = 0.5, 0.02
SETTINGS = QUICK | {"visual__model": "package:demoworld/weights/open_clip"}
"""Vectors and memories are made, text is not read."""
COLLECTION = "default"


@dataclass
class Cluster:
    """Servers, an API and workers; whatever is killed is started again, as a supervisor would."""

    settings: dict[str, str]
    home: Path
    logs: Path
    redis: Redis
    postgres: Postgres
    port: int = field(default_factory=free_port)
    happened: list[str] = field(default_factory=list)
    api: Popen[bytes] | None = None
    workers: list[Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.api = self._served()
        self.workers = [self._worker() for _ in range(WORKERS)]
        self.wait_for_api()

    def kill_worker(self, worker: str | None) -> None:
        """The one that a job names as its own; any, where it names none that is still there."""
        pid = 0 if worker is None else int(worker.rpartition(":")[2])
        number = next((number for number, one in enumerate(self.workers) if one.pid == pid), 0)
        _kill(self.workers[number])
        self.workers[number] = self._worker()
        self.happened.append("worker killed")

    def kill_api(self) -> None:
        assert self.api is not None
        _kill(self.api)
        self.api = self._served()
        self.happened.append("api killed")

    def wait_for_api(self) -> None:
        assert self.api is not None
        wait_until_ready(self.api, self.port)

    def restart_redis(self) -> None:
        with self.redis.away():
            self.happened.append("redis stopped")

    def lose_redis(self) -> None:
        self.redis.kill()
        for kept in self.redis.folder.glob("appendonlydir/*"):
            kept.unlink()
        self.redis.start()
        self.happened.append("redis lost everything")

    def restart_postgres(self) -> None:
        with self.postgres.away():
            self.happened.append("postgres stopped")

    def stop(self) -> None:
        for process in self.workers:
            process.terminate()
        for process in self.workers:
            process.wait(PATIENCE_S)
        if self.api is not None:
            _kill(self.api)

    def _served(self) -> Popen[bytes]:
        return self._started("api", "serve", "--port", str(self.port))

    def _worker(self) -> Popen[bytes]:
        return self._started("workers", "worker")

    def _started(self, log: str, *command: str) -> Popen[bytes]:
        return started(self.home, self.logs / log, SETTINGS | self.settings, *command)


@dataclass(frozen=True, slots=True)
class Films:
    """What is taken in, a film first: some at first, some when servers go away."""

    first: list[Path]
    later: list[Path]


@dataclass(frozen=True, slots=True)
class State:
    """What jobs left behind, but for the time at which it was."""

    assets: list[Asset]
    records: list[CheckpointRecord]
    vectors: list[dict[Lane, Vectors]]
    memory: StoredMemory
    counts: dict[str, int]
    results: list[object]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Films:
    folder = tmp_path_factory.mktemp("films")
    make_files(folder)
    photos = [photo(folder, number) for number in range(PHOTOS + LATER_PHOTOS)]
    first = [folder / "film.mp4", folder / "report.pdf", folder / "photo.png"]
    return Films([*first, *photos[:PHOTOS]], photos[PHOTOS:])


@pytest.fixture(scope="module")
def undisturbed(films: Films, tmp_path_factory: pytest.TempPathFactory) -> Iterator[State]:
    """The same jobs in a process to which nothing happens."""
    roots = f'["{films.first[0].parent}"]'
    container = opened(tmp_path_factory.mktemp("undisturbed"), **SETTINGS, ingest__allowed_roots=roots)
    container.dispatcher.start()
    jobs = _done(container, *(take_in(path) for path in films.first), *(take_in(path) for path in films.later))
    told, gone = SummarizeRequest(_asset(jobs[0])), DeleteRequest(_asset(jobs[len(films.first)]))
    jobs += _done(container, NewJob(told, COLLECTION), NewJob(gone, COLLECTION))
    jobs += _done(container, NewJob(ReindexRequest()))
    state = _state(container, [job.id for job in jobs])
    assert {*state.vectors[0]} == {Lane.VISUAL} and state.memory.lanes
    yield state
    container.close()


@pytest.fixture
def cluster(redis_server: Redis, postgres_server: Postgres, films: Films, tmp_path: Path) -> Iterator[Cluster]:
    with postgres_server.database() as url:
        settings = {"jobs__kind": "celery", "jobs__url": redis_server.url, "catalog__url": url}
        settings |= {
            "jobs__lease_s": "8",
            "jobs__max_attempts": "20",
            "ingest__allowed_roots": f'["{films.first[0].parent}"]',
        }
        cluster = Cluster(settings, tmp_path / "home", tmp_path, redis_server, postgres_server)
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_every_job_ends_done_once_as_if_nothing_had_happened(
    services: Services, cluster: Cluster, films: Films, undisturbed: State, round_: int
) -> None:
    draw = random.Random(round_)
    container = services(cluster.home, **(SETTINGS | cluster.settings))
    cluster.start()
    with Client(cluster.url, resume_timeout_s=PATIENCE_S) as archive, ThreadPoolExecutor(1) as threads:
        jobs = _ask(archive, films.first)
        seen = threads.submit(lambda: list(archive.follow_job(jobs[0])))
        _kill_in_mid_film(cluster, container, jobs[0], draw)
        assert _ask(archive, films.first) == jobs  # as by someone who was not answered
        jobs += _ask_a_server_that_is_killed(archive, cluster, films.later, draw)
        _restart_in_mid_queue(cluster, container, jobs, draw)
        jobs += _summarize_and_delete(archive, cluster, container, jobs, draw)
        _check_nothing_left_over(container)
        jobs.append(archive.reindex("new index").id)
        time.sleep(draw.uniform(0, LATEST_S))  # before it is begun, or while it is at it
        draw.choice([lambda: cluster.kill_worker(container.jobs.get(jobs[-1]).worker), cluster.lose_redis])()
        _wait_for_all(container, jobs)
        _check_nothing_missed(container, jobs[0], seen.result(PATIENCE_S))
    _check_done_once(container, jobs)
    _check_nothing_left_over(container)
    _check_same(_state(container, jobs), undisturbed)


def _ask(archive: Client, paths: Sequence[Path]) -> list[str]:
    """The jobs that take files in; asked for again, they are the same."""
    return [archive.import_source(path.as_uri(), COLLECTION, path.name, idempotency_key=path.name).id for path in paths]


def _ask_a_server_that_is_killed(
    archive: Client, cluster: Cluster, paths: Sequence[Path], draw: random.Random
) -> list[str]:
    """While it takes one of them; who was not answered asks again, until the name of the request is free."""
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(lambda: _insisting(lambda: _ask(archive, paths)))
        time.sleep(draw.uniform(0, LATEST_ANSWER_S * len(paths)))
        cluster.kill_api()
        return asked.result(PATIENCE_S)


def _insisting(ask: Callable[[], list[str]]) -> list[str]:
    while True:
        try:
            return ask()
        except ServerUnavailable:
            pass
        except ProblemError as error:
            assert error.problem.type == "urn:afterimage:idempotency-conflict"
        time.sleep(0.1)


def _kill_in_mid_film(cluster: Cluster, container: Container, film: str, draw: random.Random) -> None:
    """The worker that is at it, and the API that tells of it."""
    checkpoint = f"{draw.randrange(3):05}.json"
    _until(lambda: any(cluster.home.glob(f"artifacts/*/*/{checkpoint}")))
    worker = container.jobs.get(film).worker
    assert worker is not None
    for kill in draw.sample([lambda: cluster.kill_worker(worker), cluster.kill_api], 2):
        kill()
    assert container.jobs.get(film).state is JobState.RUNNING
    cluster.wait_for_api()


def _restart_in_mid_queue(cluster: Cluster, container: Container, jobs: Sequence[str], draw: random.Random) -> None:
    """Redis and PostgreSQL, somewhere in the jobs that are still to be done."""
    moments = sorted(draw.sample(range(len(jobs) - LATER_PHOTOS, len(jobs) - 2), 2))
    for moment, happen in zip(moments, draw.sample([cluster.restart_redis, cluster.restart_postgres], 2), strict=True):
        _until(lambda moment=moment: _ended(container, jobs) >= moment)
        happen()
    _wait_for_all(container, jobs)


def _summarize_and_delete(
    archive: Client, cluster: Cluster, container: Container, jobs: Sequence[str], draw: random.Random
) -> list[str]:
    """Of the film, and of a photo; whoever is at one of both is killed, and sometimes the API."""
    film, pictured = (_asset(container.jobs.get(jobs[number])) for number in (0, len(jobs) - LATER_PHOTOS))
    (deleted,) = archive.delete_asset(pictured, COLLECTION)
    asked = [archive.summarize(film, idempotency_key="film").id, deleted.id]
    doomed = draw.choice(asked)
    _until(lambda: container.jobs.get(doomed).state is not JobState.QUEUED)
    cluster.kill_worker(container.jobs.get(doomed).worker)
    if draw.random() < 0.5:
        cluster.kill_api()
        cluster.wait_for_api()
    assert archive.summarize(film, idempotency_key="film").id == asked[0]
    _wait_for_all(container, asked)
    return asked


def _done(container: Container, *asked: NewJob) -> list[Job]:
    jobs = [container.dispatcher.submit(new).id for new in asked]
    _wait_for_all(container, jobs)
    return [container.jobs.get(job) for job in jobs]


def _ended(container: Container, jobs: Sequence[str]) -> int:
    return sum(container.jobs.get(job).state.is_terminal for job in jobs)


def _wait_for_all(container: Container, jobs: Sequence[str]) -> None:
    _until(lambda: _ended(container, jobs) == len(jobs))


def _until(happened: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _asset(job: Job) -> str:
    assert job.asset_id is not None
    return job.asset_id


def _kill(process: Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _check_nothing_missed(container: Container, job: str, seen: Sequence[JobEventShape | JobShape]) -> None:
    """All that happened, once, in order, and its end."""
    *events, end = seen
    assert isinstance(end, JobShape)
    assert end.model_dump_json() == JobShape.of(container.jobs.get(job)).model_dump_json()
    happened = container.jobs.list_events(job)
    assert events == [JobEventShape.of(event) for event in happened]
    assert all(one.number < other.number for one, other in pairwise(happened))


def _check_done_once(container: Container, jobs: Sequence[str]) -> None:
    assert sorted(jobs) == sorted(job.id for job in container.jobs.list_page(limit=500).items)
    for job in jobs:
        current, events = container.jobs.get(job), container.jobs.list_events(job)
        said = [(event.state.value, event.note) for event in events]
        assert current.state is JobState.DONE, (current, said)
        assert sum(event.state.is_terminal for event in events) == 1, said
        assert times_begun(container, current) == current.fencing_token, said


def _check_nothing_left_over(container: Container) -> None:
    """Neither of what was deleted, nor of what was made twice."""
    assert container.catalog.orphaned_asset_ids() == []
    assert container.artifacts.list_assets() == sorted(asset.asset_id for asset in container.catalog.assets())


def _state(container: Container, jobs: Sequence[str]) -> State:
    assets = sorted(container.catalog.assets(), key=lambda asset: asset.name)
    manifests = [container.artifacts.read_manifest(asset.asset_id, asset.version) for asset in assets]
    stored = [pair for manifest in manifests for pair in container.artifacts.read_checkpoints(manifest)]
    memory = container.video_memory.memory(assets[0])
    assert memory is not None
    return State(
        [replace(asset, indexed_at=0.0) for asset in assets],
        [replace(record, tensors_sha="") for record, _ in stored],
        [vectors for _, vectors in stored],
        memory,
        container.index.segment_counts(),
        [container.jobs.get(job).result for job in jobs],
    )


def _check_same(state: State, expected: State) -> None:
    for name in ("assets", "records", "counts", "results"):
        assert getattr(state, name) == getattr(expected, name), name
    check_vectors(state.vectors, expected.vectors)
    check_memory(state.memory, expected.memory)
