"""Exponential backoff: the wait doubles up to a limit."""

from __future__ import annotations

from services.jobs.backoff import exponential_backoff_s


def test_the_wait_doubles_with_each_attempt_up_to_the_limit() -> None:
    assert [exponential_backoff_s(attempt, 10.0, 60.0) for attempt in range(1, 6)] == [10.0, 20.0, 40.0, 60.0, 60.0]
    assert exponential_backoff_s(3, 0.0, 60.0) == 0.0
