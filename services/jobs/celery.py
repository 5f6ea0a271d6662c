"""`CeleryQueue` and `CeleryWorker`: jobs carried by Celery over Redis, from any machine to any other.

Messages hold an id, no more: who can read Redis learns nothing, and who can write to it can at most have a queued job
done. Nothing relies on Redis to keep them: the sweep sends again what it lost.
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

_log = logging.getLogger(__name__)
_TASK_NAME = "afterimage.run"
_CONNECT_TIMEOUT_S = 4.0
_URL_SETTING = "AFTERIMAGE_JOBS__URL"


class CeleryQueue:
    """Sends jobs to workers elsewhere. See `services.jobs.ports.JobQueue`."""

    def __init__(self, url: str, lease_s: float) -> None:
        self._app = _make_app(url, lease_s)

    def start(self, queues: Collection[JobQueueName]) -> None:
        """Its workers are started elsewhere."""

    def send(self, job: Job) -> None:
        try:
            self._app.send_task(_TASK_NAME, (job.id,), queue=job.kind.queue.value, retry=False)
        except OperationalError as error:
            raise _to_queue_unavailable(error) from error

    def queue_depth(self, queue: JobQueueName) -> int:
        connection = self._app.connection_for_read()
        try:
            with connection:
                connection.ensure_connection(max_retries=1, timeout=_CONNECT_TIMEOUT_S)
                return int(connection.channel().queue_declare(queue.value).message_count)
        except (OperationalError, *connection.connection_errors) as error:
            raise _to_queue_unavailable(error) from error

    def close(self) -> None:
        self._app.close()


class CeleryWorker:
    """Takes jobs of some queues, one at a time. `run` does the job of an id, `stop` gives back what is under way. See
    `services.jobs.ports.JobWorker`.

    The job runs in a thread of this process, so that models are loaded once, and a signal to stop reaches it.
    """

    def __init__(
        self, url: str, lease_s: float, dispatcher: JobDispatcher, run: Callable[[str], None], stop: Callable[[], None]
    ) -> None:
        self._app, self._dispatcher, self._stop = _make_app(url, lease_s), dispatcher, stop
        self._app.task(name=_TASK_NAME)(_swallow_claim_errors(run))

    def work(self, queues: Collection[JobQueueName]) -> None:
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
        worker.start()
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
            "health_check_interval": 10,
        },
    )
    return app


def _leave_logging_alone(**_: object) -> None:
    """Celery sets up logging by itself where nobody hears this signal."""


def _swallow_claim_errors(run: Callable[[str], None]) -> Callable[[str], None]:
    """A job that cannot even be claimed stays queued, and comes again: no failure of the task's own."""

    def run_job(job_id: str) -> None:
        try:
            run(job_id)
        except AfterimageError as error:
            _log.warning("job %s waits: %s", job_id, error)

    return run_job


def _to_queue_unavailable(error: Exception) -> QueueUnavailable:
    reason = " ".join(str(error).split())
    return QueueUnavailable(f"the queue cannot be reached ({reason}; {_URL_SETTING})")
