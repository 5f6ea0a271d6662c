"""Deletions that were cut off: the next try removes what is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import StorageFull
from services.container import Container
from services.jobs.types import DeleteRequest, JobState, NewJob
from tests.support.job_workers import make_photo


def _raise_storage_full(*_: object) -> int:
    raise StorageFull("no room left")


def test_what_is_named_like_an_asset_is_another_one(make_job_container: Callable[..., Container], files: Path) -> None:
    """No name that somebody gives to theirs keeps an asset from being deleted."""
    container = make_job_container(jobs__retry_backoff_s="0")
    (line,) = container.indexing.index_paths([files / "photo.png"], "mine")
    assert line.asset is not None
    poster = make_photo(files, 1).rename(files / f"{line.asset.asset_id}")
    (other,) = container.indexing.index_paths([poster], "theirs")
    job = container.background.dispatcher.submit(NewJob(DeleteRequest(line.asset.asset_id), None))
    container.background.runner.run(job.id)
    assert container.background.jobs.get(job.id).state is JobState.DONE
    assert container.catalog.assets() == [other.asset]


@pytest.mark.parametrize(("part", "step"), [("index", "remove"), ("artifacts", "delete"), ("catalog", "delete_asset")])
def test_a_deletion_that_was_cut_off_is_finished_by_the_next_try(
    make_job_container: Callable[..., Container], files: Path, part: str, step: str
) -> None:
    container = make_job_container(jobs__retry_backoff_s="0")
    (line,) = container.indexing.index_paths([files / "photo.png"], "default")
    assert line.asset is not None
    job = container.background.dispatcher.submit(NewJob(DeleteRequest(line.asset.asset_id), "default"))
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(getattr(container, part), step, _raise_storage_full)
        container.background.runner.run(job.id)
    assert container.background.jobs.get(job.id).state is JobState.QUEUED
    assert container.catalog.assets() == []
    container.background.runner.run(job.id)
    assert container.background.jobs.get(job.id).state is JobState.DONE
    assert (
        container.catalog.orphaned_asset_ids(),
        container.index.segment_counts(),
        container.artifacts.list_assets(),
    ) == ([], {}, [])
