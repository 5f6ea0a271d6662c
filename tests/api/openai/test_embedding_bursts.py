"""Embeddings asked for text by text, all at once, as clients do for their documents: all are made, searches go on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import httpx2
import numpy as np
import pytest

from indexer.types import Vectors
from services.container import Container
from tests.support.live_server import live_server
from tests.support.small_archive import GULLS_QUERY, open_small_archive
from tests.support.waiting import TIMEOUT_S, wait_for, wait_until

BURST = 120
"""Chosen: more than the searches that may wait (AFTERIMAGE_SERVE__MAX_QUEUED, 64)."""


class WaitingEncoder:
    """A sentence encoder whose passages wait for `let_go`."""

    model_id, query_model_id, dim = "waiting", "waiting", 2

    def __init__(self) -> None:
        self.let_go = Event()

    def encode(self, texts: Sequence[str]) -> Vectors:
        wait_for(self.let_go, "the search is answered")
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        return np.tile(np.array([1, 0], np.float32), (len(texts), 1))


@pytest.fixture
def container(small_home: Path) -> Iterator[Container]:
    made = open_small_archive(small_home, serve__embedding_max_queued=str(BURST - 1))
    yield made
    made.close()


def test_a_burst_of_embeddings_is_made_and_holds_up_no_search(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, body = WaitingEncoder(), {"model": "afterimage-text", "input": "a passage"}
    limits = httpx2.Limits(max_connections=BURST + 2)
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S, limits=limits) as client:
        assert client.post("/v1/search", json={"question": GULLS_QUERY}).json()["hits"]
        monkeypatch.setattr(container.models, "sentence_encoder", encoder)
        with ThreadPoolExecutor(BURST) as threads:
            try:
                asked = [threads.submit(client.post, "/v1/embeddings", json=body) for _ in range(BURST)]
                waiting = f'afterimage_waiting{{kind="embedding"}} {BURST - 1}.0'
                wait_until(lambda: waiting in client.get("/metrics").text, "all but one of the texts wait")
                assert client.post("/v1/search", json={"question": GULLS_QUERY}).status_code == 200
                assert client.post("/v1/embeddings", json=body).status_code == 503
            finally:
                encoder.let_go.set()
            answers = [answer.result() for answer in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[0].json()["data"][0]["embedding"] == [1.0, 0.0]
