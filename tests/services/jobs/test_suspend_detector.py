"""A machine that slept: its workers are late, not lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from services.jobs.suspend_detector import SuspendDetector
from tests.support.fake_clock import FakeClock


@dataclass
class FakeClocks:
    """Both clocks of a machine."""

    wall: FakeClock = field(default_factory=lambda: FakeClock(1e9))
    monotonic: FakeClock = field(default_factory=lambda: FakeClock(100.0))

    def advance(self, wall_s: float, monotonic_s: float) -> None:
        self.wall.at += wall_s
        self.monotonic.at += monotonic_s


@pytest.fixture
def clocks() -> FakeClocks:
    return FakeClocks()


@pytest.fixture
def detector(clocks: FakeClocks) -> SuspendDetector:
    return SuspendDetector(60, clocks.wall, clocks.monotonic)


def test_a_machine_that_slept_is_given_a_leases_time(clocks: FakeClocks, detector: SuspendDetector) -> None:
    clocks.advance(5, 5)
    assert not detector.recently_resumed()
    clocks.advance(3600, 5)
    assert detector.recently_resumed()
    clocks.advance(55, 55)
    assert detector.recently_resumed()
    clocks.advance(6, 6)
    assert not detector.recently_resumed()


def test_clocks_that_drift_or_are_put_back_are_none_that_slept(clocks: FakeClocks, detector: SuspendDetector) -> None:
    for _ in range(1000):
        clocks.advance(5.001, 5)
        assert not detector.recently_resumed()
    clocks.advance(-3600, 5)
    assert not detector.recently_resumed()
