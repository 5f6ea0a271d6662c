"""Catalog of collections, assets and their sources (SQLAlchemy)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    Label,
    Row,
    Select,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from indexer.errors import AssetNotFound
from indexer.types import AssetKind, AssetTags
from services.catalog.errors import CollectionExists, CollectionInUse, CollectionNotFound
from services.catalog.types import Asset, Source, validate_collection_name
from services.database.clock import Clock, now
from services.database.engine import SqlDatabase
from services.database.pagination import CursorPage, decode_cursor, encode_cursor, validate_limit
from services.database.schema import Assets, Base, Collections, Sources

_Query = TypeVar("_Query", Select[Any], Delete)
_SOURCE_COLUMNS = ("name", "file_time")
"""Columns of an asset that each of its sources has a value of."""
_MIN_ID_PREFIX = 6
"""Chosen: shorter prefixes of ids would often fit several assets, and collide with file names in hex digits."""

RemovalListener: TypeAlias = Callable[[Connection, str, str | None], None]
"""Called in the transaction that removes an asset (its id) from a collection, or from all (None)."""


class Catalog:
    """Store of collections, assets and sources; every method is one transaction.

    A method with `collections` discloses nothing outside them, neither an asset's existence nor its other names.
    Errors: AssetNotFound, CollectionNotFound, and those of SqlDatabase.
    """

    def __init__(self, database: SqlDatabase, on_remove: Sequence[RemovalListener] = (), clock: Clock = now) -> None:
        self._database, self._on_remove, self._clock = database, on_remove, clock

    def require_writable(self) -> None:
        """Raise ReadOnlyArchive if nothing can be changed."""
        self._database.require_writable()

    def find_source(self, collection: str, uri: str) -> Source | None:
        """Return the source at a URI in a collection; None if it was never indexed."""
        query = select(Sources).where(Sources.collection == collection, Sources.uri == uri)
        with self._database.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _source_from_row(row)

    def upsert_source(self, source: Source, asset: Asset) -> str | None:
        """Point a source to an asset, creating the collection; return the id of the asset that it pointed to before.

        None: it is new, or points to the same asset. Errors: InvalidInput for the collection's name.
        """
        primary_key = {"collection": source.collection, "uri": source.uri}
        with self._database.write() as connection:
            self._ensure_collection(connection, source.collection)
            self._upsert(connection, Assets, {"asset_id": asset.asset_id}, _to_row(asset))
            key = (Sources.collection == source.collection, Sources.uri == source.uri)
            previous = connection.execute(select(Sources.asset_id).where(*key).with_for_update()).scalar()
            values = {name: getattr(source, name) for name in ("asset_id", "state", "missing_since", *_SOURCE_COLUMNS)}
            self._upsert(connection, Sources, primary_key, values)
        return previous if previous != source.asset_id else None

    def set_version(self, asset_id: str, version: str, segments: int) -> None:
        """Set the version of an asset's artifacts and their number of segments."""
        changed = {"version": version, "segments": segments}
        with self._database.write() as connection:
            connection.execute(update(Assets).where(Assets.asset_id == asset_id).values(**changed))

    def find(self, name: str, collections: Collection[str] | None = None) -> Asset:
        """Return the asset of an id, an id's prefix (6 digits or more), a source's path or URI, or a file name.

        Searches `collections` (None: all). Errors: AssetNotFound if there is none, or a name or prefix fits several.
        """
        uri, name = _to_uri(name), name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        fits = [
            Sources.asset_id == name,
            Sources.uri.in_([uri, name]),
            Sources.name == name,
            _name_ends_with(f"/{name}"),
        ]
        if len(name) >= _MIN_ID_PREFIX and all(char in "0123456789abcdef" for char in name):
            fits.append(Sources.asset_id.startswith(name))
        ids = _restrict_to_collections(select(Sources.asset_id).where(or_(*fits)), collections)
        query = _select_visible_assets(collections).where(Assets.asset_id.in_(ids))
        with self._database.read() as connection:
            rows = [] if "\0" in name else connection.execute(query).all()
        if not rows:
            raise AssetNotFound(f"no asset {name!r}")
        if len(rows) > 1:
            candidates = ", ".join(sorted(row.asset_id[:12] for row in rows))
            raise AssetNotFound(f"{name!r} fits {len(rows)} assets: {candidates}; name one by its id")
        return _asset_from_row(rows[0])

    def assets(self, collections: Collection[str] | None = None) -> list[Asset]:
        """Return the assets of some collections (None: all), newest first."""
        with self._database.read() as connection:
            return [_asset_from_row(row) for row in connection.execute(_select_newest_first(connection, collections))]

    def list_page(
        self, collections: Collection[str] | None, cursor: str | None, limit: int, name: str = ""
    ) -> CursorPage[Asset]:
        """Return a page of `assets` whose names hold `name`, in any case, from a cursor on (None: from the start).

        Errors: also InvalidInput for the cursor or the limit.
        """
        limit = validate_limit(limit)
        with self._database.read() as connection:
            query = _select_newest_first(connection, collections)
            if name:
                query = query.where(Assets.name.icontains(name, autoescape=True))
            if cursor is not None:
                indexed_at, key = decode_cursor(cursor)
                same_time = and_(Assets.indexed_at == indexed_at, Assets.asset_id > key)
                query = query.where(or_(Assets.indexed_at < indexed_at, same_time))
            assets = [_asset_from_row(row) for row in connection.execute(query.limit(limit + 1))]
        page = tuple(assets[:limit])
        has_more = len(assets) > limit
        return CursorPage(page, encode_cursor(page[-1].indexed_at, page[-1].asset_id) if has_more else None)

    def get(self, asset_ids: Collection[str], collections: Collection[str] | None = None) -> dict[str, Asset]:
        """Return the existing assets among some ids (in one of the collections, if given), by id."""
        query = _select_visible_assets(collections).where(Assets.asset_id.in_(asset_ids))
        with self._database.read() as connection:
            return {row.asset_id: _asset_from_row(row) for row in connection.execute(query)}

    def sources(self, asset_id: str, collections: Collection[str] | None = None) -> list[Source]:
        """Return the sources of an asset (in these collections, if given), sorted by collection and URI."""
        query = _restrict_to_collections(select(Sources).where(Sources.asset_id == asset_id), collections)
        with self._database.read() as connection:
            sources = [_source_from_row(row) for row in connection.execute(query)]
        return sorted(sources, key=lambda source: (source.collection, source.uri))

    def versions(self, collections: Collection[str] | None = None) -> dict[str, tuple[int, str]]:
        """Return the versions of the assets of some collections (None: all): their number, and the id of one."""
        ids = _restrict_to_collections(select(Sources.asset_id), collections)
        query = select(Assets.version, func.count(), func.min(Assets.asset_id)).where(Assets.asset_id.in_(ids))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(Assets.version))
            return {version: (count, asset_id) for version, count, asset_id in rows}

    def find_sources(self, collection: str, uris: Collection[str]) -> dict[str, Source]:
        """Return the sources of a collection among some URIs, by URI."""
        query = select(Sources).where(Sources.collection == collection, Sources.uri.in_(uris))
        with self._database.read() as connection:
            return {row.uri: _source_from_row(row) for row in connection.execute(query)}

    def sources_below(self, collection: str | None, uri: str | None) -> list[Source]:
        """Return the `file:` sources at a URI or below it (None: all) of a collection (None: all), sorted by URI."""
        query = select(Sources).where(_starts_with(Sources.uri, "file:"))
        if collection is not None:
            query = query.where(Sources.collection == collection)
        if uri is not None:
            query = query.where(or_(Sources.uri == uri, _starts_with(Sources.uri, uri.rstrip("/") + "/")))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(Sources.uri, Sources.collection))
            return [_source_from_row(row) for row in rows]

    def mark_missing(self, collection: str, uris: Collection[str], is_missing: bool) -> None:
        """Record that the files of some sources are gone since now, unless it is known already; or are there again."""
        value = func.coalesce(Sources.missing_since, self._clock()) if is_missing else None
        chosen = update(Sources).where(Sources.collection == collection, Sources.uri.in_(uris))
        with self._database.write() as connection:
            connection.execute(chosen.values(missing_since=value))

    def remove_source(self, collection: str, uri: str) -> None:
        """Remove one source, and call the removal listeners if the asset has left the collection with it.

        An asset without any source is left an orphan.
        """
        chosen = (Sources.collection == collection, Sources.uri == uri)
        with self._database.write() as connection:
            asset_id = connection.execute(delete(Sources).where(*chosen).returning(Sources.asset_id)).scalar()
            others = select(Sources.uri).where(Sources.collection == collection, Sources.asset_id == asset_id).limit(1)
            if asset_id is not None and connection.execute(others).first() is None:
                for notify in self._on_remove:
                    notify(connection, asset_id, collection)

    def filter_tags(self, asset: Asset, *pending_sources: Source) -> AssetTags:
        """Return the values that filters test: the collections of an asset and the oldest time of its files.

        `pending_sources` are counted as if they pointed to the asset already.
        """
        rows = {(row.collection, row.uri): row for row in (*self.sources(asset.asset_id), *pending_sources)}.values()
        times = [row.file_time for row in rows if row.file_time is not None]
        collections = frozenset(row.collection for row in rows)
        return AssetTags(asset.asset_id, asset.kind, collections, min(times, default=None))

    def collections(self) -> dict[str, int]:
        """Return the number of assets of each collection, sorted by name."""
        count = func.count(func.distinct(Sources.asset_id))
        query = select(Collections.name, count).outerjoin(Sources).group_by(Collections.name)
        with self._database.read() as connection:
            return dict(sorted((name, assets) for name, assets in connection.execute(query)))

    def create_collection(self, name: str) -> None:
        """Create an empty collection. Errors: CollectionExists, InvalidInput for the name."""
        with self._database.write() as connection:
            if not self._ensure_collection(connection, validate_collection_name(name)):
                raise CollectionExists(f"there is a collection {name!r} already")

    def delete_collection(self, name: str) -> None:
        """Delete an empty collection. Errors: CollectionNotFound; CollectionInUse if it holds assets."""
        with self._database.write() as connection:
            existing = select(Collections).where(Collections.name == name).with_for_update()
            if connection.execute(existing).first() is None:
                raise CollectionNotFound(f"no collection {name!r}")
            if connection.execute(select(Sources.uri).where(Sources.collection == name).limit(1)).first() is not None:
                raise CollectionInUse(f"the collection {name!r} is not empty")
            connection.execute(delete(Collections).where(Collections.name == name))

    def remove_from_collection(self, asset_id: str, collection: str | None) -> None:
        """Remove the sources of an asset from one collection, or from all (None), and call the removal listeners."""
        with self._database.write() as connection:
            if collection is not None:
                _require_collections(connection, [collection])
            names = None if collection is None else [collection]
            connection.execute(_restrict_to_collections(delete(Sources).where(Sources.asset_id == asset_id), names))
            for notify in self._on_remove:
                notify(connection, asset_id, collection)

    def orphaned_asset_ids(self) -> list[str]:
        """Return the ids of assets without a source."""
        query = select(Assets.asset_id).where(Assets.asset_id.not_in(select(Sources.asset_id)))
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())

    def delete_asset(self, asset_id: str) -> None:
        """Delete an asset that has no sources."""
        with self._database.write() as connection:
            connection.execute(delete(Assets).where(Assets.asset_id == asset_id))

    def _ensure_collection(self, connection: Connection, name: str) -> bool:
        """Create a collection unless it exists, and lock it until the transaction ends; return whether it was created.

        The loop is needed since another transaction may delete it between the two statements.
        """
        existing = select(Collections.name).where(Collections.name == name).with_for_update(read=True, key_share=True)
        while connection.execute(existing).first() is None:
            new = self._database.insert(Collections).values(
                name=validate_collection_name(name), created_at=self._clock()
            )
            created = new.on_conflict_do_nothing().returning(Collections.name)
            if connection.execute(created).first() is not None:
                return True
        return False

    def _upsert(self, connection: Connection, table: type[Base], key: dict[str, str], values: dict[str, Any]) -> None:
        """Insert or update one row."""
        row = self._database.insert(table).values(**key, **values)
        connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=values))


def _to_uri(path: str) -> str:
    try:
        return Path(path).resolve().as_uri()
    except (OSError, RuntimeError, ValueError):  # a cycle of links, a name too long, a NUL
        return path


def _starts_with(column: InstrumentedAttribute[str], prefix: str) -> ColumnElement[bool]:
    """Return the condition that a column starts with a prefix (LIKE differs between databases)."""
    return func.substr(column, 1, len(prefix)) == prefix


def _name_ends_with(suffix: str) -> ColumnElement[bool]:
    """Return the condition that a source's name ends in a suffix (LIKE differs between databases)."""
    return func.substr(Sources.name, func.length(Sources.name) - len(suffix) + 1) == suffix


def _restrict_to_collections(query: _Query, collections: Collection[str] | None) -> _Query:
    """Restrict a query of sources to some collections (None: no restriction)."""
    return query if collections is None else query.where(Sources.collection.in_(collections))


def _select_visible_assets(collections: Collection[str] | None) -> Select[Any]:
    """Select the assets of some collections (None: all) with the names that they have there."""
    columns = [column for column in Assets.__table__.c if column.name not in _SOURCE_COLUMNS]
    query = select(
        *columns,
        *(_first_source_column(name, collections) for name in _SOURCE_COLUMNS),
        _missing_since_column(collections),
    )
    return query.where(Assets.asset_id.in_(_restrict_to_collections(select(Sources.asset_id), collections)))


def _first_source_column(column: str, collections: Collection[str] | None) -> Label[Any]:
    """Select a column of an asset's first source in some collections."""
    sources = _restrict_to_collections(
        select(Sources.__table__.c[column]).where(Sources.asset_id == Assets.asset_id), collections
    )
    first = sources.order_by(Sources.missing_since.is_not(None), Sources.collection, Sources.uri).limit(1)
    return first.scalar_subquery().label(column)


def _missing_since_column(collections: Collection[str] | None) -> Label[Any]:
    """Select since when all sources of an asset in some collections are missing; NULL where one is there."""
    all_missing = func.count(Sources.missing_since) == func.count()
    times = select(case((all_missing, func.max(Sources.missing_since)), else_=None))
    sources = _restrict_to_collections(times.where(Sources.asset_id == Assets.asset_id), collections)
    return sources.scalar_subquery().label("missing_since")


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
    values = {name: getattr(asset, name) for name in Assets.__table__.c.keys() if name != "asset_id"}  # noqa: SIM118
    return values | {"kind": asset.kind.value, "warnings": list(asset.warnings)}


def _asset_from_row(row: Row[Any]) -> Asset:
    values = dict(row._mapping)
    return Asset(**values | {"kind": AssetKind(values["kind"]), "warnings": tuple(values["warnings"])})


def _source_from_row(row: Row[Any]) -> Source:
    return Source(**dict(row._mapping))
