"""Uploads, imports and jobs over HTTP: each ends in an asset that is found, once."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
import pytest

from api.http.multipart import read_form
from indexer.errors import StorageFull
from services.access.api_keys import Scope
from services.container import Container
from services.database.errors import DatabaseUnavailable
from services.jobs.rows import append_event
from services.jobs.types import IndexRequest, NewJob, ReindexRequest
from tests.support.containers import copy_home
from tests.support.live_server import live_server, read_events
from tests.support.request_log import capture_request_log
from tests.support.small_archive import HARBOUR, SHORE, make_document, open_small_archive
from tests.support.waiting import TIMEOUT_S

PUFFIN_SENTENCE = "The puffin warden owes nine lanterns."
TUS = {"tus-resumable": "1.0.0"}
PATCH = {**TUS, "content-type": "application/offset+octet-stream"}
MB = 1 << 20


@pytest.fixture
def container(small_home: Path, tmp_path: Path) -> Iterator[Container]:
    (tmp_path / "open").mkdir()
    roots = f'["{tmp_path / "open"}"]'
    made = open_small_archive(
        copy_home(small_home, tmp_path / "home"), ingest__allowed_roots=roots, jobs__retry_backoff_s="0"
    )
    yield made
    made.close()


@pytest.fixture
def client(container: Container) -> Iterator[httpx2.Client]:
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client:
        yield client


@pytest.fixture
def document(tmp_path: Path) -> Path:
    make_document(tmp_path / "open" / "lanterns.pdf", PUFFIN_SENTENCE)
    return tmp_path / "open" / "lanterns.pdf"


def _wait_for_job(client: httpx2.Client, job: dict[str, str]) -> dict[str, object]:
    """The job when it has ended, by its stream of events."""
    with client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        came = list(read_events(response))
    assert [name for name, _ in came] == ["event"] * (len(came) - 1) + ["job"]
    return dict(came[-1][1])


def _search_puffin(client: httpx2.Client) -> list[tuple[str, str]]:
    hits = client.post("/v1/search", json={"question": "puffin warden owes lanterns"}).json()["hits"]
    return [(hit["name"], hit["text"]) for hit in hits]


def _raise_database_unavailable(*_: object) -> None:
    raise DatabaseUnavailable("it went away")


def _tus_metadata(**values: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in values.items())


def test_a_form_with_a_file_becomes_a_job_and_then_an_asset(client: httpx2.Client, document: Path) -> None:
    accepted = client.post(
        "/v1/uploads",
        data={"collection": HARBOUR, "name": "wharf/lanterns.pdf"},
        files={"file": ("x.pdf", document.read_bytes())},
    )
    assert accepted.status_code == 202
    job = _wait_for_job(client, accepted.json())
    assert (job["state"], job["collection"], job["error"]) == ("done", HARBOUR, None)
    assert _search_puffin(client) == [("wharf/lanterns.pdf", PUFFIN_SENTENCE)]
    assert client.get(f"/v1/assets/{job['asset_id']}/media").content == document.read_bytes()
    assert client.get(f"/v1/jobs/{job['id']}").json() == job
    assert [one["id"] for one in client.get("/v1/jobs", params={"state": "done"}).json()["items"]] == [job["id"]]


def test_a_path_is_indexed_where_the_settings_open_it_and_nowhere_else(client: httpx2.Client, document: Path) -> None:
    named = document.rename(document.with_name("all lanterns.pdf"))
    for source in (str(named), named.as_uri()):
        asked = client.post("/v1/imports", json={"source": source, "collection": "new"})
        listed = client.get("/v1/jobs", params={"collection": "new"}).json()["items"]
        assert listed[0]["id"] == asked.json()["id"], "also before there is such a collection"
        assert _wait_for_job(client, asked.json())["state"] == "done"
        assert _search_puffin(client) == [("all lanterns.pdf", PUFFIN_SENTENCE)]
        assert {"name": "new", "assets": 1} in client.get("/v1/collections").json()
    for source in (
        "/etc/passwd",
        "file:///etc/passwd",
        "https://example.org/a.mp4",
        f"blob:media/{'a' * 32}/a.mp4",
        "http://[",
        f"{document.as_uri()}/../../home/catalog.db",
    ):
        refused = client.post("/v1/imports", json={"source": source, "collection": "new"})
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:afterimage:source-forbidden"), source


def test_what_is_no_media_fails_its_job_and_says_why(client: httpx2.Client) -> None:
    asked = client.post("/v1/uploads", data={"collection": "new"}, files={"file": ("notes.mp4", b"no video at all")})
    job = _wait_for_job(client, asked.json())
    assert job["state"] == "failed" and "notes.mp4" in str(job["error"])
    again = client.post(f"/v1/jobs/{job['id']}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "urn:afterimage:job-conflict")
    assert client.post(f"/v1/jobs/{job['id']}/retry").status_code == 202


def test_a_deleted_asset_is_gone_from_everywhere(client: httpx2.Client) -> None:
    (asset,) = client.get("/v1/assets", params={"collection": HARBOUR}).json()["items"]
    (asked,) = client.delete(f"/v1/assets/{asset['asset']}").json()
    assert _wait_for_job(client, asked)["state"] == "done"
    assert client.get(f"/v1/assets/{asset['asset']}").status_code == 404
    assert client.post("/v1/search", json={"question": "mooring rope costs crowns"}).json() == {"hits": []}
    assert client.delete(f"/v1/collections/{HARBOUR}").status_code == 204
    assert client.delete(f"/v1/collections/{SHORE}").json()["type"] == "urn:afterimage:collection-in-use"


def test_a_stream_of_events_goes_on_where_it_was_cut_off(client: httpx2.Client, document: Path) -> None:
    job = client.post("/v1/imports", json={"source": document.as_uri(), "collection": "new"}).json()
    _wait_for_job(client, job)
    address = f"/v1/jobs/{job['id']}/events"
    with client.stream("GET", address) as response:
        whole = list(read_events(response))
    with client.stream("GET", address, headers={"last-event-id": str(whole[0][1]["number"])}) as response:
        assert list(read_events(response)) == whole[1:]


def test_a_resumable_upload_goes_on_where_it_was_cut_off(client: httpx2.Client, document: Path) -> None:
    data = document.read_bytes()
    metadata = {"upload-metadata": _tus_metadata(collection=HARBOUR, filename="lanterns.pdf")}
    begun = client.post("/v1/uploads/tus", headers={**TUS, **metadata, "upload-length": str(len(data))})
    assert begun.status_code == 201
    address = begun.headers["location"]
    sent = client.patch(address, content=data[:100], headers={**PATCH, "upload-offset": "0"})
    assert (sent.status_code, sent.headers["upload-offset"]) == (204, "100")
    wrong = client.patch(address, content=data[50:], headers={**PATCH, "upload-offset": "50"})
    assert (wrong.status_code, wrong.json()["type"]) == (409, "urn:afterimage:upload-conflict")
    much = client.patch(address, content=data, headers={**PATCH, "upload-offset": "100"})
    assert much.status_code == 413
    offset = int(client.head(address, headers=TUS).headers["upload-offset"])
    last = client.patch(address, content=data[offset:], headers={**PATCH, "upload-offset": str(offset)})
    assert last.headers["upload-offset"] == str(len(data))
    assert _wait_for_job(client, {"id": last.headers["afterimage-job"]})["state"] == "done"
    assert _search_puffin(client) == [("lanterns.pdf", PUFFIN_SENTENCE)]
    head = client.head(address, headers=TUS)
    assert (head.headers["upload-offset"], head.headers["afterimage-job"]) == (
        str(len(data)),
        last.headers["afterimage-job"],
    )


def test_a_line_that_breaks_in_mid_upload_loses_nothing_that_came(client: httpx2.Client) -> None:
    metadata = {"upload-metadata": _tus_metadata(collection=HARBOUR, filename="a.pdf"), "upload-length": str(4 * MB)}
    address = client.post("/v1/uploads/tus", headers={**TUS, **metadata}).headers["location"]

    def broken() -> Iterator[bytes]:
        yield b"x" * MB
        yield b"x" * MB
        raise ConnectionAbortedError

    with capture_request_log() as log:
        with pytest.raises(ConnectionAbortedError):
            client.patch(address, content=broken(), headers={**PATCH, "upload-offset": "0"})
        log.wait_for_line("PATCH", urlsplit(address).path)
    assert client.head(address, headers=TUS).headers["upload-offset"] == str(2 * MB)
    assert client.delete(address, headers=TUS).status_code == 204
    assert client.head(address, headers=TUS).status_code == 404


def test_the_protocol_of_resumable_uploads_is_held(client: httpx2.Client) -> None:
    told = client.options("/v1/uploads/tus")
    assert told.headers["tus-version"] == "1.0.0" and "creation-with-upload" in told.headers["tus-extension"]
    metadata = {"upload-metadata": _tus_metadata(collection="new", filename="a.pdf")}
    assert client.post("/v1/uploads/tus", headers={**metadata, "upload-length": "3"}).status_code == 412
    assert client.post("/v1/uploads/tus", headers={**TUS, **metadata}).status_code == 422
    assert client.post("/v1/uploads/tus", headers={**TUS, "upload-length": "3"}).status_code == 422
    headers = {**TUS, **metadata, "upload-length": str(10**15)}
    assert client.post("/v1/uploads/tus", headers=headers).status_code == 413
    whole = client.post("/v1/uploads/tus", content=b"abc", headers={**PATCH, **metadata, "upload-length": "3"})
    assert (whole.status_code, whole.headers["upload-offset"]) == (201, "3") and whole.headers["afterimage-job"]
    address = whole.headers["location"]
    assert client.patch(address, content=b"", headers={**TUS, "upload-offset": "3"}).status_code == 415
    again = client.patch(address, content=b"", headers={**PATCH, "upload-offset": "3"})
    assert again.headers["afterimage-job"] == whole.headers["afterimage-job"]


def test_a_request_that_is_sent_again_is_done_once(client: httpx2.Client, document: Path) -> None:
    body = {"source": document.as_uri(), "collection": "new"}
    idempotency_header = {"idempotency-key": "import lanterns"}
    first, second = (client.post("/v1/imports", json=body, headers=idempotency_header) for _ in range(2))
    assert first.json() == second.json() and second.status_code == 202
    assert "idempotency-replayed" not in first.headers and second.headers["idempotency-replayed"] == "true"
    assert len(client.get("/v1/jobs").json()["items"]) == 1
    other = client.post("/v1/imports", json={**body, "collection": "other"}, headers=idempotency_header)
    assert (other.status_code, other.json()["type"]) == (409, "urn:afterimage:idempotency-conflict")
    refused = client.post("/v1/imports", json=body, headers={"idempotency-key": "x" * 300})
    assert refused.status_code == 422


def test_an_upload_is_taken_in_once_though_its_answer_was_not_kept(
    client: httpx2.Client, container: Container, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send() -> httpx2.Response:
        form = {"data": {"collection": "new"}, "files": {"file": ("lanterns.pdf", document.read_bytes())}}
        return client.post("/v1/uploads", **form, headers={"idempotency-key": "lanterns"})

    with monkeypatch.context() as patched:
        patched.setattr(container.idempotency, "store", _raise_database_unavailable)
        assert send().status_code == 503
    first, second = send(), send()
    assert first.json() == second.json() and "idempotency-replayed" in second.headers
    assert _wait_for_job(client, first.json())["state"] == "done"
    assert len(client.get("/v1/jobs").json()["items"]) == 1
    assert len(list((container.home / "media").iterdir())) == 1
    assert _search_puffin(client) == [("lanterns.pdf", PUFFIN_SENTENCE)]


def test_what_was_found_is_not_told_again_once_it_is_deleted(client: httpx2.Client) -> None:
    def ask() -> httpx2.Response:
        body = {"question": "mooring rope costs crowns"}
        return client.post("/v1/search", json=body, headers={"idempotency-key": "rope"})

    (hit,) = ask().json()["hits"]
    (gone,) = client.delete(f"/v1/assets/{hit['asset']}").json()
    _wait_for_job(client, gone)
    assert ask().json() == {"hits": []}


def test_media_that_somebody_took_away_is_not_found(
    client: httpx2.Client, container: Container, document: Path
) -> None:
    form = {"data": {"collection": "new"}, "files": {"file": ("lanterns.pdf", document.read_bytes())}}
    asset = _wait_for_job(client, client.post("/v1/uploads", **form).json())["asset_id"]
    assert client.get(f"/v1/assets/{asset}/media").content == document.read_bytes()
    shutil.rmtree(container.home / "media")
    gone = client.get(f"/v1/assets/{asset}/media")
    assert (gone.status_code, gone.json()["type"]) == (404, "urn:afterimage:source-not-found")
    body = {"source": document.as_uri(), "collection": HARBOUR}  # another one has the same bytes
    assert _wait_for_job(client, client.post("/v1/imports", json=body).json())["asset_id"] == asset
    assert client.get(f"/v1/assets/{asset}/media").content == document.read_bytes()
    assert _search_puffin(client) == [("lanterns.pdf", PUFFIN_SENTENCE)]


def test_a_resumable_upload_is_begun_and_taken_in_once(
    client: httpx2.Client, container: Container, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = document.read_bytes()
    metadata = {
        "upload-metadata": _tus_metadata(collection="new", filename="lanterns.pdf"),
        "idempotency-key": "lanterns",
    }
    creation_headers = {**TUS, **metadata, "upload-length": str(len(data))}
    first, second = (client.post("/v1/uploads/tus", headers=creation_headers) for _ in range(2))
    address = first.headers["location"]
    assert second.status_code == 201 and second.headers["location"] == address
    other = client.post("/v1/uploads/tus", headers={**creation_headers, "upload-length": "7"})
    assert other.json()["type"] == "urn:afterimage:idempotency-conflict"
    with monkeypatch.context() as patched:
        patched.setattr(container.uploads, "finish", _raise_database_unavailable)
        assert client.patch(address, content=data, headers={**PATCH, "upload-offset": "0"}).status_code == 503
    last = client.patch(address, content=b"", headers={**PATCH, "upload-offset": str(len(data))})
    assert [last.headers["afterimage-job"]] == [job["id"] for job in client.get("/v1/jobs").json()["items"]]
    assert _wait_for_job(client, {"id": last.headers["afterimage-job"]})["state"] == "done"
    assert len(list((container.home / "media").iterdir())) == 1


def test_an_upload_that_came_whole_is_taken_in_once_though_its_answer_was_not_kept(
    client: httpx2.Client, container: Container, document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"upload-metadata": _tus_metadata(collection="new", filename="lanterns.pdf"), "idempotency-key": "lanterns"}
    whole = {**PATCH, **about, "upload-length": str(document.stat().st_size)}
    with monkeypatch.context() as patched:
        patched.setattr(container.idempotency, "store", _raise_database_unavailable)
        assert client.post("/v1/uploads/tus", content=document.read_bytes(), headers=whole).status_code == 503
    monkeypatch.setattr("services.database.idempotency._CLAIM_TIMEOUT_S", 0.0)
    again = client.post("/v1/uploads/tus", content=document.read_bytes(), headers=whole)
    assert (again.status_code, again.headers["upload-offset"]) == (201, whole["upload-length"])
    assert [again.headers["afterimage-job"]] == [job["id"] for job in client.get("/v1/jobs").json()["items"]]


@pytest.mark.parametrize("scope", ["read", "write", None])
def test_no_body_is_held_because_it_has_a_name(container: Container, scope: str | None) -> None:
    """Neither of who may not ask, nor of who may."""
    secret = "ai_0123456789ab_x" if scope is None else container.api_keys.create("a", [Scope(scope)])[1]
    headers = {"authorization": f"Bearer {secret}", "idempotency-key": "a", "content-type": "text/plain"}
    own = psutil.Process(os.getpid())
    with live_server(container, allow_anonymous=False) as url:
        before = own.memory_info().rss
        sent = httpx2.post(
            f"{url}/v1/uploads", content=(b"x" * MB for _ in range(96)), headers=headers, timeout=TIMEOUT_S
        )
        assert sent.status_code == {"read": 403, "write": 422, None: 401}[scope]
        assert own.memory_info().rss - before < 48 * MB


def test_a_form_of_many_parts_is_refused(client: httpx2.Client) -> None:
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\n\r\n' % one for one in range(17))
    sent = client.post("/v1/uploads", content=parts, headers={"content-type": "multipart/form-data; boundary=b"})
    assert (sent.status_code, sent.json()["detail"]) == (422, "the form has more than 16 parts")


@pytest.mark.parametrize(
    ("boundary", "body", "reason"),
    [
        (b"b" * 1000, b"", "Boundary"),
        (b"b", b"--b\r\n" + b"h" * 9000 + b": 1\r\n\r\n", "header"),
        (b"b", b'--b\r\nContent-Disposition: form-data; name="webhook"\r\n\r\n' + b"x" * 9000, "field"),
        (b"b", b'--b\r\nContent-Disposition: form-data; name="webhook"\r\n\r\nx', "incomplete"),
    ],
)
def test_a_form_that_is_malformed_is_refused_with_its_reason(
    client: httpx2.Client, boundary: bytes, body: bytes, reason: str
) -> None:
    headers = {"content-type": f"multipart/form-data; boundary={boundary.decode()}"}
    response = client.post("/v1/uploads", content=body, headers=headers)
    assert response.status_code == 422
    assert reason in response.json()["detail"]


def test_a_disk_that_is_full_is_named_as_that() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + b"x" * MB

    with pytest.raises(StorageFull, match="No space left"), Path("/dev/full").open("wb", buffering=0) as full:
        asyncio.run(read_form("multipart/form-data; boundary=b", body(), full, 2 * MB))


def test_what_a_url_says_behind_its_path_is_shown_to_nobody(client: httpx2.Client, container: Container) -> None:
    job = container.background.dispatcher.submit(
        NewJob(IndexRequest("https://example.org/a.png?sig=secret", "a.png"), HARBOUR)
    )
    assert "secret" not in client.get(f"/v1/jobs/{job.id}").text


def test_all_that_happened_to_a_job_is_told_however_much_it_was(client: httpx2.Client, container: Container) -> None:
    job = container.background.jobs.submit(NewJob(ReindexRequest()))
    container.background.jobs.cancel(job.id)
    with container.database.write() as connection:
        for _ in range(1200):
            append_event(connection, job, 0.0)
    with client.stream("GET", f"/v1/jobs/{job.id}/events") as response:
        assert [name for name, _ in read_events(response)] == ["event"] * 1202 + ["job"]


def test_a_large_upload_takes_no_memory(client: httpx2.Client, container: Container) -> None:
    own = psutil.Process(os.getpid())
    boundary = "limit"
    size = 96 * MB

    def form() -> Iterator[bytes]:
        disposition = "Content-Disposition: form-data; name="
        yield f'--{boundary}\r\n{disposition}"collection"\r\n\r\nnew\r\n'.encode()
        yield f'--{boundary}\r\n{disposition}"file"; filename="a.bin"\r\n\r\n'.encode()
        for _ in range(size // MB):
            yield b"x" * MB
        yield f"\r\n--{boundary}--\r\n".encode()

    before, peak_rss, upload_done = own.memory_info().rss, [0], threading.Event()

    def watch() -> None:
        while not upload_done.wait(0.01):
            peak_rss[0] = max(peak_rss[0], own.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    response = client.post(
        "/v1/uploads", content=form(), headers={"content-type": f"multipart/form-data; boundary={boundary}"}
    )
    upload_done.set()
    watching.join()
    assert response.status_code == 202, response.text
    assert peak_rss[0] - before < 32 * MB
    assert _wait_for_job(client, response.json())["state"] == "failed"
