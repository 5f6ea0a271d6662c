"""Prometheus metrics of one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.http.concurrency import ConcurrencyLimits
from services.jobs.types import JobKind, JobState

JobCounts: TypeAlias = Mapping[tuple[JobKind, JobState], int]
"""Number of jobs by kind and state."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
"""Chosen: prometheus_client's own buckets, and up to five minutes for answers and uploads."""


class Metrics:
    """Requests by route and status, their latencies, running and waiting work by kind, and jobs by kind and state.

    Jobs are those of all servers that share a database.
    """

    def __init__(self, limits: ConcurrencyLimits, jobs: Callable[[], JobCounts]) -> None:
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
        }

    def collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("afterimage_running", "What runs now", labels=("kind",))
        waiting = GaugeMetricFamily("afterimage_waiting", "What waits for its turn now", labels=("kind",))
        for kind, limit in self._limits.items():
            running.add_metric((kind,), limit.running)
            waiting.add_metric((kind,), limit.waiting)
        yield from (running, waiting)


class _JobsCollector(Collector):
    """Collects the numbers of jobs from the database at the time of the scrape."""

    def __init__(self, counts: Callable[[], JobCounts]) -> None:
        self._counts = counts

    def describe(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("afterimage_jobs", "Jobs", labels=("kind", "state"))

    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("afterimage_jobs", "Jobs", labels=("kind", "state"))
        for (kind, state), number in self._counts().items():
            jobs.add_metric((kind.value, state.value), number)
        yield jobs
