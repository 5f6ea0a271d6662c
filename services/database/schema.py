"""Database schema: the tables of the catalog, keys, jobs and idempotency keys (SQLAlchemy).

It equals the result of the newest migration (`services/database/migrations`); a test compares the two. Times are Unix
times in seconds. Text has any length, except keys of a known length.
"""

from __future__ import annotations

from sqlalchemy import JSON, Double, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_JSON = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """Declarative base of all tables; `Base.metadata` lists them."""

    type_annotation_map = {float: Double, list[str]: _JSON, dict[str, str]: _JSON}  # noqa: RUF012 (SQLAlchemy's own contract)


class Collections(Base):
    """Named sets of assets."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    created_at: Mapped[float]


class Assets(Base):
    """Indexed assets. `name` and `file_time` are unused since sources have their own."""

    __tablename__ = "assets"
    asset_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str]
    duration_s: Mapped[float | None]
    pages: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    file_time: Mapped[float | None]
    segments: Mapped[int]
    sampled_frames: Mapped[int]
    warnings: Mapped[list[str]]
    indexed_at: Mapped[float]


class Sources(Base):
    """Sources of assets: a URI in a collection points to one asset and names it there.

    `missing_since` is the Unix time at which its file was first found to be gone; NULL: it is there.
    """

    __tablename__ = "sources"
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"), primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.asset_id"), index=True)
    state: Mapped[str]
    name: Mapped[str]
    file_time: Mapped[float | None]
    missing_since: Mapped[float | None]


class ApiKeys(Base):
    """API keys and their permissions: `digest` is the SHA-256 of a key's random part, `collections` NULL means all."""

    __tablename__ = "api_keys"
    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[list[str]]
    collections: Mapped[list[str] | None]
    created_at: Mapped[float]
    expires_at: Mapped[float | None]
    revoked_at: Mapped[float | None]
    last_used_at: Mapped[float | None]
    requests_per_minute: Mapped[int | None]


class Jobs(Base):
    """Jobs. `request` and `result` are JSON of the types in `services.jobs.types`.

    `sent_at` is when the job's id was last sent to the queue; NULL: it is not sent yet. `traceparent` names the span of
    the request that asked for it.
    """

    __tablename__ = "jobs"
    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    collection: Mapped[str | None] = mapped_column(String(200), index=True)
    asset_id: Mapped[str | None] = mapped_column(String(64))
    request: Mapped[str] = mapped_column(Text)
    done: Mapped[float]
    total: Mapped[float | None]
    note: Mapped[str] = mapped_column(Text)
    fencing_token: Mapped[int]
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    not_before: Mapped[float]
    sent_at: Mapped[float | None]
    lease_until: Mapped[float | None]
    worker: Mapped[str | None]
    error: Mapped[str | None] = mapped_column(Text)
    result: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    key_id: Mapped[str | None] = mapped_column(String(16))
    webhook: Mapped[str | None] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(String(64))
    __table_args__ = (Index("ix_jobs_state", "state", "not_before"),)


class Workers(Base):
    """Processes that run jobs: the queues that each takes jobs from, and when it was last seen to be alive."""

    __tablename__ = "workers"
    worker: Mapped[str] = mapped_column(String(300), primary_key=True)
    queues: Mapped[list[str]]
    seen_at: Mapped[float]


class JobEvents(Base):
    """Events of jobs: an append-only log."""

    __tablename__ = "job_events"
    number: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id", ondelete="CASCADE"))
    at: Mapped[float]
    state: Mapped[str] = mapped_column(String(16))
    done: Mapped[float]
    total: Mapped[float | None]
    note: Mapped[str] = mapped_column(Text)
    __table_args__ = (Index("ix_job_events_job_id", "job_id", "number"), {"sqlite_autoincrement": True})


class Deliveries(Base):
    """Webhook deliveries: `next_at` is when the next attempt is due, NULL: delivered or given up."""

    __tablename__ = "deliveries"
    delivery_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.job_id", ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    next_at: Mapped[float | None] = mapped_column(index=True)
    delivered_at: Mapped[float | None]
    error: Mapped[str | None] = mapped_column(Text)


class IdempotencyKeys(Base):
    """Idempotency keys and stored responses.

    `owner` is an API key's id (empty: no key was needed), `key` the client's `Idempotency-Key`, `request_hash` the
    SHA-256 of the request, `resource_id` the id of what it created; without a `status` the request is being processed
    since `claimed_at` (Unix time).
    """

    __tablename__ = "idempotency_keys"
    owner: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    claimed_at: Mapped[float] = mapped_column(index=True)
    status: Mapped[int | None]
    resource_id: Mapped[str | None] = mapped_column(String(64))
    headers: Mapped[dict[str, str] | None]
    body: Mapped[bytes | None]


class SigningSecrets(Base):
    """Secrets that all servers of an archive sign with, by what they sign; each was made once, at random."""

    __tablename__ = "signing_secrets"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[float]
