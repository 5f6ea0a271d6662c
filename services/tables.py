"""The tables of the database, of every part that keeps rows there (SQLAlchemy).

They say what the newest migration leaves behind (`services/migrations`): a change here comes with a migration, and a
test compares the two. Times are Unix times. Text is of any length, except where it is a key of a known length.
"""

from __future__ import annotations

from sqlalchemy import JSON, Double, ForeignKey, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What all tables share: `Base.metadata` holds them."""

    type_annotation_map = {float: Double, list[str]: JSON(none_as_null=True)}  # noqa: RUF012 (SQLAlchemy's own contract)


class Collections(Base):
    """Named sets of assets."""

    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    created_at: Mapped[float]


class Assets(Base):
    """What was indexed, each once."""

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
    looked_at: Mapped[int]
    warnings: Mapped[list[str]]
    indexed_at: Mapped[float]


class Sources(Base):
    """Where assets came from: a place in a collection points to one asset."""

    __tablename__ = "sources"
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"), primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.asset_id"), index=True)
    state: Mapped[str]


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
