"""Waiting in tests: for events, under one bound that nothing but a defect of the product reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

TIMEOUT_S = 300.0
"""Chosen: beyond what a loaded machine takes, within the 600 s of pytest-timeout: a test then names what is missing."""
_POLL_INTERVAL_S = 0.02
"""Chosen: short beside what is waited for, long enough to leave the processor to it."""


def wait_for(event: Event, description: str) -> None:
    """Wait for an event; fail with its description where it does not come."""
    assert event.wait(TIMEOUT_S), f"did not come within {TIMEOUT_S:g} s: {description}"


def wait_until(condition: Callable[[], bool], description: str) -> None:
    """Poll a condition that no event announces; fail with its description where it does not come true."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, f"did not come true within {TIMEOUT_S:g} s: {description}"
        time.sleep(_POLL_INTERVAL_S)
