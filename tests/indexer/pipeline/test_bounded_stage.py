"""A stage keeps order, holds back who is too fast, and hands errors on."""

from __future__ import annotations

import threading

import pytest

from indexer.pipeline.bounded_stage import BoundedStage
from tests.support.waiting import wait_until


def test_tasks_run_in_order_in_one_thread() -> None:
    seen: list[int] = []
    with BoundedStage("order", 2) as stage:
        for i in range(20):
            stage.submit(lambda i=i: seen.append(i))
    assert seen == list(range(20))


def test_submit_waits_when_the_inbox_is_full() -> None:
    gate = threading.Event()
    events: list[int | str] = []

    def fill() -> None:
        for number in range(8):
            stage.submit(gate.wait)
            events.append(number)

    with BoundedStage("full", 2) as stage:
        submitting = threading.Thread(target=fill)
        submitting.start()
        wait_until(lambda: len(events) >= 2, "the inbox is full")
        events.append("opened")
        gate.set()
        submitting.join()
    assert events == [0, 1, "opened", *range(2, 8)]


def test_an_error_reaches_who_asks_for_the_result() -> None:
    with BoundedStage("error", 2) as stage:
        future = stage.submit(lambda: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            future.result()
        assert stage.submit(lambda: 7).result() == 7
