"""The tables of the database, of every part that keeps rows there (SQLAlchemy).

They say what the newest migration leaves behind (`services/migrations`): a change here comes with a migration, and a
test compares the two. Times are Unix times. Text is of any length, except where it is a key of a known length.
"""

from __future__ import annotations

from sqlalchemy import JSON, Double, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_JSON = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """What all tables share: `Base.metadata` holds them."""

    type_annotation_map = {float: Double, list[str]: _JSON, dict[str, str]: _JSON}  # noqa: RUF012 (SQLAlchemy's own contract)


class Collections(Base):
    """Named sets of assets."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    created_at: Mapped[float]


class Assets(Base):
    """What was indexed, each once. `name` and `file_time`, from before sources had theirs, are shown to nobody."""

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
    """Where assets came from, and what they are called there: a place in a collection points to one asset."""

    __tablename__ = "sources"
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"), primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.asset_id"), index=True)
    state: Mapped[str]
    name: Mapped[str]
    file_time: Mapped[float | None]


class ApiKeys(Base):
    """Who may do what: `digest` is the SHA-256 of a key's random part; `collections` NULL stands for all."""

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
    """What is to be done, and was. `request` and `result` are JSON in the shapes of `services.jobs.types`.

    `sent_at` is when its id was last handed to the queue; NULL: it is to be handed over.
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
    __table_args__ = (Index("ix_jobs_state", "state", "not_before"),)


class JobEvents(Base):
    """What happened to jobs: rows are added, never changed."""

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
    """Webhooks that are to be told of a job's end, and were: `next_at` is when the next try is due, NULL: none is."""

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
    """Idempotency keys and stored responses. `owner` is an API key's id (empty: no key was needed), `key` the client's
    `Idempotency-Key`, `request_hash` the SHA-256 of the request, `resource_id` the id of what it created; without a
    `status` the request is being processed since `claimed_at` (Unix time)."""

    __tablename__ = "idempotency_keys"
    owner: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    claimed_at: Mapped[float] = mapped_column(index=True)
    status: Mapped[int | None]
    resource_id: Mapped[str | None] = mapped_column(String(64))
    headers: Mapped[dict[str, str] | None]
    body: Mapped[bytes | None]
