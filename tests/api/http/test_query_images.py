"""Pictures in searches and chats: limited before they are decoded, and apart from every other kind of work."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from indexer.errors import LimitExceeded
from indexer.media.sandbox.client import SandboxedDecoder
from indexer.types import Pixels
from services.container import Container
from tests.support.live_server import live_server
from tests.support.small_archive import GULLS_QUERY, SHORE, open_small_archive
from tests.support.waiting import TIMEOUT_S, wait_for, wait_until

QUEUED = 5
"""Chosen: more pictures than searches that run at once."""


@pytest.fixture(scope="module")
def container(small_home: Path) -> Iterator[Container]:
    made = open_small_archive(small_home, serve__query_image_max_queued=str(QUEUED))
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(container: Container) -> Iterator[httpx2.Client]:
    with live_server(container) as url, httpx2.Client(base_url=url, timeout=TIMEOUT_S) as made:
        yield made


def make_flat_png(side_px: int, *, complete: bool) -> bytes:
    """A black picture of one bit a pixel; where it is not `complete`, its header and one row of pixels."""
    row = bytes(1 + (side_px + 7) // 8)
    header = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    pixels = zlib.compress(row * (side_px if complete else 1), 1)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    parts = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def make_small_png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 30, 60)).save(file, "PNG")
    return file.getvalue()


def search_body(image: bytes) -> dict[str, Any]:
    return {"image": base64.b64encode(image).decode()}


def chat_body(image: bytes) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    parts = [{"type": "text", "text": GULLS_QUERY}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": f"afterimage/{SHORE}", "messages": [{"role": "user", "content": parts}]}


def test_a_picture_whose_header_says_too_much_is_refused_before_it_is_decoded(client: httpx2.Client) -> None:
    """Only the header is whole: whoever decoded it would call it damaged."""
    picture = make_flat_png(40_000, complete=False)
    searched = client.post("/v1/search", json=search_body(picture))
    assert (searched.status_code, searched.json()["type"]) == (413, "urn:afterimage:limit-exceeded")
    assert searched.json()["detail"] == "40000 x 40000 pixels, over the limit of 100 megapixels"
    asked = client.post("/v1/chat/completions", json=chat_body(picture))
    assert asked.status_code == 413 and "40000 x 40000 pixels" in asked.json()["error"]["message"]


def test_pictures_that_wait_hold_up_no_search_by_words(
    client: httpx2.Client, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = Event()

    def slow(_media: SandboxedDecoder, _path: Path, _max_px: int) -> Pixels:
        wait_for(let_go, "the searches by words are answered")
        return np.zeros((8, 8, 3), np.uint8)

    monkeypatch.setattr(SandboxedDecoder, "read_image", slow)
    picture, chat = search_body(make_small_png()), chat_body(make_small_png())
    with ThreadPoolExecutor(QUEUED + 1) as threads:
        try:
            running = [threads.submit(client.post, "/v1/search", json=picture) for _ in range(QUEUED)]
            running.append(threads.submit(client.post, "/v1/chat/completions", json=chat))
            waiting = f'afterimage_waiting{{kind="query_image"}} {QUEUED}.0'
            wait_until(lambda: waiting in client.get("/metrics").text, "all but one of the pictures wait")
            words = [client.post("/v1/search", json={"question": GULLS_QUERY}) for _ in range(2)]
            refused = client.post("/v1/search", json=picture)
        finally:
            let_go.set()
        assert [answer.status_code for answer in words] == [200, 200] and words[0].json()["hits"]
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:afterimage:overloaded")
        assert refused.headers["retry-after"]
        later = {answer.result().status_code for answer in running}
    assert later == {400, 422}, "they were decoded, and an archive without a visual lane is not searched by pictures"


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("memory_mb", "512", "needs more than 512 MB of memory"),
        ("timeout_s", "0.001", "gave no answer for 0.001 s"),
        ("max_pixels", "99999999", "over the limit of 100 megapixels"),
    ],
)
def test_decoding_for_queries_has_limits_of_its_own(small_home: Path, setting: str, value: str, reason: str) -> None:
    container = open_small_archive(small_home, **{f"serve__query_image_{setting}": value})
    try:
        with pytest.raises(LimitExceeded, match=reason):
            container.query_images.decode(make_flat_png(10_000, complete=True))
        assert container.decoder.limits.memory_mb == container.settings.media.memory_mb
    finally:
        container.close()
