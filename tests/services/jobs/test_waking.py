"""A machine that slept: its workers are late, not lost."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.jobs import waking as module
from services.jobs.waking import SuspendDetector


@dataclass
class Clocks:
    """Both clocks of a machine."""

    day: float = 1e9
    awake: float = 100.0

    def pass_s(self, day: float, awake: float) -> None:
        self.day += day
        self.awake += awake


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(module.time, "time", lambda: clocks.day)
    monkeypatch.setattr(module.time, "monotonic", lambda: clocks.awake)
    return clocks


def test_a_machine_that_slept_is_given_a_leases_time(clocks: Clocks) -> None:
    waking = SuspendDetector(60)
    clocks.pass_s(5, 5)
    assert not waking.recently_resumed()
    clocks.pass_s(3600, 5)
    assert waking.recently_resumed()
    clocks.pass_s(55, 55)
    assert waking.recently_resumed()
    clocks.pass_s(6, 6)
    assert not waking.recently_resumed()


def test_clocks_that_drift_or_are_put_back_are_none_that_slept(clocks: Clocks) -> None:
    waking = SuspendDetector(60)
    for _ in range(1000):
        clocks.pass_s(5.001, 5)
        assert not waking.recently_resumed()
    clocks.pass_s(-3600, 5)
    assert not waking.recently_resumed()
