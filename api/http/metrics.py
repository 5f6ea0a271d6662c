"""Prometheus metrics of one server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.http.concurrency import ConcurrencyLimits
from services.jobs.statistics import JobStatistics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Chosen: prometheus_client's own buckets, and up to five minutes for answers and uploads."""


class Metrics:
    """Requests by route and status, their latencies, running and waiting work by kind; jobs, queues, disk and models.

    Jobs, queues and workers are those of all servers that share a database. `home` is the folder whose disk is watched,
    `model_state` returns `loading`, `ready`, or the class name of an error.
    """

    def __init__(
        self, limits: ConcurrencyLimits, jobs: JobStatistics, home: Path, model_state: Callable[[], str]
    ) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "afterimage_requests", "Requests that were answered", ("method", "route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "afterimage_request_seconds",
            "Time until a request was answered to its end",
            ("method", "route"),
            buckets=_LATENCY_BUCKETS_S,
            registry=self._registry,
        )
        self._registry.register(_ConcurrencyCollector(limits))
        self._registry.register(_JobsCollector(jobs))
        self._registry.register(_MachineCollector(home, model_state))

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered. `route` is the path template: ids of assets must not make series."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """Render the metrics in the text format of Prometheus. Errors: those of the database."""
        return generate_latest(self._registry)


class _ConcurrencyCollector(Collector):
    """Collects running and waiting work at the time of the scrape."""

    def __init__(self, limits: ConcurrencyLimits) -> None:
        self._limits = {
            "search": limits.searches,
            "answer": limits.answers,
            "lookup": limits.lookups,
            "clip": limits.clips,
            "query_image": limits.query_images,
            "embedding": limits.embeddings,
        }

    def collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("afterimage_running", "What runs now", labels=("kind",))
        waiting = GaugeMetricFamily("afterimage_waiting", "What waits for its turn now", labels=("kind",))
        for kind, limit in self._limits.items():
            running.add_metric((kind,), limit.running)
            waiting.add_metric((kind,), limit.waiting)
        yield from (running, waiting)


class _JobsCollector(Collector):
    """Collects jobs, queues and workers from the database at the time of the scrape."""

    def __init__(self, jobs: JobStatistics) -> None:
        self._jobs = jobs

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("afterimage_jobs", "Jobs", labels=("kind", "state"))

    def collect(self) -> Iterator[Metric]:
        """Yield the jobs by kind and state, and depth, oldest job and workers of each queue."""
        jobs = GaugeMetricFamily("afterimage_jobs", "Jobs", labels=("kind", "state"))
        for (kind, state), number in self._jobs.count_by_kind_and_state().items():
            jobs.add_metric((kind.value, state.value), number)
        depth = GaugeMetricFamily("afterimage_queue_depth", "Jobs that are due and wait", labels=("queue",))
        oldest = GaugeMetricFamily(
            "afterimage_queue_oldest_seconds", "Seconds that the oldest waiting job has waited", labels=("queue",)
        )
        workers = GaugeMetricFamily("afterimage_workers", "Workers that are alive", labels=("queue",))
        for queue, statistics in self._jobs.describe_queues().items():
            depth.add_metric((queue.value,), statistics.depth)
            oldest.add_metric((queue.value,), statistics.oldest_s)
            workers.add_metric((queue.value,), statistics.workers)
        yield from (jobs, depth, oldest, workers)


class _MachineCollector(Collector):
    """Collects the disk of the home folder and the state of the models of this process."""

    def __init__(self, home: Path, model_state: Callable[[], str]) -> None:
        self._home, self._model_state = home, model_state

    def collect(self) -> Iterator[Metric]:
        with suppress(OSError):  # a server of a cluster may have no home yet
            disk = shutil.disk_usage(self._home)
            yield GaugeMetricFamily("afterimage_disk_free_bytes", "Free bytes where the home folder lies", disk.free)
            yield GaugeMetricFamily("afterimage_disk_bytes", "Size in bytes of the disk of the home folder", disk.total)
        models = GaugeMetricFamily("afterimage_models", "State of the models: 1 for the present one", labels=("state",))
        models.add_metric((self._model_state(),), 1)
        yield models
