"""The catalog: collections, the assets they hold and the sources those came from (SQLAlchemy)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from indexer.errors import AssetNotFound, CollectionNotFound
from indexer.types import AssetKind
from services.database import Database
from services.tables import Assets, Collections, Sources


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
    """Every method is one transaction. Errors: AssetNotFound, CollectionNotFound, and those of Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def source(self, collection: str, uri: str) -> SourceRow | None:
        """The source of that place in that collection, if it was indexed before."""
        with self._database.reading() as connection:
            found = select(Sources).where(Sources.collection == collection, Sources.uri == uri)
            row = connection.execute(found).first()
        return None if row is None else _source(row)

    def point(self, source: SourceRow, asset: Asset) -> str | None:
        """Make the source point to the asset, in one step; gives the id of the asset it pointed to before, if other."""
        with self._database.reading() as connection:
            _ensure_collection(connection, source.collection)
            _upsert_asset(connection, asset)
            key = (Sources.collection == source.collection, Sources.uri == source.uri)
            before = connection.execute(select(Sources.asset_id).where(*key)).scalar()
            values = {"asset_id": source.asset_id, "state": source.state}
            if before is None:
                connection.execute(insert(Sources).values(collection=source.collection, uri=source.uri, **values))
            else:
                connection.execute(update(Sources).where(*key).values(**values))
        return before if before != source.asset_id else None

    def set_version(self, asset_id: str, version: str, segments: int) -> None:
        """The asset's artifacts are now those of another version."""
        with self._database.begin() as connection:
            changed = {"version": version, "segments": segments}
            connection.execute(update(Assets).where(Assets.asset_id == asset_id).values(**changed))

    def find(self, name: str) -> Asset:
        """The asset of an id, the beginning of one (6 digits at least), a source's path, or a file name.

        AssetNotFound where there is none, or where a name or beginning fits several.
        """
        uri, name = _uri(name), name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        with self._database.begin() as connection:
            fits = [Assets.asset_id == name, Sources.uri.in_([uri, name]), Assets.name == name]
            fits.append(Assets.name.endswith(f"/{name}", autoescape=True))
            if len(name) >= 6 and all(c in "0123456789abcdef" for c in name):
                fits.append(Assets.asset_id.startswith(name))
            ids = select(Assets.asset_id).join(Sources, Sources.asset_id == Assets.asset_id).where(or_(*fits))
            rows = connection.execute(select(Assets).where(Assets.asset_id.in_(ids))).all()
        if not rows:
            raise AssetNotFound(f"no asset {name!r}")
        if len(rows) > 1:
            several = ", ".join(sorted(row.asset_id[:12] for row in rows))
            raise AssetNotFound(f"{name!r} fits {len(rows)} assets: {several}; name one by its id")
        return _asset(rows[0])

    def assets(self, collections: Sequence[str] | None = None) -> list[Asset]:
        """The assets of some collections (None: all), newest first."""
        query = select(Assets).order_by(Assets.indexed_at.desc(), Assets.asset_id)
        if collections is not None:
            for name in collections:
                self._check_collection(name)
            query = query.where(Assets.asset_id.in_(_members(collections)))
        with self._database.reading() as connection:
            return [_asset(row) for row in connection.execute(query)]

    def get(self, asset_ids: Sequence[str], collections: Sequence[str] | None = None) -> dict[str, Asset]:
        """Those of the assets that are in the catalog (and in one of the collections, if given), by id."""
        query = select(Assets).where(Assets.asset_id.in_(asset_ids))
        query = query.where(Assets.asset_id.in_(_members(collections)))
        with self._database.reading() as connection:
            return {row.asset_id: _asset(row) for row in connection.execute(query)}

    def sources(self, asset_id: str) -> list[SourceRow]:
        """Where an asset came from, in every collection that holds it."""
        query = select(Sources).where(Sources.asset_id == asset_id).order_by(Sources.collection, Sources.uri)
        with self._database.reading() as connection:
            return [_source(row) for row in connection.execute(query)]

    def collections(self) -> dict[str, int]:
        """The collections and how many assets each holds."""
        count = func.count(func.distinct(Sources.asset_id))
        query = select(Collections.name, count).outerjoin(Sources).group_by(Collections.name)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(Collections.name)).all()
        return {row[0]: row[1] for row in rows}

    def drop_membership(self, asset_id: str, collection: str | None) -> None:
        """Remove the asset's sources from one collection, or from all."""
        query = delete(Sources).where(Sources.asset_id == asset_id)
        if collection is not None:
            self._check_collection(collection)
            query = query.where(Sources.collection == collection)
        with self._database.begin() as connection:
            connection.execute(query)

    def orphans(self) -> list[str]:
        """Assets that no source points to any more."""
        query = select(Assets.asset_id).where(Assets.asset_id.not_in(select(Sources.asset_id)))
        with self._database.reading() as connection:
            return list(connection.execute(query).scalars())

    def forget(self, asset_id: str) -> None:
        """Remove an asset that no source points to."""
        with self._database.begin() as connection:
            connection.execute(delete(Assets).where(Assets.asset_id == asset_id))

    def _check_collection(self, name: str) -> None:
        if name not in (known := self.collections()):
            have = f"there are {', '.join(known)}" if known else "nothing is indexed yet"
            raise CollectionNotFound(f"no collection {name!r}; {have}")


def now() -> float:
    """The time, as a Unix time."""
    return time.time()


def _uri(path: str) -> str:
    try:
        return Path(path).resolve().as_uri()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name too long, a NUL
        return path


def _members(collections: Sequence[str] | None) -> Select[Any]:
    query = select(Sources.asset_id)
    return query if collections is None else query.where(Sources.collection.in_(collections))


def _ensure_collection(connection: Connection, name: str) -> None:
    if connection.execute(select(Collections.name).where(Collections.name == name)).first() is None:
        connection.execute(insert(Collections).values(name=name, created_at=now()))


def _upsert_asset(connection: Connection, asset: Asset) -> None:
    values = {name: getattr(asset, name) for name in Asset.__dataclass_fields__}
    values |= {"kind": asset.kind.value, "warnings": list(asset.warnings)}
    key = Assets.asset_id == asset.asset_id
    if connection.execute(select(Assets.asset_id).where(key)).first() is None:
        connection.execute(insert(Assets).values(**values))
    else:
        connection.execute(update(Assets).where(key).values(**values))


def _asset(row: Row[Any]) -> Asset:
    values = dict(row._mapping)
    return Asset(**values | {"kind": AssetKind(values["kind"]), "warnings": tuple(values["warnings"])})


def _source(row: Row[Any]) -> SourceRow:
    return SourceRow(**dict(row._mapping))
