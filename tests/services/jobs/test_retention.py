"""What is not kept for ever: jobs that have ended, with what they were to take in and did not, and answers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from indexer.errors import BlobStoreUnavailable
from services.container import Container
from services.database import idempotency as module
from services.database.idempotency import IdempotencyKey, StoredResponse
from services.jobs.retention import Retention
from services.jobs.types import IndexRequest, NewJob


@pytest.fixture
def container(asking: Callable[..., Container]) -> Container:
    return asking()


def _make_retention(container: Container, keep_days: float = -1.0) -> Retention:
    return Retention(container.jobs, container.catalog, container.source_resolver, container.idempotency, keep_days)


def _cancel_upload(container: Container, file: Path) -> str:
    """An upload whose job came to nothing; its URI."""
    uri = container.source_resolver.store_upload(file, file.name)
    job = container.jobs.submit(NewJob(IndexRequest(uri, file.name), "default"))
    container.jobs.cancel(job.id)
    return uri


def test_an_upload_that_came_to_nothing_goes_with_its_job(container: Container, files: Path) -> None:
    _cancel_upload(container, files / "photo.png")
    _make_retention(container, keep_days=1).purge()
    assert len(container.jobs.list_page().items) == len(list(container.blobs.list_keys("media"))) == 1
    _make_retention(container).purge()
    assert list(container.jobs.list_page().items) == list(container.blobs.list_keys("media")) == []


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
    assert len(container.jobs.list_page().items) == 3
    _make_retention(container).purge()
    assert list(container.jobs.list_page().items) == list(container.blobs.list_keys("media")) == []


def test_a_job_that_is_queued_again_meanwhile_stays(container: Container, files: Path) -> None:
    job = container.jobs.cancel(container.jobs.submit(NewJob(IndexRequest("file:///a", "a"), "default")).id)
    container.jobs.retry(job.id)
    container.jobs.delete_finished(job)
    assert container.jobs.get(job.id).state == "queued"


def test_answers_and_files_on_their_way_are_kept_for_a_day(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, at = IdempotencyKey("", "a", "b" * 64), time.time()
    container.idempotency.claim(key)
    container.idempotency.store(key, StoredResponse(200, {}, b"gulls"))
    for name in ("old", "young"):
        (container.incoming_folder() / name).mkdir(parents=True)
    os.utime(container.incoming_folder() / "old", (at - 25 * 3600,) * 2)
    _make_retention(container).purge()
    assert [path.name for path in container.incoming_folder().iterdir()] == ["young"]
    assert container.idempotency.claim(key) == StoredResponse(200, {}, b"gulls")
    monkeypatch.setattr(module, "now", lambda: at + 25 * 3600)
    _make_retention(container).purge()
    assert container.idempotency.claim(key) is None
