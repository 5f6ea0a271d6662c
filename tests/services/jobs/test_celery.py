"""Celery over a real Redis, its worker a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from redis import Redis as Client

from services.container import Container
from services.jobs.celery import CeleryQueue
from services.jobs.errors import QueueUnavailable
from services.jobs.store import JobStore
from services.jobs.types import JobQueueName
from tests.support.contract_job_queue import JobQueueContract, QueueHarness
from tests.support.database_servers import RedisServer, find_free_port
from tests.support.job_fixtures import new_index_job
from tests.support.job_workers import run_worker

MakeContainer = Callable[..., Container]

pytestmark = pytest.mark.slow


class TestCeleryQueue(JobQueueContract):
    @pytest.fixture
    def place(self, asking: MakeContainer, files: Path, tmp_path: Path, redis_server: RedisServer) -> QueueHarness:
        celery = {"jobs__kind": "celery", "jobs__url": redis_server.url, "ingest__allowed_roots": f'["{files}"]'}
        container = asking(**celery)

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


def test_a_redis_that_is_not_there_is_named_by_its_setting_and_takes_no_job_with_it(
    asking: MakeContainer, files: Path, jobs: JobStore
) -> None:
    url = f"redis://:hunter2@127.0.0.1:{find_free_port()}/0"
    queue = CeleryQueue(url, 60)
    job = jobs.submit(new_index_job())
    for ask in (lambda: queue.send(job), lambda: queue.queue_depth(JobQueueName.INDEX)):
        with pytest.raises(QueueUnavailable, match="AFTERIMAGE_JOBS__URL") as raised:
            ask()
        assert "hunter2" not in str(raised.value)
    container = asking(jobs__kind="celery", jobs__url=url)
    kept = container.dispatcher.submit(new_index_job())
    container.dispatcher.sweep()
    assert container.jobs.get(kept.id).state == "queued"


def test_what_could_not_be_sent_is_sent_later_whatever_else_waits(
    asking: MakeContainer, redis_server: RedisServer
) -> None:
    container = asking(jobs__kind="celery", jobs__url=redis_server.url)
    with redis_server.simulate_outage():
        kept = container.dispatcher.submit(new_index_job())
    assert container.dispatcher.queue_depth(JobQueueName.INDEX) == 0
    container.dispatcher.submit(new_index_job())
    container.dispatcher.sweep()
    assert container.dispatcher.queue_depth(JobQueueName.INDEX) == 2, kept.id
