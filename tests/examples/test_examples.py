"""The examples run as they stand: a real archive, a real server, offline."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import threading
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from indexer.ports import SentenceEncoder
from services.jobs.types import IndexedFile, IndexRequest, IndexResult, NewJob
from tests.support.contract_encoders import SentenceEncoderContract
from tests.support.live_server import live_server
from tests.support.small_archive import (
    GULLS_QUERY,
    GULLS_SENTENCE,
    HARBOUR,
    ROPE_QUERY,
    ROPE_SENTENCE,
    SHORE,
    WITHOUT_MODELS,
    index_small_archive,
    make_small_archive,
    open_small_archive,
)

EXAMPLES = Path(__file__).parents[2] / "examples"
MAX_LINES = 60
SECRET = "whsec_YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcyE="


def load_example(name: str) -> ModuleType:
    """An example as a module; importing it does nothing yet."""
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def small_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    make_small_archive(folder)
    return folder


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Settings as a user's shell has them: profile demo, a home of its own, no models to load."""
    for name, value in {"home": str(tmp_path / "home"), "profile": "demo", **WITHOUT_MODELS}.items():
        monkeypatch.setenv(f"AFTERIMAGE_{name.upper()}", value)
    return tmp_path / "home"


@pytest.fixture
def receiver_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the example's own receiver, running."""
    monkeypatch.setenv("AFTERIMAGE_JOBS__WEBHOOK_SECRET", SECRET)
    server = HTTPServer(("127.0.0.1", 0), load_example("webhook_receiver").WebhookReceiver)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_fits_on_a_screen(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_a_folder_is_indexed_and_asked(
    small_archive: Path, without_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_example("index_and_ask").main(str(small_archive / HARBOUR), ROPE_QUERY)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["indexed: prices.pdf", ROPE_SENTENCE, "  prices.pdf page 2 (supported)"]


def test_a_question_that_nothing_answers_gets_no_citation(
    small_archive: Path, without_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_example("index_and_ask").main(str(small_archive / HARBOUR), "Wi-Fi password of the Berlin branch")
    assert capsys.readouterr().out.splitlines()[1:] == ["Nothing in the archive answers this."]


def test_an_answer_is_streamed_from_a_server(
    small_archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    container = open_small_archive(tmp_path / "home")
    index_small_archive(container, small_archive)
    with live_server(container) as url:
        load_example("client_stream").main(GULLS_QUERY, url)
    container.close()
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["1 pieces of evidence", f"{GULLS_SENTENCE} [supported: gulls.mp4]"]


def test_a_webhook_of_the_service_is_genuine(
    receiver_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"jobs__webhook_secret": SECRET, "jobs__webhook_private_hosts": '["127.0.0.1"]'}
    container = open_small_archive(tmp_path / "home", **settings)
    request = IndexRequest("file:///srv/film.mp4", "film.mp4")
    job = container.background.jobs.submit(NewJob(request, "default", webhook=receiver_url))
    result = IndexResult((IndexedFile("film.mp4", "a" * 64, ""),))
    container.background.leases.finish(container.background.leases.claim(job.id, "worker"), result)
    container.background.webhooks.deliver_due()
    assert [delivery.error for delivery in container.background.outbox.list_deliveries(job.id)] == [None]
    container.close()
    assert capsys.readouterr().out.splitlines() == [f"job.done {job.id} done"]


def test_a_forged_or_stale_webhook_is_refused() -> None:
    is_genuine = load_example("webhook_receiver").is_genuine
    mac = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), b"m.1000.{}", hashlib.sha256).digest()
    headers = {"webhook-id": "m", "webhook-timestamp": "1000"}
    signed = headers | {"webhook-signature": f"v1,Zm9yZ2Vk v1,{base64.b64encode(mac).decode()}"}
    assert is_genuine(SECRET, signed, b"{}", 1001.0)
    assert not is_genuine(SECRET, signed, b"{ }", 1001.0)
    assert not is_genuine(SECRET, signed, b"{}", 2000.0)
    assert not is_genuine(SECRET, headers, b"{}", 1001.0)
    assert not is_genuine(SECRET, {}, b"{}", 1001.0)


def test_another_encoder_finds_what_was_indexed_with_it(
    small_archive: Path, without_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load_example("add_an_encoder").main(str(small_archive / SHORE), GULLS_QUERY)
    lines = capsys.readouterr().out.splitlines()
    assert any(GULLS_SENTENCE in line and "gulls.mp4" in line for line in lines)


class TestHashingEncoder(SentenceEncoderContract):
    @pytest.fixture
    def encoder(self) -> SentenceEncoder:
        encoder: SentenceEncoder = load_example("add_an_encoder").HashingEncoder()
        return encoder
