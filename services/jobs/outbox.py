"""Transactional outbox of webhook deliveries: each is recorded in the transaction that ends its job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, insert, select, update

from services.database import schema
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.jobs.rows import generate_id
from services.jobs.types import Job

_JOB_FIELDS = ("id", "kind", "state", "collection", "asset_id", "error", "created_at", "finished_at")


@dataclass(frozen=True, slots=True)
class Delivery:
    """Webhook delivery to attempt: `body` is JSON, `attempts` counts this attempt too."""

    id: str
    job_id: str
    url: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """Status of a webhook delivery; without `next_at` and `delivered_at` (Unix times) it was given up."""

    url: str
    attempts: int
    next_at: float | None
    delivered_at: float | None
    error: str | None


def add_delivery(connection: Connection, job: Job, at: float) -> None:
    """Record a delivery of the job's present state, due at a Unix time, if the job has a webhook."""
    if job.webhook is None:
        return
    body = {
        "type": f"job.{job.state}",
        "timestamp": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "data": {name: getattr(job, name) for name in _JOB_FIELDS},
    }
    values = {"job_id": job.id, "url": job.webhook, "body": msgspec.json.encode(body).decode()}
    connection.execute(
        insert(schema.Deliveries).values(delivery_id=generate_id(), **values, attempts=0, next_at=at),
    )


class Outbox:
    """Webhook deliveries in the database; every method is one transaction."""

    def __init__(self, database: SqlDatabase, clock: Clock = now) -> None:
        self._database, self._clock = database, clock

    def claim_due(self, visibility_timeout_s: float, limit: int = 20) -> list[Delivery]:
        """Claim due deliveries; each is due again after `visibility_timeout_s` if its claimer never reports back."""
        table, at = schema.Deliveries, self._clock()
        first = select(table.delivery_id).where(table.next_at <= at).order_by(table.next_at).limit(limit)
        query = update(table).where(table.delivery_id.in_(first), table.next_at <= at)
        query = query.values(next_at=at + visibility_timeout_s, attempts=table.attempts + 1)
        columns = (table.delivery_id, table.job_id, table.url, table.body, table.attempts)
        with self._database.write() as connection:
            return [Delivery(*row) for row in connection.execute(query.returning(*columns))]

    def mark_delivered(self, delivery: Delivery) -> None:
        """Record that an attempt succeeded."""
        self._record_outcome(delivery, next_at=None, delivered_at=self._clock(), error=None)

    def mark_failed(self, delivery: Delivery, error: str, next_at: float | None) -> None:
        """Record that an attempt failed, and the Unix time of the next one (None: give up)."""
        self._record_outcome(delivery, next_at=next_at, delivered_at=None, error=error)

    def list_deliveries(self, job_id: str) -> list[DeliveryStatus]:
        """Return the deliveries of a job, oldest first."""
        table = schema.Deliveries
        columns = (table.url, table.attempts, table.next_at, table.delivered_at, table.error)
        query = select(*columns).where(table.job_id == job_id).order_by(table.delivery_id)
        with self._database.read() as connection:
            return [DeliveryStatus(*row) for row in connection.execute(query)]

    def _record_outcome(self, delivery: Delivery, **values: float | str | None) -> None:
        table = schema.Deliveries
        claimed = (table.delivery_id == delivery.id, table.attempts == delivery.attempts)
        changed = update(table).where(*claimed, table.next_at.is_not(None)).values(**values)
        with self._database.write() as connection:
            connection.execute(changed)
