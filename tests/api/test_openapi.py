"""The OpenAPI document: complete, and true of what the server does (schemathesis sends what it allows)."""

from __future__ import annotations

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.schemas import APIOperation

from services.access.api_keys import Scope
from services.container import Container
from tests.support.live_server import live_server
from tests.support.waiting import TIMEOUT_S

load_all_checks()
_CHECK_NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
)
_REJECTION_STATUSES = [*range(400, 418), 422, 429]


def test_every_operation_says_what_it_does_takes_and_gives(read_only_client: httpx2.Client) -> None:
    document = read_only_client.get("/openapi.json").json()
    assert document["info"]["title"] == "Afterimage" and document["security"] == [{"key": []}]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            location = f"{method} {path}"
            assert operation["summary"] and operation["description"], location
            for parameter in operation.get("parameters", []):
                assert parameter.get("description") or parameter["schema"].get("description"), (location, parameter)
            for status, response in operation["responses"].items():
                if status[0] in "45" and path != "/readyz":
                    form = "json" if "chat" in operation["tags"] else "problem+json"
                    assert f"application/{form}" in response["content"], (location, status)
            if method == "post":
                assert "idempotency-key" in {one["name"] for one in operation["parameters"]}, location
    for name, shape in document["components"]["schemas"].items():
        assert name != "HTTPValidationError"
        if name.endswith("Body") and "Form" not in name:
            assert shape["examples"], name


def test_operations_have_ids_of_their_own_which_no_path_changes(read_only_client: httpx2.Client) -> None:
    paths = read_only_client.get("/openapi.json").json()["paths"]
    ids = [operation["operationId"] for operations in paths.values() for operation in operations.values()]
    assert len(ids) == len(set(ids)) > 40
    assert {"search", "show_media", "head_show_media", "cut_clip", "create_upload"} <= set(ids)
    assert not [one for one in ids if "v1" in one]


def test_files_are_documented_as_bytes(read_only_client: httpx2.Client) -> None:
    paths = read_only_client.get("/openapi.json").json()["paths"]
    sent = {"/media": "application/octet-stream", "/clip": "video/mp4", "/picture": "image/jpeg"}
    sent |= {"/frames/{time_s}": "image/webp", "/pages/{page}": "image/jpeg"}
    for path, media_type in sent.items():
        responses = paths[f"/v1/assets/{{asset_id}}{path}"]["get"]["responses"]
        content = responses["200"]["content"]
        assert content[media_type]["schema"] == {"type": "string", "format": "binary"}, path
        assert "application/json" not in content and "304" in responses, path


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_that_is_sent_breaks_the_server_or_its_word(
    writable_container: Container, mode: GenerationMode
) -> None:
    """What the document allows, and what it does not, which is refused."""
    key = writable_container.api_keys.create("all", set(Scope))[1]
    with live_server(writable_container, allow_anonymous=False) as url:
        document = httpx2.get(f"{url}/openapi.json").json()
        del document["security"]  # each request has the key: none is refused for want of one
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=url)
        schema.config.checks.negative_data_rejection.expected_statuses = [str(status) for status in _REJECTION_STATUSES]
        operations = [result.ok() for result in schema.get_all_operations()]
        broken = {operation.label: _find_violations(operation, mode, key) for operation in operations}
    assert len(broken) > 30
    assert {label: said for label, said in broken.items() if said} == {}


def _find_violations(operation: APIOperation, mode: GenerationMode, key: str) -> str:
    """What is wrong with an operation, whatever it is sent; empty: nothing."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def check_case(case: schemathesis.Case) -> None:
        checks = [CHECKS.get_one(name) for name in _CHECK_NAMES]
        case.call_and_validate(checks=checks, headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)

    try:
        check_case()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, operation.label  # of what takes nothing, nothing can be wrong
    except FailureGroup as group:
        return "\n".join(map(str, group.exceptions))
    except Failure as failure:
        return str(failure)
    return ""
