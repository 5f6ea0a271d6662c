"""The catalog: what points where, and how a person names it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from indexer.errors import ArtifactError, AssetNotFound, InvalidInput
from indexer.types import AssetKind, AssetTags
from services.catalog.catalog import Catalog
from services.catalog.errors import CollectionExists, CollectionInUse, CollectionNotFound
from services.catalog.types import Asset, Source
from services.database.engine import SqlDatabase

ASSET_A, ASSET_B = "a" * 64, "ab" * 32


@pytest.fixture
def catalog(database: SqlDatabase) -> Catalog:
    return Catalog(database)


def _asset(asset_id: str, name: str = "film.mp4", version: str = "v1") -> Asset:
    return Asset(asset_id, version, AssetKind.VIDEO, name, 12.5, None, 640, 360, 1.0, 3, 13, ("a warning",), 2.0)


def _source(collection: str, uri: str, asset_id: str, name: str = "film.mp4", fingerprint: str = "s") -> Source:
    return Source(collection, uri, asset_id, fingerprint, name, 1.0)


def test_an_asset_comes_back_as_it_was(catalog: Catalog) -> None:
    catalog.upsert_source(_source("default", "file:///film.mp4", ASSET_A), _asset(ASSET_A))
    assert catalog.get([ASSET_A]) == {ASSET_A: _asset(ASSET_A)}
    assert _asset(ASSET_A).sampled_fps == 1.04


def test_pointing_a_source_elsewhere_tells_what_it_pointed_to(catalog: Catalog) -> None:
    source = _source("default", "file:///film.mp4", ASSET_A)
    assert catalog.upsert_source(source, _asset(ASSET_A)) is None
    assert catalog.upsert_source(source, _asset(ASSET_A, version="v2")) is None
    assert catalog.get([ASSET_A])[ASSET_A].version == "v2"
    assert (
        catalog.upsert_source(_source("default", "file:///film.mp4", ASSET_B, fingerprint="t"), _asset(ASSET_B))
        == ASSET_A
    )
    assert catalog.orphaned_asset_ids() == [ASSET_A]
    assert catalog.get([ASSET_A]) == {}
    assert catalog.assets() == list(catalog.list_page(None, None, 10).items) == [_asset(ASSET_B)]
    assert catalog.find_source("default", "file:///film.mp4") == _source(
        "default", "file:///film.mp4", ASSET_B, fingerprint="t"
    )


def test_collections_hold_what_is_in_them(catalog: Catalog) -> None:
    catalog.upsert_source(_source("one", "file:///x", ASSET_A), _asset(ASSET_A))
    catalog.upsert_source(_source("two", "file:///x", ASSET_A), _asset(ASSET_A))
    catalog.upsert_source(_source("two", "file:///y", ASSET_B), _asset(ASSET_B))
    assert catalog.collections() == {"one": 1, "two": 2}
    assert [asset.asset_id for asset in catalog.assets(["one"])] == [ASSET_A]
    assert catalog.get([ASSET_A, ASSET_B], ["one"]) == {ASSET_A: _asset(ASSET_A)}
    catalog.remove_from_collection(ASSET_A, "two")
    assert catalog.collections() == {"one": 1, "two": 1}
    with pytest.raises(CollectionNotFound, match=r"^no collection 'three'$"):
        catalog.assets(["three"])


def test_an_asset_is_found_by_id_beginning_path_and_name(catalog: Catalog, tmp_path: Path) -> None:
    uri = (tmp_path / "film.mp4").as_uri()
    catalog.upsert_source(_source("default", uri, ASSET_B, "trips/film.mp4"), _asset(ASSET_B, "trips/film.mp4"))
    for name in (ASSET_B, ASSET_B[:6], str(tmp_path / "film.mp4"), uri, "trips/film.mp4", "film.mp4"):
        assert catalog.find(name).asset_id == ASSET_B
    for name in ("ilm.mp4", "ab", "%", "_ilm.mp4", "trips", "Film.mp4", "film.mp4\0", "\udcff", ASSET_B.upper()):
        with pytest.raises(AssetNotFound, match="no asset"):
            catalog.find(name)


def test_a_name_of_two_is_not_guessed(catalog: Catalog) -> None:
    catalog.upsert_source(
        _source("default", "file:///x/film.mp4", ASSET_A, "x/film.mp4"), _asset(ASSET_A, "x/film.mp4")
    )
    catalog.upsert_source(
        _source("default", "file:///y/film.mp4", ASSET_B, "y/film.mp4"), _asset(ASSET_B, "y/film.mp4")
    )
    with pytest.raises(AssetNotFound, match=r"'film.mp4' fits 2 assets: aaaaaaaaaaaa, abababababab"):
        catalog.find("film.mp4")
    assert catalog.find("y/film.mp4").asset_id == ASSET_B


def test_outside_of_the_collections_that_are_named_nothing_is_told(catalog: Catalog) -> None:
    catalog.upsert_source(_source("one", "file:///x/film.mp4", ASSET_A, "x/film.mp4"), _asset(ASSET_A, "x/film.mp4"))
    catalog.upsert_source(_source("two", "file:///x/film.mp4", ASSET_A, "x/film.mp4"), _asset(ASSET_A, "x/film.mp4"))
    catalog.upsert_source(_source("two", "file:///y/film.mp4", ASSET_B, "y/film.mp4"), _asset(ASSET_B, "y/film.mp4"))
    assert catalog.find("film.mp4", ["one"]).asset_id == ASSET_A
    for name in (ASSET_B, ASSET_B[:8], "y/film.mp4", "file:///y/film.mp4"):
        with pytest.raises(AssetNotFound, match="no asset"):
            catalog.find(name, ["one"])
    with pytest.raises(AssetNotFound):
        catalog.find(ASSET_A, [])
    assert [source.collection for source in catalog.sources(ASSET_A)] == ["one", "two"]
    assert [source.collection for source in catalog.sources(ASSET_A, ["one"])] == ["one"]


def test_an_asset_is_called_what_the_collections_that_are_named_call_it(catalog: Catalog) -> None:
    catalog.upsert_source(Source("two", "file:///z/b.mp4", ASSET_A, "s", "z/b.mp4", 3.0), _asset(ASSET_A, "z/b.mp4"))
    catalog.upsert_source(Source("one", "file:///x/a.mp4", ASSET_A, "s", "x/a.mp4", 5.0), _asset(ASSET_A, "x/a.mp4"))
    catalog.upsert_source(Source("two", "file:///y/c.mp4", ASSET_A, "s", "y/c.mp4", None), _asset(ASSET_A, "y/c.mp4"))
    for collections, name, file_time in (
        (["one"], "x/a.mp4", 5.0),
        (["two"], "y/c.mp4", None),
        (["two", "one"], "x/a.mp4", 5.0),
        (None, "x/a.mp4", 5.0),
    ):
        shown = replace(_asset(ASSET_A, name), file_time=file_time)
        assert catalog.get([ASSET_A], collections) == {ASSET_A: shown}
        assert catalog.assets(collections) == [shown]
        assert catalog.list_page(collections, None, 1).items == (shown,)
        assert catalog.find(ASSET_A, collections) == shown
    assert catalog.find("b.mp4", ["two"]).name == "y/c.mp4"
    for hidden in ("a.mp4", "x/a.mp4", "file:///x/a.mp4"):
        with pytest.raises(AssetNotFound, match="no asset"):
            catalog.find(hidden, ["two"])
    for name in ("a.mp4", "y/c.mp4", "b.mp4"):
        assert catalog.find(name).asset_id == ASSET_A
    catalog.remove_from_collection(ASSET_A, "one")
    assert catalog.find(ASSET_A).name == "y/c.mp4"


def test_two_assets_of_one_name_in_two_collections_are_told_apart_by_what_is_seen(catalog: Catalog) -> None:
    catalog.upsert_source(_source("one", "file:///x", ASSET_A, "film.mp4"), _asset(ASSET_A))
    catalog.upsert_source(_source("two", "file:///x", ASSET_A, "day.mp4"), _asset(ASSET_A))
    catalog.upsert_source(_source("two", "file:///y", ASSET_B, "film.mp4"), _asset(ASSET_B))
    assert catalog.find("film.mp4", ["one"]).asset_id == ASSET_A
    assert catalog.find("film.mp4", ["two"]).asset_id == ASSET_B
    with pytest.raises(AssetNotFound, match="fits 2 assets"):
        catalog.find("film.mp4")


def test_filters_see_the_oldest_time_of_an_assets_files(catalog: Catalog) -> None:
    asset = _asset(ASSET_A)
    catalog.upsert_source(Source("one", "file:///x", ASSET_A, "s", "x", 3.0), asset)
    catalog.upsert_source(Source("two", "file:///y", ASSET_A, "s", "y", None), asset)
    assert catalog.filter_tags(asset) == AssetTags(ASSET_A, asset.kind, frozenset({"one", "two"}), 3.0)
    older = Source("new", "file:///z", ASSET_A, "s", "z", 2.0)
    assert catalog.filter_tags(asset, older) == AssetTags(ASSET_A, asset.kind, frozenset({"one", "two", "new"}), 2.0)
    assert catalog.filter_tags(asset, Source("one", "file:///x", ASSET_A, "t", "x", 7.0)).file_time == 7.0


def test_a_collection_is_made_once_and_goes_when_it_is_empty(catalog: Catalog) -> None:
    catalog.create_collection("trips")
    assert catalog.collections() == {"trips": 0}
    with pytest.raises(CollectionExists, match="there is a collection 'trips' already"):
        catalog.create_collection("trips")
    catalog.upsert_source(_source("trips", "file:///x", ASSET_A), _asset(ASSET_A))
    with pytest.raises(CollectionInUse, match="'trips' is not empty"):
        catalog.delete_collection("trips")
    catalog.remove_from_collection(ASSET_A, "trips")
    catalog.delete_collection("trips")
    with pytest.raises(CollectionNotFound):
        catalog.delete_collection("trips")


@pytest.mark.parametrize("name", ["", " ", "a/b", "..", "a\nb", "\0", "x" * 201, "\udcff"])
def test_a_name_that_no_address_can_hold_is_no_collection(catalog: Catalog, name: str) -> None:
    with pytest.raises(InvalidInput, match="collection"):
        catalog.create_collection(name)
    assert catalog.collections() == {}


def test_collections_are_sorted_the_same_everywhere(catalog: Catalog) -> None:
    for name in ("b", "B", "a", "한국", "é", "x" * 200):
        catalog.create_collection(name)
    assert list(catalog.collections()) == ["B", "a", "b", "x" * 200, "é", "한국"]


def test_pages_hold_the_list_in_its_order(catalog: Catalog) -> None:
    keys = [f"{number:064x}" for number in range(23)]
    for number, key in enumerate(keys):
        asset = replace(_asset(key), indexed_at=1000.1 + number // 5)
        catalog.upsert_source(_source("default", f"file:///{key}", key), asset)
    pages, after = [], None
    while not pages or after:
        page = catalog.list_page(["default"], after, 4)
        pages.append(page.items)
        after = page.next_cursor
    assert [len(items) for items in pages] == [4, 4, 4, 4, 4, 3]
    assert [asset for items in pages for asset in items] == catalog.assets()
    assert catalog.list_page(None, None, 23).next_cursor is None


def test_a_page_goes_on_where_the_last_one_ended_though_assets_come_and_go(catalog: Catalog) -> None:
    for number in range(6):
        key = f"{number:064x}"
        catalog.upsert_source(_source("default", f"file:///{key}", key), replace(_asset(key), indexed_at=float(number)))
    first = catalog.list_page(None, None, 3)
    catalog.upsert_source(_source("default", "file:///new", ASSET_A), replace(_asset(ASSET_A), indexed_at=99.0))
    catalog.remove_from_collection(first.items[-1].asset_id, None)
    catalog.delete_asset(first.items[-1].asset_id)
    second = catalog.list_page(None, first.next_cursor, 3)
    times = [asset.indexed_at for asset in (*first.items, *second.items)]
    assert times == [5.0, 4.0, 3.0, 2.0, 1.0, 0.0]
    assert all(a > b for a, b in pairwise(times))


@pytest.mark.parametrize("after", ["", "x", "é", "bm9uZQ", "bm90IGEgdGltZQ", "\0"])
def test_what_is_no_place_in_the_list_is_refused(catalog: Catalog, after: str) -> None:
    with pytest.raises(InvalidInput, match="is not a valid cursor"):
        catalog.list_page(None, after, 3)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_page_is_neither_empty_nor_endless(catalog: Catalog, limit: int) -> None:
    with pytest.raises(InvalidInput, match="1 to 500"):
        catalog.list_page(None, None, limit)


def test_ids_that_no_asset_can_have_are_not_found(catalog: Catalog) -> None:
    catalog.upsert_source(_source("default", "file:///x", ASSET_A), _asset(ASSET_A))
    assert catalog.get([ASSET_A, "x" * 100]) == {ASSET_A: _asset(ASSET_A)}
    assert catalog.get([]) == {}


def test_many_writers_may_fill_a_new_collection(catalog: Catalog) -> None:
    def point(number: int) -> None:
        key = f"{number % 5:064x}"
        catalog.upsert_source(_source("new", f"file:///{number % 10}", key), _asset(key))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(point, range(40)))
    assert catalog.collections() == {"new": 5}
    assert len([source for asset in catalog.assets() for source in catalog.sources(asset.asset_id)]) == 10


def test_a_collection_goes_and_is_filled_at_the_same_time_without_a_contradiction(catalog: Catalog) -> None:
    """Whoever comes second finds it gone, or in use; a collection that is filled again is made anew."""

    def drop() -> None:
        with suppress(CollectionInUse, CollectionNotFound):
            catalog.delete_collection("brief")

    def fill() -> None:
        catalog.upsert_source(_source("brief", "file:///x", ASSET_A), _asset(ASSET_A))
        with suppress(CollectionNotFound):
            catalog.remove_from_collection(ASSET_A, "brief")

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(work) for _ in range(30) for work in (drop, fill)]:
            done.result()
    assert catalog.collections() in ({}, {"brief": 0})
    assert catalog.sources(ASSET_A) == [] and catalog.orphaned_asset_ids() == [ASSET_A]


def test_a_damaged_catalog_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database at all, but long enough to be taken for one" * 20)
    database = SqlDatabase(f"sqlite:///{tmp_path / 'catalog.db'}")
    with pytest.raises(ArtifactError, match="the catalog is damaged"):
        Catalog(database).assets()
    database.close()
