"""Workers killed, Redis and PostgreSQL restarted under way: every job ends done, once, as where nothing happened.

`AFTERIMAGE_TEST_CHAOS` is the number of rounds; what happens when, in each, is drawn from its number.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest
from places import PATIENCE_S, QUICK, make_files, photo, started, take_in, times_begun
from shared import Services

from benchmarks.servers import Postgres, Redis
from indexer.artifacts import CheckpointRecord
from indexer.types import Lane, Vectors
from services.catalog import Asset
from services.container import Container
from services.jobs.types import Job, JobState, NewJob, ReindexRequest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ROUNDS = int(os.environ.get("AFTERIMAGE_TEST_CHAOS", "2"))
PHOTOS = 8


@dataclass
class Cluster:
    """Servers, and a worker that is started again when it is killed, as a supervisor would."""

    settings: dict[str, str]
    home: Path
    log: Path
    redis: Redis
    postgres: Postgres
    happened: list[str] = field(default_factory=list)
    process: Popen[bytes] | None = None

    def work(self) -> None:
        self.process = started(self.home, self.log, **self.settings)

    def kill_worker(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.happened.append("worker killed")
        self.work()

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
        if self.process is not None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)


@dataclass(frozen=True, slots=True)
class State:
    """What jobs left behind, but for the time at which it was."""

    assets: list[Asset]
    records: list[CheckpointRecord]
    vectors: list[dict[Lane, Vectors]]
    counts: dict[str, int]
    results: list[object]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_files(folder)
    (folder / "broken.mp4").unlink()
    for number in range(PHOTOS):
        photo(folder, number)
    return folder


@pytest.fixture
def undisturbed(services: Services, films: Path, tmp_path: Path) -> State:
    """The same jobs in a process to which nothing happens."""
    container = services(tmp_path / "undisturbed", **QUICK, intake__roots=f'["{films}"]')
    container.dispatch.start()
    jobs = _ask(container, films)
    _until(lambda: _ended(container, jobs) == len(jobs))
    jobs.append(container.dispatch.submit(NewJob(ReindexRequest())))
    _until(lambda: _ended(container, jobs) == len(jobs))
    return _state(container, jobs)


@pytest.fixture
def cluster(redis_server: Redis, postgres_server: Postgres, films: Path, tmp_path: Path) -> Iterator[Cluster]:
    with postgres_server.database() as url:
        settings = {"jobs__kind": "celery", "jobs__url": redis_server.url, "catalog__url": url}
        settings |= {"jobs__lease_s": "8", "jobs__attempts": "20", "intake__roots": f'["{films}"]'}
        cluster = Cluster(settings, tmp_path / "home", tmp_path / "worker.log", redis_server, postgres_server)
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_every_job_ends_done_once_as_if_nothing_had_happened(
    services: Services, cluster: Cluster, films: Path, undisturbed: State, round_: int
) -> None:
    draw = random.Random(round_)
    container = services(cluster.home, **(QUICK | cluster.settings))
    with _dispatching(container):
        jobs = _ask(container, films)
        cluster.work()
        _until(lambda: any(cluster.home.glob("artifacts/*/*/00000.json")))
        cluster.kill_worker()  # in the middle of the film
        moments = sorted(draw.sample(range(len(jobs) - 1), 2))
        servers = draw.sample([cluster.restart_redis, cluster.restart_postgres], 2)
        for moment, happen in zip(moments, servers, strict=True):
            _until(lambda moment=moment: _ended(container, jobs) >= moment)
            time.sleep(draw.uniform(0, 0.5))  # somewhere in the job after it
            happen()
        _until(lambda: _ended(container, jobs) == len(jobs))
        again = container.dispatch.submit(NewJob(ReindexRequest()))
        draw.choice([cluster.kill_worker, cluster.lose_redis])()  # before it is begun, or while it is at it
        jobs.append(again)
        _until(lambda: _ended(container, jobs) == len(jobs))
    assert len(cluster.happened) == 4, cluster.happened
    _check_done_once(container, jobs)
    _check_same(_state(container, jobs), undisturbed)


def _ended(container: Container, jobs: list[Job]) -> int:
    return sum(container.jobs.get(job.id).state.finished for job in jobs)


def _ask(container: Container, films: Path) -> list[Job]:
    """A film first, then pictures and a report, asked for at once."""
    return [container.dispatch.submit(take_in(path)) for path in sorted(films.iterdir()) if path.suffix != ".srt"]


@contextmanager
def _dispatching(container: Container) -> Iterator[None]:
    """The process that asks sweeps too; it goes on while servers are away."""
    container.dispatch.start()
    try:
        yield
    finally:
        container.dispatch.close()


def _until(happened: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _check_done_once(container: Container, jobs: list[Job]) -> None:
    for job in jobs:
        current, events = container.jobs.get(job.id), container.jobs.events(job.id)
        said = [(event.state.value, event.note) for event in events]
        assert current.state is JobState.DONE, (current, said)
        assert sum(event.state.finished for event in events) == 1, said
        assert times_begun(container, job) == current.claims, said


def _state(container: Container, jobs: list[Job]) -> State:
    assets = sorted(container.catalog.assets(), key=lambda asset: asset.name)
    manifests = [container.artifacts.manifest(asset.asset_id, asset.version) for asset in assets]
    stored = [pair for manifest in manifests for pair in container.artifacts.checkpoints(manifest)]
    return State(
        [replace(asset, indexed_at=0.0) for asset in assets],
        [replace(record, tensors_sha="") for record, _ in stored],
        [vectors for _, vectors in stored],
        container.index.counts(),
        [container.jobs.get(job.id).result for job in jobs],
    )


def _check_same(state: State, expected: State) -> None:
    for name in ("assets", "records", "counts", "results"):
        assert getattr(state, name) == getattr(expected, name), name
    for vectors, others in zip(state.vectors, expected.vectors, strict=True):
        assert vectors.keys() == others.keys()
        for lane in vectors:
            np.testing.assert_allclose(vectors[lane], others[lane], atol=1e-5)
