"""A machine that slept: its workers are late, not lost."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.jobs import suspend_detector as module
from services.jobs.suspend_detector import SuspendDetector


@dataclass
class FakeClocks:
    """Both clocks of a machine."""

    wall_s: float = 1e9
    monotonic_s: float = 100.0

    def advance(self, wall_s: float, monotonic_s: float) -> None:
        self.wall_s += wall_s
        self.monotonic_s += monotonic_s


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> FakeClocks:
    clocks = FakeClocks()
    monkeypatch.setattr(module.time, "time", lambda: clocks.wall_s)
    monkeypatch.setattr(module.time, "monotonic", lambda: clocks.monotonic_s)
    return clocks


def test_a_machine_that_slept_is_given_a_leases_time(clocks: FakeClocks) -> None:
    waking = SuspendDetector(60)
    clocks.advance(5, 5)
    assert not waking.recently_resumed()
    clocks.advance(3600, 5)
    assert waking.recently_resumed()
    clocks.advance(55, 55)
    assert waking.recently_resumed()
    clocks.advance(6, 6)
    assert not waking.recently_resumed()


def test_clocks_that_drift_or_are_put_back_are_none_that_slept(clocks: FakeClocks) -> None:
    waking = SuspendDetector(60)
    for _ in range(1000):
        clocks.advance(5.001, 5)
        assert not waking.recently_resumed()
    clocks.advance(-3600, 5)
    assert not waking.recently_resumed()
