"""What operators are told where not all is well; the ordinary case is among the problems' tests."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from api.http.concurrency import ConcurrencyLimits
from api.http.metrics import Metrics
from api.http.routes.health import _list_notes
from services.jobs.statistics import QueueStatistics
from services.jobs.types import JobQueueName
from tests.support.small_archive import open_small_archive


def test_a_home_that_does_not_exist_yet_costs_no_metric_but_its_own(tmp_path: Path) -> None:
    """As in a cluster, whose parts are elsewhere."""
    with closing(open_small_archive(tmp_path / "home")) as container:
        limits = ConcurrencyLimits.from_settings(container.settings.serve)
        metrics = Metrics(limits, container.background.statistics, tmp_path / "nowhere", lambda: "loading")
        text = metrics.render().decode()
    assert 'afterimage_models{state="loading"} 1.0' in text and "afterimage_disk" not in text


def test_queues_without_workers_and_a_full_disk_are_noted() -> None:
    queues = {JobQueueName.INDEX: QueueStatistics(3, 9.0, 0), JobQueueName.SUMMARIZE: QueueStatistics(0, 0.0, 2)}
    assert _list_notes(queues, 5_000_000) == [
        "no worker takes jobs of queue index",
        "the disk is nearly full: 5 MB are free",
    ]
    assert _list_notes({JobQueueName.SUMMARIZE: QueueStatistics(0, 0.0, 1)}, 10**12) == []
