"""Build what runs in the background: the job store, leases, the queue, workers, webhooks, retention."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property

from services.database.engine import SqlDatabase
from services.egress.url_policy import UrlPolicy
from services.jobs.dispatcher import JobDispatcher
from services.jobs.handlers import JobHandlers
from services.jobs.leases import Leases
from services.jobs.outbox import Outbox
from services.jobs.ports import JobQueue, JobWorker
from services.jobs.retention import Retention
from services.jobs.runner import JobRunner
from services.jobs.statistics import JobStatistics
from services.jobs.store import JobStore
from services.jobs.webhooks import WebhookSender
from services.jobs.worker_registry import WorkerPresence, WorkerRegistry
from services.settings import JobsSettings

_WEBHOOK_READ_TIMEOUT_S = 10.0
"""Chosen: a receiver that sends nothing for ten seconds is tried again later."""
_WEBHOOK_TIMEOUT_S = 30.0
"""Chosen: no try of a webhook takes longer, so that one slow receiver delays the others by half a minute at most."""


class Background:
    """Jobs of one process. `resources` stops what was started."""

    def __init__(
        self,
        settings: JobsSettings,
        database: SqlDatabase,
        make_handlers: Callable[[JobStore], JobHandlers],
        make_retention: Callable[[JobStore], Retention],
        resources: ExitStack,
    ) -> None:
        self._settings, self._database, self._resources = settings, database, resources
        self._make_handlers, self._make_retention = make_handlers, make_retention

    @cached_property
    def jobs(self) -> JobStore:
        """The jobs of the database."""
        return JobStore(self._database, self._settings.max_attempts)

    @cached_property
    def statistics(self) -> JobStatistics:
        """The statistics of jobs, queues and workers."""
        return JobStatistics(self._database, self._workers)

    @cached_property
    def leases(self) -> Leases:
        """The leases of workers on jobs."""
        return Leases(self._database, self._settings.lease_s, self._settings.retry_backoff_s)

    @cached_property
    def runner(self) -> JobRunner:
        """The runner of jobs in this process."""
        return JobRunner(self.leases, self._make_handlers(self.jobs))

    @cached_property
    def outbox(self) -> Outbox:
        """The webhook deliveries of the database."""
        return Outbox(self._database)

    @cached_property
    def webhooks(self) -> WebhookSender:
        """The sender of webhooks."""
        from services.egress.http import OutboundClient

        settings = self._settings
        policy = UrlPolicy(None, settings.webhook_private_hosts, "AFTERIMAGE_JOBS__WEBHOOK_PRIVATE_HOSTS")
        client = OutboundClient(policy, _WEBHOOK_READ_TIMEOUT_S, _WEBHOOK_TIMEOUT_S)
        secret = settings.webhook_secret.get_secret_value()
        return WebhookSender(self.outbox, client, secret, settings.webhook_attempts)

    @cached_property
    def dispatcher(self) -> JobDispatcher:
        """The way of jobs to workers; `start` it to have lost ones found and inline ones done."""
        dispatcher = JobDispatcher(
            self.jobs,
            self.leases,
            self._queue,
            self.webhooks,
            self._make_retention(self.jobs),
            sweep_interval_s=self._settings.sweep_interval_s,
            redeliver_after_s=self._settings.redeliver_after_s,
        )
        self._resources.callback(dispatcher.close)
        return dispatcher

    @cached_property
    def worker(self) -> JobWorker:
        """The worker of this process, which takes jobs from the queue until it is stopped."""
        match self._settings.kind:
            case "inline":
                from services.jobs.inline import InlineWorker

                return InlineWorker(self.dispatcher)
            case "celery":
                from services.jobs.celery import CeleryWorker

                url, lease_s = self._settings.url.get_secret_value(), self._settings.lease_s
                presence = WorkerPresence(self._workers)
                return CeleryWorker(url, lease_s, self.dispatcher, self.runner.run, self.runner.stop, presence)

    @cached_property
    def _workers(self) -> WorkerRegistry:
        return WorkerRegistry(self._database)

    @cached_property
    def _queue(self) -> JobQueue:
        match self._settings.kind:
            case "inline":
                from services.jobs.inline import InlineQueue

                return InlineQueue(self.runner.run, self.runner.stop, WorkerPresence(self._workers))
            case "celery":
                from services.jobs.celery import CeleryQueue

                return CeleryQueue(self._settings.url.get_secret_value(), self._settings.lease_s)
