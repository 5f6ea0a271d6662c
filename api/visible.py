"""What somebody with some rights sees of the archive: what lies outside of them is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from indexer.errors import AssetNotFound, CollectionNotFound, JobNotFound
from indexer.types import SegmentFilter
from services.catalog import Asset, Catalog
from services.jobs.store import Jobs
from services.jobs.types import Job
from services.rights import Rights


def asset_of(catalog: Catalog, rights: Rights, asset_id: str) -> Asset:
    """The asset of an id. Errors: AssetNotFound."""
    found = catalog.get([asset_id], seen(rights)).get(asset_id)
    if found is None:
        raise AssetNotFound(f"no asset {asset_id!r}")
    return found


def collection_of(catalog: Catalog, rights: Rights, name: str) -> str:
    """The name, where there is such a collection. Errors: CollectionNotFound."""
    return _existing(catalog, rights, [name])[0]


def collections_of(catalog: Catalog, rights: Rights) -> dict[str, int]:
    """The collections, and how many assets each holds."""
    return {name: count for name, count in catalog.collections().items() if rights.sees(name)}


def holding(catalog: Catalog, rights: Rights, asset: Asset) -> list[str]:
    """The collections that hold an asset."""
    return sorted({row.collection for row in catalog.sources(asset.asset_id) if rights.sees(row.collection)})


def within(catalog: Catalog, rights: Rights, where: SegmentFilter) -> SegmentFilter:
    """The filter, narrowed to the rights. Errors: CollectionNotFound, AssetNotFound for what it names."""
    if where.collections is not None:
        _existing(catalog, rights, sorted(where.collections))
    where = rights.within(where)
    if where.collections is not None:  # those of the rights, some of which may not have been made yet
        where = replace(where, collections=where.collections & catalog.collections().keys())
    if where.assets is not None:
        listed = None if where.collections is None else sorted(where.collections)
        missing = where.assets - catalog.get(sorted(where.assets), listed).keys()
        if missing:
            raise AssetNotFound(f"no asset {min(missing)!r}")
    return where


def job_of(jobs: Jobs, rights: Rights, job_id: str) -> Job:
    """The job of an id; one of no collection is seen by who sees all. Errors: JobNotFound."""
    job = jobs.get(job_id)
    if rights.collections is not None and (job.collection is None or not rights.sees(job.collection)):
        raise JobNotFound(f"no job {job_id!r}")
    return job


def seen(rights: Rights) -> list[str] | None:
    """The collections of somebody's rights; None: all."""
    return None if rights.collections is None else sorted(rights.collections)


def _existing(catalog: Catalog, rights: Rights, names: Sequence[str]) -> Sequence[str]:
    there = catalog.collections()
    for name in names:
        if name not in there or not rights.sees(name):
            raise CollectionNotFound(f"no collection {name!r}")
    return names
