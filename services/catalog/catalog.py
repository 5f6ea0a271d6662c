"""The catalog: collections, the assets they hold and the sources those came from (SQLAlchemy)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Delete, Label, Row, Select, and_, delete, func, or_, select, update

from indexer.errors import AssetNotFound
from indexer.types import AssetKind, AssetTags
from services.catalog.errors import CollectionExists, CollectionInUse, CollectionNotFound
from services.catalog.types import Asset, Source, validate_collection_name
from services.database.clock import now
from services.database.engine import SqlDatabase
from services.database.pagination import CursorPage, decode_cursor, encode_cursor, validate_limit
from services.database.schema import Assets, Base, Collections, Jobs, Sources

_Query = TypeVar("_Query", Select[Any], Delete)
_SUMMARIZE_KIND = "summarize"
_SOURCE_COLUMNS = ("name", "file_time")
"""What the same bytes may have several of."""


class Catalog:
    """Every method is one transaction. Errors: AssetNotFound, CollectionNotFound, and those of Database.

    Where collections are named, nothing outside them is told: not that it exists, nor what it is called there.
    """

    def __init__(self, database: SqlDatabase) -> None:
        self._database = database

    def find_source(self, collection: str, uri: str) -> Source | None:
        """The source of that place in that collection, if it was indexed before."""
        query = select(Sources).where(Sources.collection == collection, Sources.uri == uri)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _source_from_row(row)

    def upsert_source(self, source: Source, asset: Asset) -> str | None:
        """Make the source point to the asset, in one step; gives the id of the asset it pointed to before, if other.

        A collection that is not there yet is made. Errors: QueryError for a name that none can have.
        """
        where = {"collection": source.collection, "uri": source.uri}
        with self._database.write() as connection:
            self._ensure_collection(connection, source.collection)
            self._upsert(connection, Assets, {"asset_id": asset.asset_id}, _to_row(asset))
            key = (Sources.collection == source.collection, Sources.uri == source.uri)
            before = connection.execute(select(Sources.asset_id).where(*key).with_for_update()).scalar()
            values = {name: getattr(source, name) for name in ("asset_id", "state", *_SOURCE_COLUMNS)}
            self._upsert(connection, Sources, where, values)
        return before if before != source.asset_id else None

    def set_version(self, asset_id: str, version: str, segments: int) -> None:
        """The asset's artifacts are now those of another version."""
        changed = {"version": version, "segments": segments}
        with self._database.write() as connection:
            connection.execute(update(Assets).where(Assets.asset_id == asset_id).values(**changed))

    def find(self, name: str, collections: Collection[str] | None = None) -> Asset:
        """The asset of an id, the beginning of one (6 digits at least), a source's path, or a file name.

        Looks in some collections (None: in all). AssetNotFound where there is none, or where a name or beginning fits
        several.
        """
        uri, name = _to_uri(name), name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        fits = [
            Sources.asset_id == name,
            Sources.uri.in_([uri, name]),
            Sources.name == name,
            _name_ends_with(f"/{name}"),
        ]
        if len(name) >= 6 and all(c in "0123456789abcdef" for c in name):
            fits.append(Sources.asset_id.startswith(name))
        ids = _restrict_to_collections(select(Sources.asset_id).where(or_(*fits)), collections)
        query = _select_visible_assets(collections).where(Assets.asset_id.in_(ids))
        with self._database.read() as connection:
            rows = [] if "\0" in name else connection.execute(query).all()
        if not rows:
            raise AssetNotFound(f"no asset {name!r}")
        if len(rows) > 1:
            several = ", ".join(sorted(row.asset_id[:12] for row in rows))
            raise AssetNotFound(f"{name!r} fits {len(rows)} assets: {several}; name one by its id")
        return _asset_from_row(rows[0])

    def assets(self, collections: Collection[str] | None = None) -> list[Asset]:
        """The assets of some collections (None: of all), newest first."""
        with self._database.read() as connection:
            return [_asset_from_row(row) for row in connection.execute(_select_newest_first(connection, collections))]

    def list_page(self, collections: Collection[str] | None, cursor: str | None, limit: int) -> CursorPage[Asset]:
        """The same list, `limit` assets from a place in it on (None: from its beginning).

        Errors: also QueryError, for what is no place, and for a limit that no page has.
        """
        limit = validate_limit(limit)
        with self._database.read() as connection:
            query = _select_newest_first(connection, collections)
            if cursor is not None:
                time_, key = decode_cursor(cursor)
                later = and_(Assets.indexed_at == time_, Assets.asset_id > key)
                query = query.where(or_(Assets.indexed_at < time_, later))
            assets = [_asset_from_row(row) for row in connection.execute(query.limit(limit + 1))]
        shown = tuple(assets[:limit])
        more = len(assets) > limit
        return CursorPage(shown, encode_cursor(shown[-1].indexed_at, shown[-1].asset_id) if more else None)

    def get(self, asset_ids: Collection[str], collections: Collection[str] | None = None) -> dict[str, Asset]:
        """Those of the assets that are in the catalog (and in one of the collections, if given), by id."""
        query = _select_visible_assets(collections).where(Assets.asset_id.in_(asset_ids))
        with self._database.read() as connection:
            return {row.asset_id: _asset_from_row(row) for row in connection.execute(query)}

    def sources(self, asset_id: str, collections: Collection[str] | None = None) -> list[Source]:
        """Where an asset came from, in every collection that holds it (of those, if given)."""
        query = _restrict_to_collections(select(Sources).where(Sources.asset_id == asset_id), collections)
        with self._database.read() as connection:
            found = [_source_from_row(row) for row in connection.execute(query)]
        return sorted(found, key=lambda source: (source.collection, source.uri))

    def filter_tags(self, asset: Asset, *pending_sources: Source) -> AssetTags:
        """What filters see of an asset: the collections that hold it, and the oldest time of its files. `more` are
        sources that are about to point to it."""
        rows = {(row.collection, row.uri): row for row in (*self.sources(asset.asset_id), *pending_sources)}.values()
        times = [row.file_time for row in rows if row.file_time is not None]
        held = frozenset(row.collection for row in rows)
        return AssetTags(asset.asset_id, asset.kind, held, min(times, default=None))

    def collections(self) -> dict[str, int]:
        """The collections, by name, and how many assets each holds."""
        count = func.count(func.distinct(Sources.asset_id))
        query = select(Collections.name, count).outerjoin(Sources).group_by(Collections.name)
        with self._database.read() as connection:
            return dict(sorted((name, number) for name, number in connection.execute(query)))

    def create_collection(self, name: str) -> None:
        """Make an empty collection. Errors: CollectionExists, QueryError for a name that none can have."""
        with self._database.write() as connection:
            if not self._ensure_collection(connection, validate_collection_name(name)):
                raise CollectionExists(f"there is a collection {name!r} already")

    def delete_collection(self, name: str) -> None:
        """Remove an empty collection. Errors: CollectionInUse where it holds assets."""
        with self._database.write() as connection:
            if (
                connection.execute(select(Collections).where(Collections.name == name).with_for_update()).first()
                is None
            ):
                raise CollectionNotFound(f"no collection {name!r}")
            if connection.execute(select(Sources.uri).where(Sources.collection == name).limit(1)).first() is not None:
                raise CollectionInUse(f"the collection {name!r} is not empty")
            connection.execute(delete(Collections).where(Collections.name == name))

    def remove_from_collection(self, asset_id: str, collection: str | None) -> None:
        """Remove the asset's sources from one collection, or from all; what jobs there found out of it goes too."""
        with self._database.write() as connection:
            if collection is not None:
                _require_collections(connection, [collection])
            where = None if collection is None else [collection]
            connection.execute(_restrict_to_collections(delete(Sources).where(Sources.asset_id == asset_id), where))
            told = update(Jobs).where(Jobs.asset_id == asset_id, Jobs.kind == _SUMMARIZE_KIND)
            told = told if collection is None else told.where(Jobs.collection == collection)
            connection.execute(told.values(result=None))

    def orphaned_asset_ids(self) -> list[str]:
        """Assets that no source points to any more."""
        query = select(Assets.asset_id).where(Assets.asset_id.not_in(select(Sources.asset_id)))
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def delete_asset(self, asset_id: str) -> None:
        """Remove an asset that no source points to."""
        with self._database.write() as connection:
            connection.execute(delete(Assets).where(Assets.asset_id == asset_id))

    def _ensure_collection(self, connection: Connection, name: str) -> bool:
        """Make a collection where there is none of that name; whether it was made. It stays until the transaction ends,
        though another one may drop it, between two statements, before it is held."""
        existing = select(Collections.name).where(Collections.name == name).with_for_update(read=True, key_share=True)
        while connection.execute(existing).first() is None:
            new = self._database.insert(Collections).values(name=validate_collection_name(name), created_at=now())
            made = new.on_conflict_do_nothing().returning(Collections.name)
            if connection.execute(made).first() is not None:
                return True
        return False

    def _upsert(self, connection: Connection, table: type[Base], key: dict[str, str], values: dict[str, Any]) -> None:
        """One row, new or changed."""
        row = self._database.insert(table).values(**key, **values)
        connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))


def _to_uri(path: str) -> str:
    try:
        return Path(path).resolve().as_uri()
    except (OSError, RuntimeError, ValueError):  # a circle of links, a name too long, a NUL
        return path


def _name_ends_with(suffix: str) -> ColumnElement[bool]:
    """Whether a name ends so. LIKE would do, if it meant the same in all databases."""
    return func.substr(Sources.name, func.length(Sources.name) - len(suffix) + 1) == suffix


def _restrict_to_collections(query: _Query, collections: Collection[str] | None) -> _Query:
    """What a query of sources (None: without a limit) finds in some collections."""
    return query if collections is None else query.where(Sources.collection.in_(collections))


def _select_visible_assets(collections: Collection[str] | None) -> Select[Any]:
    """The assets of some collections (None: of all), called what they are called there."""
    own = [column for column in Assets.__table__.c if column.name not in _SOURCE_COLUMNS]
    shown = select(*own, *(_first_source_column(name, collections) for name in _SOURCE_COLUMNS))
    return shown.where(Assets.asset_id.in_(_restrict_to_collections(select(Sources.asset_id), collections)))


def _first_source_column(column: str, collections: Collection[str] | None) -> Label[Any]:
    """What the first of an asset's sources has there."""
    sources = _restrict_to_collections(
        select(Sources.__table__.c[column]).where(Sources.asset_id == Assets.asset_id), collections
    )
    return sources.order_by(Sources.collection, Sources.uri).limit(1).scalar_subquery().label(column)


def _select_newest_first(connection: Connection, collections: Collection[str] | None) -> Select[Any]:
    if collections is not None:
        _require_collections(connection, collections)
    return _select_visible_assets(collections).order_by(Assets.indexed_at.desc(), Assets.asset_id)


def _require_collections(connection: Connection, collections: Collection[str]) -> None:
    known = set(connection.execute(select(Collections.name)).scalars())
    for name in collections:
        if name not in known:
            raise CollectionNotFound(f"no collection {name!r}")


def _to_row(asset: Asset) -> dict[str, Any]:
    values = {name: getattr(asset, name) for name in Asset.__dataclass_fields__ if name != "asset_id"}
    return values | {"kind": asset.kind.value, "warnings": list(asset.warnings)}


def _asset_from_row(row: Row[Any]) -> Asset:
    values = dict(row._mapping)
    return Asset(**values | {"kind": AssetKind(values["kind"]), "warnings": tuple(values["warnings"])})


def _source_from_row(row: Row[Any]) -> Source:
    return Source(**dict(row._mapping))
