"""Keys over HTTP: who has none is refused, and a key of one collection finds nothing of another, on any route."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
import pytest

from api.app import create_app
from api.http.rate_limit import RateLimiter
from services.access.api_keys import Scope
from services.container import Container
from services.jobs.types import NewJob, SummarizeRequest
from tests.support.live_server import live_server, read_events
from tests.support.small_archive import GULLS_QUERY, HARBOUR, ROPE_QUERY, SHORE
from tests.support.waiting import TIMEOUT_S

STREAM = {"accept": "text/event-stream"}
TUS = {"tus-resumable": "1.0.0"}
UNKNOWN_ASSET = "0" * 64


@dataclass
class ServerWithKeys:
    """A server with keys, and what is in the collection that the key of the other does not see."""

    client: httpx2.Client
    ids: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)

    def send(self, key: str | None, method: str, path: str, **arguments: Any) -> httpx2.Response:  # noqa: ANN401
        headers = dict(arguments.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {self.secrets[key]}"
        return self.client.request(method, path.format(**self.ids), headers=headers, **arguments)


@contextmanager
def stopped_rate_limits() -> Iterator[None]:
    """Stop the clock of new servers' rate limits: no bucket fills up again."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("api.app.RateLimiter", partial(RateLimiter, clock=lambda: 0.0))
        yield


@pytest.fixture(scope="module")
def keyed_server(module_container: Container) -> Iterator[ServerWithKeys]:
    container = module_container
    ids = {asset.name.partition(".")[0]: asset.asset_id for asset in container.catalog.assets()}
    ids["job"] = container.background.jobs.submit(NewJob(SummarizeRequest(ids["prices"]), HARBOUR)).id
    ids["upload"] = container.uploads.create(10, "a.pdf", HARBOUR, None, None).id
    with (
        stopped_rate_limits(),
        live_server(container, allow_anonymous=False) as url,
        httpx2.Client(base_url=url, timeout=TIMEOUT_S) as client,
    ):
        server = ServerWithKeys(client, ids)
        for name, scopes, collections in (
            ("shore", {Scope.READ, Scope.WRITE}, {SHORE}),
            ("reader", {Scope.READ}, None),
            ("writer", {Scope.WRITE}, None),
            ("admin", set(Scope), None),
        ):
            server.secrets[name] = container.api_keys.create(name, scopes, collections)[1]
        yield server


@dataclass(frozen=True)
class Route:
    """How a route is asked for what is in the other collection; `scope`: that it needs; `hidden`: the status that the
    key of one collection gets (200: the route lists, and a test of its own says what)."""

    path: str
    scope: Scope = Scope.READ
    hidden_status: int = 404
    arguments: dict[str, Any] = field(default_factory=dict)


def _json_body(**body: object) -> dict[str, Any]:
    return {"json": body}


_FORM = {"data": {"collection": HARBOUR}, "files": {"file": ("a.pdf", b"%PDF-1.4")}}
_MODEL = f"afterimage/{HARBOUR}"
_METADATA = "collection aGFyYm91cg==,filename YS5wZGY="
_PUBLIC_ROUTES = {
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("OPTIONS", "/v1/uploads/tus"),
    ("GET", "/v1/session"),
    ("PUT", "/v1/session"),
    ("DELETE", "/v1/session"),
}
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/metrics"): Route("/metrics", Scope.ADMIN, 403),
    ("POST", "/v1/search"): Route("/v1/search", arguments=_json_body(question=ROPE_QUERY, collections=[HARBOUR])),
    ("POST", "/v1/ask"): Route("/v1/ask", arguments=_json_body(question=ROPE_QUERY, assets=["{prices}"])),
    ("GET", "/v1/collections"): Route("/v1/collections", hidden_status=200),
    ("GET", "/v1/collections/{collection}"): Route(f"/v1/collections/{HARBOUR}"),
    ("PUT", "/v1/collections/{collection}"): Route(f"/v1/collections/{HARBOUR}", Scope.WRITE),
    ("DELETE", "/v1/collections/{collection}"): Route(f"/v1/collections/{HARBOUR}", Scope.WRITE),
    ("GET", "/v1/assets"): Route("/v1/assets", hidden_status=200),
    ("GET", "/v1/assets/{asset_id}"): Route("/v1/assets/{prices}"),
    ("DELETE", "/v1/assets/{asset_id}"): Route("/v1/assets/{prices}", Scope.WRITE),
    ("GET", "/v1/assets/{asset_id}/memory"): Route("/v1/assets/{prices}/memory"),
    ("GET", "/v1/assets/{asset_id}/texts"): Route("/v1/assets/{prices}/texts"),
    ("GET", "/v1/assets/{asset_id}/summary"): Route("/v1/assets/{prices}/summary"),
    ("GET", "/v1/assets/{asset_id}/frames"): Route("/v1/assets/{prices}/frames"),
    ("GET", "/v1/assets/{asset_id}/frames/{time_s}"): Route("/v1/assets/{prices}/frames/0"),
    ("HEAD", "/v1/assets/{asset_id}/frames/{time_s}"): Route("/v1/assets/{prices}/frames/0"),
    ("GET", "/v1/assets/{asset_id}/pages/{page}"): Route("/v1/assets/{prices}/pages/1"),
    ("HEAD", "/v1/assets/{asset_id}/pages/{page}"): Route("/v1/assets/{prices}/pages/1"),
    ("GET", "/v1/assets/{asset_id}/picture"): Route("/v1/assets/{prices}/picture"),
    ("HEAD", "/v1/assets/{asset_id}/picture"): Route("/v1/assets/{prices}/picture"),
    ("GET", "/v1/assets/{asset_id}/media"): Route("/v1/assets/{prices}/media"),
    ("HEAD", "/v1/assets/{asset_id}/media"): Route("/v1/assets/{prices}/media"),
    ("GET", "/v1/assets/{asset_id}/clip"): Route("/v1/assets/{prices}/clip?start_s=0&end_s=1"),
    ("HEAD", "/v1/assets/{asset_id}/clip"): Route("/v1/assets/{prices}/clip?start_s=0&end_s=1"),
    ("GET", "/v1/assets/{asset_id}/signed-url"): Route("/v1/assets/{prices}/signed-url"),
    ("POST", "/v1/uploads"): Route("/v1/uploads", Scope.WRITE, arguments=_FORM),
    ("POST", "/v1/imports"): Route(
        "/v1/imports", Scope.WRITE, arguments=_json_body(source="file:///a.pdf", collection=HARBOUR)
    ),
    ("POST", "/v1/uploads/tus"): Route(
        "/v1/uploads/tus",
        Scope.WRITE,
        arguments={"headers": {**TUS, "upload-length": "10", "upload-metadata": _METADATA}},
    ),
    ("HEAD", "/v1/uploads/tus/{upload_id}"): Route("/v1/uploads/tus/{upload}", Scope.WRITE, arguments={"headers": TUS}),
    ("PATCH", "/v1/uploads/tus/{upload_id}"): Route(
        "/v1/uploads/tus/{upload}",
        Scope.WRITE,
        arguments={
            "headers": {**TUS, "upload-offset": "0", "content-type": "application/offset+octet-stream"},
            "content": b"%PDF",
        },
    ),
    ("DELETE", "/v1/uploads/tus/{upload_id}"): Route(
        "/v1/uploads/tus/{upload}", Scope.WRITE, arguments={"headers": TUS}
    ),
    ("GET", "/v1/jobs"): Route("/v1/jobs", hidden_status=200),
    ("GET", "/v1/jobs/{job_id}"): Route("/v1/jobs/{job}"),
    ("GET", "/v1/jobs/{job_id}/events"): Route("/v1/jobs/{job}/events"),
    ("POST", "/v1/jobs/{job_id}/cancel"): Route("/v1/jobs/{job}/cancel", Scope.WRITE),
    ("POST", "/v1/jobs/{job_id}/retry"): Route("/v1/jobs/{job}/retry", Scope.WRITE),
    ("POST", "/v1/summaries"): Route("/v1/summaries", Scope.WRITE, arguments=_json_body(asset="{prices}")),
    ("POST", "/v1/reindex"): Route("/v1/reindex", Scope.ADMIN, 403),
    ("GET", "/v1/models"): Route("/v1/models", hidden_status=200),
    ("GET", "/v1/models/{model}"): Route(f"/v1/models/{_MODEL}"),
    ("POST", "/v1/chat/completions"): Route(
        "/v1/chat/completions", arguments=_json_body(model=_MODEL, messages=[{"role": "user", "content": ROPE_QUERY}])
    ),
    ("POST", "/v1/embeddings"): Route(
        "/v1/embeddings", hidden_status=400, arguments=_json_body(model="afterimage-text", input=[ROPE_QUERY])
    ),
    ("GET", "/v1/keys"): Route("/v1/keys", Scope.ADMIN, 403),
    ("POST", "/v1/keys"): Route("/v1/keys", Scope.ADMIN, 403, _json_body(name="a", scopes=["admin"])),
    ("DELETE", "/v1/keys/{key_id}"): Route("/v1/keys/0123456789ab", Scope.ADMIN, 403),
}
every_route = pytest.mark.parametrize("name", ROUTES, ids=" ".join)


def _send_route(keyed_server: ServerWithKeys, key: str | None, name: tuple[str, str]) -> httpx2.Response:
    route, (method, _) = ROUTES[name], name
    arguments = dict(route.arguments)
    if body := arguments.get("json"):
        asset = keyed_server.ids["prices"]
        placeholders = {"{prices}": asset}
        arguments["json"] = {
            key: [placeholders.get(one, one) if isinstance(one, str) else one for one in value]
            if isinstance(value, list)
            else placeholders.get(value, value)
            for key, value in body.items()
        }
    return keyed_server.send(key, method, route.path, **arguments)


def test_every_route_has_a_test_of_rights(writable_container: Container) -> None:
    """A route that is added without one fails here."""
    paths = create_app(writable_container, allow_anonymous=False).openapi()["paths"]
    there = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    assert there == ROUTES.keys() | _PUBLIC_ROUTES


@every_route
def test_without_a_key_nothing_is_given(keyed_server: ServerWithKeys, name: tuple[str, str]) -> None:
    refused = _send_route(keyed_server, None, name)
    assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"


@every_route
def test_a_key_without_the_scope_is_refused(keyed_server: ServerWithKeys, name: tuple[str, str]) -> None:
    key = "writer" if ROUTES[name].scope is Scope.READ else "reader"
    assert _send_route(keyed_server, key, name).status_code == 403


@every_route
def test_a_key_of_one_collection_does_not_find_another(keyed_server: ServerWithKeys, name: tuple[str, str]) -> None:
    answer = _send_route(keyed_server, "shore", name)
    assert answer.status_code == ROUTES[name].hidden_status
    told = answer.text.replace(f"no collection '{HARBOUR}'", "").replace(f"no model '{_MODEL}'", "")
    assert HARBOUR not in told and "prices.pdf" not in told


def test_lists_and_searches_hold_what_the_key_sees_and_no_more(keyed_server: ServerWithKeys) -> None:
    assert [one["name"] for one in keyed_server.send("shore", "GET", "/v1/collections").json()] == [SHORE]
    listed = keyed_server.send("shore", "GET", "/v1/assets").json()["items"]
    assert {one["name"] for one in listed} == {"gulls.mp4", "red.png"}
    assert keyed_server.send("shore", "GET", "/v1/jobs").json()["items"] == []
    question = {"question": f"{GULLS_QUERY} {ROPE_QUERY}"}
    assert keyed_server.send("shore", "POST", "/v1/search", json={"question": ROPE_QUERY}).json() == {"hits": []}
    found = keyed_server.send("shore", "POST", "/v1/search", json=question).json()["hits"]
    assert {hit["name"] for hit in found} <= {"gulls.mp4"}
    assert keyed_server.send("shore", "POST", "/v1/ask", json={"question": ROPE_QUERY}).json()["abstained"] is True
    assert keyed_server.send("reader", "POST", "/v1/search", json={"question": ROPE_QUERY}).json()["hits"]


def test_what_is_not_there_and_what_may_not_be_seen_is_told_in_the_same_words(keyed_server: ServerWithKeys) -> None:
    hidden, missing = (
        keyed_server.send("shore", "GET", f"/v1/assets/{asset}").json()
        for asset in (keyed_server.ids["prices"], UNKNOWN_ASSET)
    )
    assert hidden["detail"].replace(keyed_server.ids["prices"], UNKNOWN_ASSET) == missing["detail"]
    assert hidden["type"] == missing["type"]


def test_a_key_that_is_revoked_or_unknown_is_refused_at_once(keyed_server: ServerWithKeys) -> None:
    created = keyed_server.send("admin", "POST", "/v1/keys", json={"name": "short", "scopes": ["read"]})
    assert created.status_code == 201
    keyed_server.secrets["short"] = created.json()["secret"]
    assert keyed_server.send("short", "GET", "/v1/collections").status_code == 200
    assert created.json()["secret"] not in keyed_server.send("admin", "GET", "/v1/keys").text
    assert keyed_server.send("admin", "DELETE", f"/v1/keys/{created.json()['id']}").json()["revoked_at"] is not None
    refused = keyed_server.send("short", "GET", "/v1/collections")
    assert refused.status_code == 401 and refused.json()["type"] == "urn:afterimage:invalid-api-key"
    keyed_server.secrets["invented"] = "ai_0123456789ab_x"
    assert keyed_server.send("invented", "GET", "/v1/collections").status_code == 401


def test_a_key_that_asks_too_often_is_told_when_it_may_again(keyed_server: ServerWithKeys) -> None:
    body = {"name": "slow", "scopes": ["read"], "requests_per_minute": 2}
    keyed_server.secrets["slow"] = keyed_server.send("admin", "POST", "/v1/keys", json=body).json()["secret"]
    answers = [keyed_server.send("slow", "GET", "/v1/collections") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 429]
    assert answers[-1].headers["retry-after"] == "30"
    assert keyed_server.send("reader", "GET", "/v1/collections").status_code == 200


def test_streams_hold_to_the_rights_too(keyed_server: ServerWithKeys) -> None:
    headers = {"authorization": f"Bearer {keyed_server.secrets['shore']}", **STREAM}
    with keyed_server.client.stream("POST", "/v1/ask", json={"question": ROPE_QUERY}, headers=headers) as response:
        came = dict(read_events(response))
    assert came["evidence"]["evidence"] == [] and came["answer"]["abstained"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"x-forwarded-for": "203.0.113.7"},
    ],
)
def test_an_open_server_is_open_to_this_machine_alone(read_only_client: httpx2.Client, headers: dict[str, str]) -> None:
    assert read_only_client.get("/v1/collections").status_code == 200
    assert read_only_client.get("/v1/collections", headers=headers).status_code == 401


def test_the_secret_of_a_new_key_is_kept_nowhere(writable_container: Container) -> None:
    container, body = writable_container, {"name": "the kitchen's", "scopes": ["read"]}
    secret = container.api_keys.create("admin", {Scope.ADMIN})[1]
    named = {"idempotency-key": "a key", "authorization": f"Bearer {secret}"}
    with live_server(container, allow_anonymous=False) as url:
        first, second = (httpx2.post(f"{url}/v1/keys", json=body, headers=named) for _ in range(2))
    assert first.status_code == second.status_code == 201 and first.headers["cache-control"] == "no-store"
    assert first.json()["id"] == second.json()["id"] and first.json()["secret"] != second.json()["secret"]
    random = second.json()["secret"].split("_", 2)[2].encode()
    assert not any(random in path.read_bytes() for path in container.home.glob("catalog.db*"))
