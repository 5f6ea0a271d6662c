"""Celery over a real Redis, its worker a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis as Client

from services.container import Container
from services.jobs.celery import CeleryQueue
from services.jobs.errors import QueueUnavailable
from services.jobs.store import JobStore
from services.jobs.types import JobQueueName
from tests.support.closed_port import refuse_connections
from tests.support.contract_job_queue import JobQueueContract, QueueHarness
from tests.support.database_servers import RedisServer
from tests.support.job_fixtures import new_index_job
from tests.support.job_workers import run_worker

MakeContainer = Callable[..., Container]

pytestmark = pytest.mark.slow


class TestCeleryQueue(JobQueueContract):
    @pytest.fixture
    def harness(
        self, make_job_container: MakeContainer, files: Path, tmp_path: Path, redis_server: RedisServer
    ) -> QueueHarness:
        celery = {"jobs__kind": "celery", "jobs__url": redis_server.url, "ingest__allowed_roots": f'["{files}"]'}
        container = make_job_container(**celery)

        def work() -> AbstractContextManager[object]:
            return run_worker(container.home, tmp_path / "worker.log", **celery)

        return QueueHarness(container, files, work, redis_server.flush)


def test_a_message_holds_an_id_and_no_more(redis_server: RedisServer, jobs: JobStore) -> None:
    queue = CeleryQueue(redis_server.url, 60)
    job = jobs.submit(new_index_job("secret collection"))
    assert queue.queue_depth(JobQueueName.INDEX) == 0
    queue.send(job)
    assert queue.queue_depth(JobQueueName.INDEX) == 1
    assert queue.queue_depth(JobQueueName.SUMMARIZE) == 0
    with Client.from_url(redis_server.url) as client:
        (message,) = client.lrange("index", 0, -1)
    assert job.id.encode() in message
    assert b"film" not in message
    assert b"secret" not in message
    queue.close()


@pytest.fixture
def closed_address() -> Iterator[str]:
    """`host:port` at which nobody answers."""
    with refuse_connections() as address:
        yield address


def _fail_instead_of_waiting(seconds: float) -> None:
    raise AssertionError(f"a request would wait {seconds} s longer for a Redis that has already refused")


def test_a_redis_that_is_not_there_is_named_by_its_setting_and_takes_no_job_with_it(
    make_job_container: MakeContainer,
    files: Path,
    jobs: JobStore,
    closed_address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kombu.utils.functional.sleep", _fail_instead_of_waiting)
    url = f"redis://:hunter2@{closed_address}/0"
    queue = CeleryQueue(url, 60)
    job = jobs.submit(new_index_job())
    for ask in (lambda: queue.send(job), lambda: queue.queue_depth(JobQueueName.INDEX)):
        with pytest.raises(QueueUnavailable, match="AFTERIMAGE_JOBS__URL") as raised:
            ask()
        assert "hunter2" not in str(raised.value)
    container = make_job_container(jobs__kind="celery", jobs__url=url)
    kept = container.background.dispatcher.submit(new_index_job())
    container.background.dispatcher.sweep()
    assert container.background.jobs.get(kept.id).state == "queued"


def test_what_could_not_be_sent_is_sent_later_whatever_else_waits(
    make_job_container: MakeContainer, redis_server: RedisServer
) -> None:
    container = make_job_container(jobs__kind="celery", jobs__url=redis_server.url)
    with redis_server.simulate_outage():
        kept = container.background.dispatcher.submit(new_index_job())
    assert container.background.dispatcher.queue_depth(JobQueueName.INDEX) == 0
    container.background.dispatcher.submit(new_index_job())
    container.background.dispatcher.sweep()
    assert container.background.dispatcher.queue_depth(JobQueueName.INDEX) == 2, kept.id
