"""What is not kept for ever: jobs that have ended, with what they were to take in and did not, and answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import BlobStoreUnavailable
from services.container import Container
from services.database.idempotency import IdempotencyKey, IdempotencyStore, StoredResponse
from services.jobs.retention import Retention
from services.jobs.types import IndexRequest, NewJob
from tests.support.fake_clock import FakeClock


@pytest.fixture
def container(make_job_container: Callable[..., Container]) -> Container:
    return make_job_container()


def _make_retention(container: Container, keep_days: float = -1.0, store: IdempotencyStore | None = None) -> Retention:
    jobs, store = container.background.jobs, store or container.idempotency
    return Retention(jobs, container.catalog, container.source_resolver, store, keep_days)


def _cancel_upload(container: Container, file: Path) -> str:
    """An upload whose job came to nothing; its URI."""
    uri = container.source_resolver.store_upload(file, file.name)
    job = container.background.jobs.submit(NewJob(IndexRequest(uri, file.name), "default"))
    container.background.jobs.cancel(job.id)
    return uri


def test_an_upload_that_came_to_nothing_goes_with_its_job(container: Container, files: Path) -> None:
    _cancel_upload(container, files / "photo.png")
    _make_retention(container, keep_days=1).purge()
    assert len(container.background.jobs.list_page().items) == len(list(container.blobs.list_keys("media"))) == 1
    _make_retention(container).purge()
    assert list(container.background.jobs.list_page().items) == list(container.blobs.list_keys("media")) == []


def test_what_could_not_be_removed_is_removed_later(
    container: Container, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        _cancel_upload(container, files / "photo.png")

    def away(*_: object) -> int:
        raise BlobStoreUnavailable("the store is away")

    with monkeypatch.context() as patched:
        patched.setattr(container.blobs, "delete_prefix", away)
        with pytest.raises(BlobStoreUnavailable):
            _make_retention(container).purge()
    assert len(container.background.jobs.list_page().items) == 3
    _make_retention(container).purge()
    assert list(container.background.jobs.list_page().items) == list(container.blobs.list_keys("media")) == []


def test_a_job_that_is_queued_again_meanwhile_stays(container: Container, files: Path) -> None:
    job = container.background.jobs.cancel(
        container.background.jobs.submit(NewJob(IndexRequest("file:///a", "a"), "default")).id
    )
    container.background.jobs.retry(job.id)
    container.background.jobs.delete_finished(job)
    assert container.background.jobs.get(job.id).state == "queued"


def test_answers_and_files_on_their_way_are_kept_for_a_day(container: Container) -> None:
    key, clock = IdempotencyKey("", "a", "b" * 64), FakeClock()
    store = IdempotencyStore(container.database, clock)
    store.claim(key)
    store.store(key, StoredResponse(200, {}, b"gulls"))
    for name in ("old", "young"):
        (container.incoming_folder() / name).mkdir(parents=True)
    os.utime(container.incoming_folder() / "old", (clock.at - 25 * 3600,) * 2)
    _make_retention(container, store=store).purge()
    assert [path.name for path in container.incoming_folder().iterdir()] == ["young"]
    assert store.claim(key) == StoredResponse(200, {}, b"gulls")
    clock.at += 25 * 3600
    _make_retention(container, store=store).purge()
    assert store.claim(key) is None
