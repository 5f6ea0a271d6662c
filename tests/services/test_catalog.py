"""The catalog: what points where, and how a person names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import ArtifactError, AssetNotFound, CollectionNotFound
from indexer.types import AssetKind
from services.catalog import Asset, Catalog, SourceRow
from services.database import Database

A, B = "a" * 64, "ab" * 32


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    yield Catalog(database)
    database.close()


def _asset(key: str, name: str = "film.mp4", version: str = "v1") -> Asset:
    return Asset(key, version, AssetKind.VIDEO, name, 12.5, None, 640, 360, 1.0, 3, 13, ("a warning",), 2.0)


def test_an_asset_comes_back_as_it_was(catalog: Catalog) -> None:
    catalog.point(SourceRow("default", "file:///film.mp4", A, "s"), _asset(A))
    assert catalog.get([A]) == {A: _asset(A)}
    assert _asset(A).looked_at_fps == 1.04


def test_pointing_a_source_elsewhere_tells_what_it_pointed_to(catalog: Catalog) -> None:
    source = SourceRow("default", "file:///film.mp4", A, "s")
    assert catalog.point(source, _asset(A)) is None
    assert catalog.point(source, _asset(A, version="v2")) is None
    assert catalog.get([A])[A].version == "v2"
    assert catalog.point(SourceRow("default", "file:///film.mp4", B, "t"), _asset(B)) == A
    assert catalog.orphans() == [A]
    assert catalog.get([A]) == {}
    assert catalog.source("default", "file:///film.mp4") == SourceRow("default", "file:///film.mp4", B, "t")


def test_collections_hold_what_is_in_them(catalog: Catalog) -> None:
    catalog.point(SourceRow("one", "file:///x", A, "s"), _asset(A))
    catalog.point(SourceRow("two", "file:///x", A, "s"), _asset(A))
    catalog.point(SourceRow("two", "file:///y", B, "s"), _asset(B))
    assert catalog.collections() == {"one": 1, "two": 2}
    assert [asset.asset_id for asset in catalog.assets(["one"])] == [A]
    assert catalog.get([A, B], ["one"]) == {A: _asset(A)}
    catalog.drop_membership(A, "two")
    assert catalog.collections() == {"one": 1, "two": 1}
    with pytest.raises(CollectionNotFound, match="no collection 'three'; there are one, two"):
        catalog.assets(["three"])


def test_an_asset_is_found_by_id_beginning_path_and_name(catalog: Catalog, tmp_path: Path) -> None:
    uri = (tmp_path / "film.mp4").as_uri()
    catalog.point(SourceRow("default", uri, B, "s"), _asset(B, "trips/film.mp4"))
    for name in (B, B[:6], str(tmp_path / "film.mp4"), uri, "trips/film.mp4", "film.mp4"):
        assert catalog.find(name).asset_id == B
    for name in ("ilm.mp4", "ab", "%", "trips"):
        with pytest.raises(AssetNotFound, match="no asset"):
            catalog.find(name)


def test_a_name_of_two_is_not_guessed(catalog: Catalog) -> None:
    catalog.point(SourceRow("default", "file:///x/film.mp4", A, "s"), _asset(A, "x/film.mp4"))
    catalog.point(SourceRow("default", "file:///y/film.mp4", B, "s"), _asset(B, "y/film.mp4"))
    with pytest.raises(AssetNotFound, match=r"'film.mp4' fits 2 assets: aaaaaaaaaaaa, abababababab"):
        catalog.find("film.mp4")
    assert catalog.find("y/film.mp4").asset_id == B


def test_a_damaged_catalog_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database at all, but long enough to be taken for one" * 20)
    database = Database(f"sqlite:///{tmp_path / 'catalog.db'}")
    with pytest.raises(ArtifactError, match="the catalog is damaged"):
        Catalog(database).assets()
    database.close()
