"""Celery adapter of the job queue: ids of jobs travel over Redis to workers on other machines.

A message holds an id alone: reading Redis discloses nothing, and writing to it can at most run a queued job. Nothing
relies on Redis to keep messages, since the sweep sends lost ones again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any

import celery
from celery import signals
from celery.exceptions import OperationalError

from indexer.errors import AfterimageError
from services.jobs.dispatcher import JobDispatcher
from services.jobs.errors import QueueUnavailable
from services.jobs.types import Job, JobQueueName
from services.jobs.worker_registry import WorkerPresence

_log = logging.getLogger(__name__)
_TASK_NAME = "afterimage.run"
_CONNECT_TIMEOUT_S = 4.0
"""Chosen: a request that submits a job waits this long for an absent Redis; a slow network needs more."""
_SENDER_CONNECT_RETRIES = 0
"""Chosen: the sweep sends again what could not be sent; Kombu's retries would keep a request waiting 6 s more."""
_HEALTH_CHECK_INTERVAL_S = 10
"""Chosen: an idle worker notices a lost connection within this; shorter sends more pings."""
_URL_SETTING = "AFTERIMAGE_JOBS__URL"


class CeleryQueue:
    """JobQueue over Celery; its workers are other processes."""

    def __init__(self, url: str, lease_s: float) -> None:
        self._app = _make_app(url, lease_s)
        self._app.conf.broker_transport_options["max_retries"] = _SENDER_CONNECT_RETRIES

    def start(self, queues: Collection[JobQueueName]) -> None:
        """Do nothing: workers are other processes."""

    def send(self, job: Job) -> None:
        """Send a queued job's id to Redis. Errors: QueueUnavailable."""
        try:
            self._app.send_task(_TASK_NAME, (job.id,), queue=job.kind.queue.value, retry=False)
        except OperationalError as error:
            raise _to_queue_unavailable(error) from error

    def queue_depth(self, queue: JobQueueName) -> int:
        """Return the number of messages in a queue of Redis. Errors: QueueUnavailable."""
        connection = self._app.connection_for_read()
        try:
            with connection:
                connection.ensure_connection(max_retries=_SENDER_CONNECT_RETRIES, timeout=_CONNECT_TIMEOUT_S)
                return int(connection.channel().queue_declare(queue.value).message_count)
        except (OperationalError, *connection.connection_errors) as error:
            raise _to_queue_unavailable(error) from error

    def close(self) -> None:
        """Close the connections to Redis."""
        self._app.close()


class CeleryWorker:
    """JobWorker over Celery that runs one job at a time, in a thread (decision 0044).

    `run` runs the job of an id; `stop` makes it release a running job; `presence` records the process as a worker.
    """

    def __init__(
        self,
        url: str,
        lease_s: float,
        dispatcher: JobDispatcher,
        run: Callable[[str], None],
        stop: Callable[[], None],
        presence: WorkerPresence,
    ) -> None:
        self._app, self._dispatcher, self._stop, self._presence = _make_app(url, lease_s), dispatcher, stop, presence
        self._app.task(name=_TASK_NAME)(_swallow_claim_errors(run))

    def work(self, queues: Collection[JobQueueName]) -> None:
        """Run jobs until SIGTERM or SIGINT."""
        signals.worker_shutting_down.connect(self._on_shutdown)
        signals.setup_logging.connect(_leave_logging_alone)
        names = [queue.value for queue in queues]
        worker = self._app.Worker(
            pool="threads",
            concurrency=1,
            queues=names,
            quiet=True,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._dispatcher.start(())
        self._presence.start(queues)
        worker.start()
        self._presence.close()
        self._dispatcher.close()

    def _on_shutdown(self, **_: object) -> None:
        self._stop()


def _make_app(url: str, lease_s: float) -> Any:  # noqa: ANN401 (Celery has no types)
    app = celery.Celery("afterimage", broker=url, set_as_current=False, fixups=[])
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_default_queue=JobQueueName.INDEX.value,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_timeout=_CONNECT_TIMEOUT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 2 * lease_s,
            "socket_connect_timeout": _CONNECT_TIMEOUT_S,
            "health_check_interval": _HEALTH_CHECK_INTERVAL_S,
        },
    )
    return app


def _leave_logging_alone(**_: object) -> None:
    """Keep the process's logging: Celery configures its own unless this signal has a receiver."""


def _swallow_claim_errors(run: Callable[[str], None]) -> Callable[[str], None]:
    """Wrap `run` so that a job that cannot be claimed stays queued without failing the Celery task."""

    def run_job(job_id: str) -> None:
        try:
            run(job_id)
        except AfterimageError as error:
            _log.warning("job %s stays queued: %s", job_id, error)

    return run_job


def _to_queue_unavailable(error: Exception) -> QueueUnavailable:
    reason = " ".join(str(error).split())
    return QueueUnavailable(f"the queue cannot be reached ({reason}; {_URL_SETTING})")
