"""What webhooks are to be told: written in the transaction that ends a job, so that no end goes untold."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection, insert, select, update

from services.database import schema
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.jobs.rows import generate_id
from services.jobs.types import Job


@dataclass(frozen=True, slots=True)
class Delivery:
    """A job's end, to be told to a URL. `body` is JSON; `attempts` counts the tries, this one included."""

    id: str
    job_id: str
    url: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """How a delivery stands, for people: `delivered_at` None and `next_at` None: given up."""

    url: str
    attempts: int
    next_at: float | None
    delivered_at: float | None
    error: str | None


def add_delivery(connection: Connection, job: Job) -> None:
    """Write down that the job's webhook, where it has one, is to be told how the job stands."""
    if job.webhook is None:
        return
    told = {name: getattr(job, name) for name in ("id", "kind", "state", "collection", "asset_id", "error")}
    told |= {name: getattr(job, name) for name in ("created_at", "finished_at")}
    body = msgspec.json.encode({"event": f"job.{job.state}", "job": told}).decode()
    values = {"job_id": job.id, "url": job.webhook, "body": body, "attempts": 0, "next_at": now()}
    connection.execute(insert(schema.Deliveries).values(delivery_id=generate_id(), **values))


class Outbox:
    """The deliveries of the database. Every method is one transaction."""

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def claim_due(self, visibility_timeout_s: float, limit: int = 20) -> list[Delivery]:
        """Deliveries whose time has come; each is due again after `again_s`, should its caller not come back."""
        table, at = schema.Deliveries, now()
        first = select(table.delivery_id).where(table.next_at <= at).order_by(table.next_at).limit(limit)
        query = update(table).where(table.delivery_id.in_(first), table.next_at <= at)
        query = query.values(next_at=at + visibility_timeout_s, attempts=table.attempts + 1)
        columns = (table.delivery_id, table.job_id, table.url, table.body, table.attempts)
        with self._database.write() as connection:
            return [Delivery(*row) for row in connection.execute(query.returning(*columns))]

    def mark_delivered(self, delivery: Delivery) -> None:
        """It was told."""
        self._record_outcome(delivery, next_at=None, delivered_at=now(), error=None)

    def mark_failed(self, delivery: Delivery, error: str, next_at: float | None) -> None:
        """It could not be told; `next_at` None: it is given up."""
        self._record_outcome(delivery, next_at=next_at, delivered_at=None, error=error)

    def list_deliveries(self, job_id: str) -> list[DeliveryStatus]:
        """The deliveries of a job, oldest first."""
        table = schema.Deliveries
        columns = (table.url, table.attempts, table.next_at, table.delivered_at, table.error)
        query = select(*columns).where(table.job_id == job_id).order_by(table.delivery_id)
        with self._database.read() as connection:
            return [DeliveryStatus(*row) for row in connection.execute(query)]

    def _record_outcome(self, delivery: Delivery, **values: float | str | None) -> None:
        table = schema.Deliveries
        mine = (table.delivery_id == delivery.id, table.attempts == delivery.attempts)
        changed = update(table).where(*mine, table.next_at.is_not(None)).values(**values)
        with self._database.write() as connection:
            connection.execute(changed)
