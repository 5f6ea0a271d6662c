"""The catalog: collections, the assets they hold and the sources those came from (SQLAlchemy)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    ForeignKey,
    Row,
    Select,
    String,
    UniqueConstraint,
    create_engine,
    delete,
    event,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from indexer.errors import ArtifactError, AssetNotFound, CollectionNotFound, StorageFull
from indexer.types import AssetKind


class _Base(DeclarativeBase):
    type_annotation_map = {dict[str, str]: JSON, list[str]: JSON}  # noqa: RUF012 (SQLAlchemy's own contract)


class _Collection(_Base):
    __tablename__ = "collections"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    created_at: Mapped[float]


class _Asset(_Base):
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


class _Source(_Base):
    __tablename__ = "sources"
    collection: Mapped[str] = mapped_column(ForeignKey("collections.name"), primary_key=True)
    uri: Mapped[str] = mapped_column(primary_key=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.asset_id"), index=True)
    state: Mapped[str]
    __table_args__ = (UniqueConstraint("collection", "uri"),)


@dataclass(frozen=True, slots=True)
class Asset:
    """An asset as the catalog knows it. `looked_at` counts frames, `file_time` and `indexed_at` are Unix times."""

    asset_id: str
    version: str
    kind: AssetKind
    name: str
    duration_s: float | None
    pages: int | None
    width: int | None
    height: int | None
    file_time: float | None
    segments: int
    looked_at: int
    warnings: tuple[str, ...]
    indexed_at: float

    @property
    def looked_at_fps(self) -> float | None:
        """How much of a video was looked at, in frames a second; None for what has no duration."""
        return round(self.looked_at / self.duration_s, 4) if self.duration_s and self.width else None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source in a collection: where it is (`uri`), what it points to, and the state of its files when indexed."""

    collection: str
    uri: str
    asset_id: str
    state: str


class Catalog:
    """Every method is one transaction. Errors: AssetNotFound, CollectionNotFound, StorageFull, ArtifactError."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._made = False

    def source(self, collection: str, uri: str) -> SourceRow | None:
        """The source of that place in that collection, if it was indexed before."""
        with self._begin() as connection:
            found = select(_Source).where(_Source.collection == collection, _Source.uri == uri)
            row = connection.execute(found).first()
        return None if row is None else _source(row)

    def point(self, source: SourceRow, asset: Asset) -> str | None:
        """Make the source point to the asset, in one step; gives the id of the asset it pointed to before, if other."""
        with self._begin() as connection:
            _ensure_collection(connection, source.collection)
            _upsert_asset(connection, asset)
            key = (_Source.collection == source.collection, _Source.uri == source.uri)
            before = connection.execute(select(_Source.asset_id).where(*key)).scalar()
            values = {"asset_id": source.asset_id, "state": source.state}
            if before is None:
                connection.execute(insert(_Source).values(collection=source.collection, uri=source.uri, **values))
            else:
                connection.execute(update(_Source).where(*key).values(**values))
        return before if before != source.asset_id else None

    def set_version(self, asset_id: str, version: str, segments: int) -> None:
        """The asset's artifacts are now those of another version."""
        with self._begin() as connection:
            changed = {"version": version, "segments": segments}
            connection.execute(update(_Asset).where(_Asset.asset_id == asset_id).values(**changed))

    def find(self, name: str) -> Asset:
        """The asset of an id, the beginning of one (6 digits at least), a source's path, or a file name.

        AssetNotFound where there is none, or where a name or beginning fits several.
        """
        uri, name = _uri(name), name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        with self._begin() as connection:
            fits = [_Asset.asset_id == name, _Source.uri.in_([uri, name]), _Asset.name == name]
            fits.append(_Asset.name.endswith(f"/{name}", autoescape=True))
            if len(name) >= 6 and all(c in "0123456789abcdef" for c in name):
                fits.append(_Asset.asset_id.startswith(name))
            ids = select(_Asset.asset_id).join(_Source, _Source.asset_id == _Asset.asset_id).where(or_(*fits))
            rows = connection.execute(select(_Asset).where(_Asset.asset_id.in_(ids))).all()
        if not rows:
            raise AssetNotFound(f"no asset {name!r}")
        if len(rows) > 1:
            several = ", ".join(sorted(row.asset_id[:12] for row in rows))
            raise AssetNotFound(f"{name!r} fits {len(rows)} assets: {several}; name one by its id")
        return _asset(rows[0])

    def assets(self, collections: Sequence[str] | None = None) -> list[Asset]:
        """The assets of some collections (None: all), newest first."""
        query = select(_Asset).order_by(_Asset.indexed_at.desc(), _Asset.asset_id)
        if collections is not None:
            for name in collections:
                self._check_collection(name)
            query = query.where(_Asset.asset_id.in_(_members(collections)))
        with self._begin() as connection:
            return [_asset(row) for row in connection.execute(query)]

    def get(self, asset_ids: Sequence[str], collections: Sequence[str] | None = None) -> dict[str, Asset]:
        """Those of the assets that are in the catalog (and in one of the collections, if given), by id."""
        query = select(_Asset).where(_Asset.asset_id.in_(asset_ids))
        query = query.where(_Asset.asset_id.in_(_members(collections)))
        with self._begin() as connection:
            return {row.asset_id: _asset(row) for row in connection.execute(query)}

    def sources(self, asset_id: str) -> list[SourceRow]:
        """Where an asset came from, in every collection that holds it."""
        query = select(_Source).where(_Source.asset_id == asset_id).order_by(_Source.collection, _Source.uri)
        with self._begin() as connection:
            return [_source(row) for row in connection.execute(query)]

    def collections(self) -> dict[str, int]:
        """The collections and how many assets each holds."""
        count = func.count(func.distinct(_Source.asset_id))
        query = select(_Collection.name, count).outerjoin(_Source).group_by(_Collection.name)
        with self._begin() as connection:
            rows = connection.execute(query.order_by(_Collection.name)).all()
        return {row[0]: row[1] for row in rows}

    def drop_membership(self, asset_id: str, collection: str | None) -> None:
        """Remove the asset's sources from one collection, or from all."""
        query = delete(_Source).where(_Source.asset_id == asset_id)
        if collection is not None:
            self._check_collection(collection)
            query = query.where(_Source.collection == collection)
        with self._begin() as connection:
            connection.execute(query)

    def orphans(self) -> list[str]:
        """Assets that no source points to any more."""
        query = select(_Asset.asset_id).where(_Asset.asset_id.not_in(select(_Source.asset_id)))
        with self._begin() as connection:
            return list(connection.execute(query).scalars())

    def forget(self, asset_id: str) -> None:
        """Remove an asset that no source points to."""
        with self._begin() as connection:
            connection.execute(delete(_Asset).where(_Asset.asset_id == asset_id))

    def close(self) -> None:
        """Give the database connections back."""
        self._engine.dispose()

    def _check_collection(self, name: str) -> None:
        if name not in (known := self.collections()):
            have = f"there are {', '.join(known)}" if known else "nothing is indexed yet"
            raise CollectionNotFound(f"no collection {name!r}; {have}")

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            if not self._made:
                _Base.metadata.create_all(self._engine)
                self._made = True
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StorageFull(f"the catalog cannot be written or read: {error.orig}") from error
        except DatabaseError as error:
            raise ArtifactError(f"the catalog is damaged: {error.orig}") from error


def now() -> float:
    """The time, as a Unix time."""
    return time.time()


def _uri(path: str) -> str:
    try:
        return Path(path).resolve().as_uri()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name too long, a NUL
        return path


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _use_wal)
    return engine


def _use_wal(connection: object, _record: object) -> None:
    execute = getattr(connection, "execute")  # noqa: B009 (a DB-API connection has no common type)
    execute("PRAGMA journal_mode=WAL")
    execute("PRAGMA synchronous=FULL")
    execute("PRAGMA foreign_keys=ON")
    execute("PRAGMA busy_timeout=30000")


def _members(collections: Sequence[str] | None) -> Select[Any]:
    query = select(_Source.asset_id)
    return query if collections is None else query.where(_Source.collection.in_(collections))


def _ensure_collection(connection: Connection, name: str) -> None:
    if connection.execute(select(_Collection.name).where(_Collection.name == name)).first() is None:
        connection.execute(insert(_Collection).values(name=name, created_at=now()))


def _upsert_asset(connection: Connection, asset: Asset) -> None:
    values = {name: getattr(asset, name) for name in Asset.__dataclass_fields__}
    values |= {"kind": asset.kind.value, "warnings": list(asset.warnings)}
    key = _Asset.asset_id == asset.asset_id
    if connection.execute(select(_Asset.asset_id).where(key)).first() is None:
        connection.execute(insert(_Asset).values(**values))
    else:
        connection.execute(update(_Asset).where(key).values(**values))


def _asset(row: Row[Any]) -> Asset:
    values = dict(row._mapping)
    return Asset(**values | {"kind": AssetKind(values["kind"]), "warnings": tuple(values["warnings"])})


def _source(row: Row[Any]) -> SourceRow:
    return SourceRow(**dict(row._mapping))
