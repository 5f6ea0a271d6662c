"""A clock that tests set, for classes that take one (`services.database.clock.Clock`)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class FakeClock:
    """Returns `at`, in seconds; it begins at the present Unix time and moves only when a test moves it."""

    at: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.at
