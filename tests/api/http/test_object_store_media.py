"""Media that lies in an object store is sent from there, as much of it as is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from indexer.storage.object_store_blobs import ObjectStoreBlobs
from services.container import Container
from tests.support.live_server import live_server, read_events
from tests.support.object_store import make_bucket, run_s3_server
from tests.support.small_archive import SHORE, open_small_archive
from tests.support.waiting import TIMEOUT_S

MB = 1 << 20


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with run_s3_server() as environment, pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        make_bucket(environment, "films")
        home = tmp_path_factory.mktemp("home")
        with closing(open_small_archive(home, blobs__url="s3://films/archive")) as made:
            yield made


@pytest.fixture(scope="module")
def client(container: Container) -> Iterator[httpx2.Client]:
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as made:
        yield made


@pytest.fixture(scope="module")
def film_url(client: httpx2.Client, small_archive: Path) -> str:
    """The address of a film that was uploaded."""
    data = (small_archive / SHORE / "gulls.mp4").read_bytes()
    asked = client.post("/v1/uploads", data={"collection": SHORE}, files={"file": ("gulls.mp4", data)})
    with client.stream("GET", f"/v1/jobs/{asked.json()['id']}/events") as response:
        job = dict(list(read_events(response))[-1][1])
    assert job["state"] == "done", job
    return f"/v1/assets/{job['asset_id']}/media"


@pytest.fixture
def media_reads(container: Container, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int | None]]:
    """What is read of blobs of media, as offsets and lengths; none may be fetched whole."""
    blobs, ranges = container.blobs, list[tuple[int, int | None]]()
    assert isinstance(blobs, ObjectStoreBlobs)
    get = blobs.get

    def watched(key: str, offset: int = 0, length: int | None = None) -> bytes:
        if key.startswith("media/"):
            ranges.append((offset, length))
        return get(key, offset, length)

    def fetched(key: str) -> None:
        raise AssertionError(f"{key} was fetched whole")

    monkeypatch.setattr(blobs, "get", watched)
    monkeypatch.setattr(blobs, "local_file", fetched)
    return ranges


def test_a_range_reads_the_bytes_that_are_wanted_and_no_more(
    client: httpx2.Client, film_url: str, media_reads: list[tuple[int, int | None]], small_archive: Path
) -> None:
    data = (small_archive / SHORE / "gulls.mp4").read_bytes()
    part = client.get(film_url, headers={"range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, data[1000:2000])
    assert part.headers["content-range"] == f"bytes 1000-1999/{len(data)}"
    assert media_reads == [(1000, 1000)]
    head = client.head(film_url)
    assert head.headers["content-length"] == str(len(data)) and head.headers["content-type"] == "video/mp4"
    assert client.get(film_url, headers={"range": f"bytes={len(data)}-"}).status_code == 416
    assert len(media_reads) == 1
    whole = client.get(film_url)
    assert whole.content == data and whole.headers["etag"] == part.headers["etag"] == head.headers["etag"]


def test_who_stops_listening_has_no_more_read(
    client: httpx2.Client,
    film_url: str,
    media_reads: list[tuple[int, int | None]],
    container: Container,
    tmp_path: Path,
) -> None:
    """The blob is read while it is sent, a few megabytes at a time."""
    (row,) = container.catalog.sources(film_url.split("/")[3])
    key = container.source_resolver.media_key(row.collection, row.uri)
    assert key is not None
    with (tmp_path / "large").open("wb") as file:
        file.truncate(160 * MB)
    container.blobs.put_file(key, tmp_path / "large")
    with client.stream("GET", film_url, headers={"range": f"bytes={MB}-"}) as response:
        assert response.headers["content-length"] == str(159 * MB)
        next(response.iter_raw())
    assert len(media_reads) < 20 and all(length is not None and length <= 4 * MB for _, length in media_reads)


def test_media_that_is_gone_from_the_store_is_not_found_before_anything_is_sent(
    client: httpx2.Client, film_url: str, container: Container
) -> None:
    (row,) = container.catalog.sources(film_url.split("/")[3])
    container.source_resolver.delete_media(row.collection, row.uri)
    for method in ("GET", "HEAD"):
        assert client.request(method, film_url).status_code == 404
