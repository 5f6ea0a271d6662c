"""A stage keeps order, holds back who is too fast, and hands errors on."""

from __future__ import annotations

import threading
import time

import pytest

from indexer.pipeline.bounded_stage import BoundedStage


def test_tasks_run_in_order_in_one_thread() -> None:
    seen: list[int] = []
    with BoundedStage("order", 2) as stage:
        for i in range(20):
            stage.submit(lambda i=i: seen.append(i))
    assert seen == list(range(20))


def test_submit_waits_when_the_inbox_is_full() -> None:
    gate = threading.Event()
    with BoundedStage("full", 2) as stage:
        stage.submit(gate.wait)
        stage.submit(gate.wait)
        threading.Timer(0.2, gate.set).start()
        began = time.monotonic()
        stage.submit(lambda: None)
        assert time.monotonic() - began > 0.1


def test_an_error_reaches_who_asks_for_the_result() -> None:
    with BoundedStage("error", 2) as stage:
        future = stage.submit(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            future.result()
        assert stage.submit(lambda: 7).result() == 7
