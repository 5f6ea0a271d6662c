"""One trace leads from a request to its job and to the model server, in spans, logs and headers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from PIL import Image

from services.generators.openai_compatible.client import ChatClient
from services.tracing import current_trace_id, open_span
from tests.support.fake_vllm import run_fake_vllm
from tests.support.http_server import FakeWebServer, run_web_server
from tests.support.server_processes import run_server
from tests.support.waiting import wait_until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def _spans(collector: FakeWebServer) -> dict[str, str]:
    """Return the traces of received spans by name."""
    requests = [ExportTraceServiceRequest.FromString(received.body) for received in collector.received_requests]
    scopes = [scope for one in requests for spans in one.resource_spans for scope in spans.scope_spans]
    return {span.name: span.trace_id.hex() for scope in scopes for span in scope.spans}


@pytest.mark.slow
def test_a_job_belongs_to_the_trace_of_its_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With OpenTelemetry's own exporter; the log of the process names trace and job."""
    picture, log = tmp_path / "red.png", tmp_path / "log"
    Image.new("RGB", (32, 32), "red").save(picture)
    with run_web_server() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with (
            run_server(tmp_path / "home", log, {}) as server,
            httpx2.Client(base_url=server.url, headers={"traceparent": TRACEPARENT}) as client,
        ):
            made = client.post(
                "/v1/uploads", files={"file": ("red.png", picture.read_bytes())}, data={"collection": "c"}
            )
            assert made.status_code == 202, made.text
            job = made.json()["id"]
            wait_until(lambda: client.get(f"/v1/jobs/{job}").json()["state"] == "done", "the job is done")
        spans = _spans(collector)
    assert spans["job index"] == TRACE
    assert set(spans.values()) == {TRACE, *(trace for name, trace in spans.items() if "readyz" in name)}
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    of_job = [line for line in lines if line.get("job") == job]
    assert of_job and {line["trace"] for line in of_job} == {TRACE}


def test_a_model_server_is_told_the_trace() -> None:
    with run_fake_vllm() as fake, open_span("test", TRACEPARENT):
        assert current_trace_id() == TRACE
        ChatClient(fake.url, "", 60.0).fetch_first_model()
        assert fake.traceparents[-1].split("-")[1] == TRACE
        with open_span("inner"):
            assert current_trace_id() == TRACE
    assert current_trace_id() is None


def test_an_exporter_without_its_packages_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['opentelemetry.sdk'] = None\n"
        "from services.tracing import configure_exporter\n"
        "configure_exporter('afterimage')"
    )
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": ":".join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is set, which needs: pip install 'afterimage[otel]'" in result.stderr
