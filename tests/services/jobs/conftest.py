"""The store of jobs, and what workers do with them."""

from __future__ import annotations

import pytest

from services.database import Database
from services.jobs.leases import Leases
from services.jobs.store import Jobs


@pytest.fixture
def jobs(database: Database) -> Jobs:
    return Jobs(database, most_attempts=3)


@pytest.fixture
def leases(database: Database) -> Leases:
    return Leases(database, lease_s=60, wait_s=0)
