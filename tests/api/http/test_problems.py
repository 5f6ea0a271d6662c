"""Every error has one shape; every request has an id, a line in the log, and its place in the metrics."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from api.schemas.problem import Problem
from services.container import Container
from tests.support.closed_port import refuse_connections
from tests.support.containers import copy_home
from tests.support.live_server import live_server
from tests.support.request_log import capture_request_log
from tests.support.small_archive import open_small_archive
from tests.support.waiting import TIMEOUT_S

ASSET = "0" * 64
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path", "arguments", "status", "kind"),
    [
        ("GET", "/nowhere", {}, 404, "not-found"),
        ("PATCH", "/v1/search", {}, 405, "method-not-allowed"),
        ("POST", "/v1/search", {"json": {}}, 422, "invalid-request"),
        ("POST", "/v1/search", {"json": {"question": "a", "limit": 0}}, 422, "invalid-request"),
        ("POST", "/v1/search", {"json": {"question": "a", "colections": ["b"]}}, 422, "invalid-request"),
        (
            "POST",
            "/v1/search",
            {"content": b"{", "headers": JSON},
            422,
            "invalid-request",
        ),
        ("POST", "/v1/search", {"content": b'{"question": "\\ud800"}', "headers": JSON}, 422, "invalid-request"),
        ("POST", "/v1/ask", {"json": {"question": "   "}}, 422, "invalid-request"),
        ("POST", "/v1/ask", {"content": b'{"question": "' + b"a" * (33 << 20) + b'"}'}, 413, "content-too-large"),
        ("GET", f"/v1/assets/{ASSET}", {}, 404, "asset-not-found"),
        ("GET", "/v1/assets/x", {}, 422, "invalid-request"),
        ("GET", "/v1/assets?after=x", {}, 422, "invalid-input"),
        ("GET", "/v1/assets?collection=nowhere", {}, 404, "collection-not-found"),
        ("GET", f"/v1/assets/{ASSET}/frames/nan", {}, 422, "invalid-request"),
        ("GET", "/v1/jobs/x", {}, 404, "job-not-found"),
        ("POST", "/v1/uploads", {"json": {}}, 422, "invalid-input"),
    ],
)
def test_every_error_has_one_shape(
    read_only_client: httpx2.Client, method: str, path: str, arguments: dict[str, object], status: int, kind: str
) -> None:
    answer = read_only_client.request(method, path, **arguments)  # type: ignore[arg-type]  # as they are listed above
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.status, problem.type) == (status, status, f"urn:afterimage:{kind}"), answer.text
    assert problem.request == answer.headers["x-request-id"] and problem.detail
    assert bool(problem.errors) == (kind == "invalid-request")


def test_a_server_whose_index_is_away_says_that_it_cannot_now(small_home: Path, tmp_path: Path) -> None:
    home = copy_home(small_home, tmp_path / "home")
    with (
        refuse_connections() as address,
        closing(open_small_archive(home, index__kind="qdrant", index__url=f"http://{address}")) as container,
        live_server(container, ready_path="/livez") as url,
    ):
        answer = httpx2.post(f"{url}/v1/search", json={"question": "rope"}, timeout=TIMEOUT_S)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:afterimage:index-unavailable")
        assert answer.headers["retry-after"] and "127.0.0.1" not in answer.text
        assert httpx2.get(f"{url}/v1/assets", timeout=TIMEOUT_S).status_code == 200


@pytest.mark.parametrize(
    "body",
    [{str(number): 1 for number in range(5000)}, {"question": "a", "kinds": [1] * 5000}, {"question": [[]] * 5000}],
)
def test_of_many_things_that_are_wrong_a_few_are_told(read_only_client: httpx2.Client, body: dict[str, object]) -> None:
    answer = read_only_client.post("/v1/search", json=body)
    assert answer.status_code == 422 and 0 < len(answer.json()["errors"]) <= 20 and len(answer.text) < 5000


def test_a_fault_of_the_server_has_the_id_that_its_log_has(
    module_container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_container.catalog, "list_page", lambda *_: 1 // 0)
    with live_server(module_container) as url:
        answer = httpx2.get(f"{url}/v1/assets", timeout=TIMEOUT_S)
    assert answer.status_code == 500 and answer.headers["x-request-id"] == answer.json()["request"]
    assert "division" not in answer.text


def test_a_wrong_field_is_named(read_only_client: httpx2.Client) -> None:
    problem = read_only_client.post("/v1/search", json={"question": "a", "limit": 0}).json()
    assert problem["errors"][0]["where"] == "body.limit" and "body.limit" in problem["detail"]


def test_a_request_keeps_the_id_it_came_with_where_that_can_be_one(read_only_client: httpx2.Client) -> None:
    assert (
        read_only_client.get("/livez", headers={"x-request-id": "from-a-proxy-1"}).headers["x-request-id"]
        == "from-a-proxy-1"
    )
    made = {
        read_only_client.get("/livez", headers={"x-request-id": "x" * 65}).headers["x-request-id"] for _ in range(2)
    }
    assert len(made) == 2 and all(len(one) == 16 for one in made)


def test_each_request_is_a_line_of_json_in_the_log(read_only_client: httpx2.Client) -> None:
    with capture_request_log() as log:
        read_only_client.get(f"/v1/assets/{ASSET}", headers={"x-request-id": "seen"})
        line = log.wait_for_line("GET", f"/v1/assets/{ASSET}")
    assert (line["status"], line["route"], line["request"]) == (404, "/v1/assets/{asset_id}", "seen")
    assert line["ms"] > 0 and line["level"] == "info"


def test_metrics_count_requests_by_route_and_not_by_asset(read_only_client: httpx2.Client) -> None:
    read_only_client.get(f"/v1/assets/{ASSET}")
    text = read_only_client.get("/metrics").text
    assert 'afterimage_requests_total{method="GET",route="/v1/assets/{asset_id}",status="404"}' in text
    assert ASSET not in text and 'afterimage_waiting{kind="answer"} 0.0' in text
    assert 'afterimage_request_seconds_bucket{le="0.005",method="GET",route="/livez"}' in text or "/livez" not in text


def test_the_server_says_that_it_lives_and_that_it_is_ready(read_only_client: httpx2.Client) -> None:
    assert read_only_client.get("/livez").text == "ok\n"
    readiness = read_only_client.get("/readyz").json()
    assert (readiness["ready"], readiness["parts"]) == (
        True,
        dict.fromkeys(("models", "catalog", "index", "storage"), "ready"),
    )
    empty = {"depth": 0, "oldest_s": 0.0, "workers": 1}
    assert readiness["queues"] == {"index": empty, "summarize": empty}
    assert readiness["disk_free_bytes"] > 0


def test_metrics_tell_queues_workers_disk_and_models(read_only_client: httpx2.Client) -> None:
    lines = read_only_client.get("/metrics").text.splitlines()
    for line in (
        'afterimage_queue_depth{queue="index"} 0.0',
        'afterimage_queue_oldest_seconds{queue="summarize"} 0.0',
        'afterimage_workers{queue="index"} 1.0',
        'afterimage_models{state="ready"} 1.0',
    ):
        assert line in lines
    assert any(line.startswith("afterimage_disk_free_bytes ") for line in lines)
