"""A periodic task calls its action again and again, whatever fails in it, until it is closed."""

from __future__ import annotations

from threading import Event

from services.jobs.periodic_task import PeriodicTask
from tests.support.waiting import wait_for


def test_an_action_is_called_again_after_it_failed_and_not_after_the_end() -> None:
    calls, third = [0], Event()

    def act() -> None:
        calls[0] += 1
        if calls[0] == 3:
            third.set()
        raise ValueError("it fails")

    task = PeriodicTask("test", 0.001, act)
    task.start()
    wait_for(third, "the third call")
    task.close()
    count = calls[0]
    assert not Event().wait(0.01) and calls[0] == count
