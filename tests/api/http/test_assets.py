"""Collections, assets, pictures, media and clips over HTTP."""

from __future__ import annotations

import base64
import email
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import av
import httpx2
import numpy as np
import pytest
from PIL import Image

from indexer.media.sandbox.client import SandboxedDecoder
from tests.support.small_archive import (
    GULLS_QUERY,
    GULLS_SENTENCE,
    HARBOUR,
    ROPE_QUERY,
    ROPE_SENTENCE,
    SHORE,
    VIDEO_FPS,
    VIDEO_S,
)
from tests.support.video_fixtures import read_number
from tests.support.waiting import wait_for

CLIP_S = 1.2


def _assets_by_name(client: httpx2.Client) -> dict[str, dict[str, object]]:
    return {str(asset["name"]): asset for asset in client.get("/v1/assets").json()["items"]}


def _asset_id(client: httpx2.Client, name: str) -> str:
    return str(_assets_by_name(client)[name]["asset"])


def _decode_pixels(response: httpx2.Response) -> np.ndarray:
    with Image.open(io.BytesIO(response.content)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_words_are_found_and_answered_from(read_only_client: httpx2.Client) -> None:
    (hit,) = read_only_client.post("/v1/search", json={"question": GULLS_QUERY}).json()["hits"]
    assert (hit["name"], hit["start_s"], hit["end_s"], hit["text"]) == ("gulls.mp4", 2.0, 6.0, GULLS_SENTENCE)
    said = read_only_client.post("/v1/ask", json={"question": ROPE_QUERY}).json()
    assert said["answer"] == ROPE_SENTENCE and said["sentences"][0]["citations"][0]["page"] == 2


def test_collections_say_how_much_they_hold(read_only_client: httpx2.Client) -> None:
    assert read_only_client.get("/v1/collections").json() == [
        {"name": HARBOUR, "assets": 1},
        {"name": SHORE, "assets": 2},
    ]


def test_a_list_comes_in_parts_that_add_up(read_only_client: httpx2.Client) -> None:
    whole = read_only_client.get("/v1/assets").json()
    assert whole["after"] is None and {one["name"] for one in whole["items"]} == {"gulls.mp4", "red.png", "prices.pdf"}
    items, after = [], ""
    while after is not None:
        part = read_only_client.get("/v1/assets", params={"limit": 1} | ({"after": after} if after else {})).json()
        assert len(part["items"]) == 1
        items, after = items + part["items"], part["after"]
    assert items == whole["items"]
    only = read_only_client.get("/v1/assets", params={"collection": HARBOUR}).json()["items"]
    assert [one["name"] for one in only] == ["prices.pdf"]


def test_assets_are_listed_by_a_part_of_their_names(read_only_client: httpx2.Client) -> None:
    def list_names(part: str) -> list[str]:
        return [item["name"] for item in read_only_client.get("/v1/assets", params={"name": part}).json()["items"]]

    assert (list_names("GULL"), list_names("ces.p"), list_names("%"), list_names("_")) == (
        ["gulls.mp4"],
        ["prices.pdf"],
        [],
        [],
    )


def test_texts_are_listed_with_their_places(read_only_client: httpx2.Client) -> None:
    video, document = (_asset_id(read_only_client, name) for name in ("gulls.mp4", "prices.pdf"))
    (spoken,) = read_only_client.get(f"/v1/assets/{video}/texts").json()["items"]
    assert (spoken["text"], spoken["start_s"], spoken["end_s"]) == (GULLS_SENTENCE, 2.0, 6.0)
    pages = read_only_client.get(f"/v1/assets/{document}/texts", params={"limit": 1}).json()
    assert (pages["items"][0]["page"], pages["after"]) == (1, "1")
    (second,) = read_only_client.get(f"/v1/assets/{document}/texts", params={"page": 2}).json()["items"]
    (line,) = second["lines"]
    assert second["text"][line["start"] : line["end"]] == ROPE_SENTENCE
    assert abs(line["box"][0] - 72 / 595.28) < 0.01


def test_a_video_without_a_summary_has_none(read_only_client: httpx2.Client) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/summary"
    assert read_only_client.get(address).json() is None
    assert read_only_client.get(address, params={"format": "markdown"}).status_code == 404


def test_an_asset_is_told_in_full(read_only_client: httpx2.Client) -> None:
    shown = read_only_client.get(f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}").json()
    assert shown["duration_s"] == pytest.approx(VIDEO_S) and shown["collections"] == [SHORE]
    assert shown["memory"] is None and len(shown["version"]) > 8
    assert read_only_client.get(f"/v1/assets/{shown['asset']}/memory").json() is None


def test_key_frames_are_listed_and_shown_by_their_times(read_only_client: httpx2.Client) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/frames"
    part = read_only_client.get(address, params={"limit": 2}).json()
    rest = read_only_client.get(address, params={"after": part["after"]}).json()
    frames = part["items"] + rest["items"]
    assert frames[0]["start_s"] == 0.0 and frames[-1]["end_s"] == pytest.approx(VIDEO_S) and rest["after"] is None
    for frame in frames:
        shown = read_only_client.get(f"{address}/{frame['start_s']}")
        assert shown.headers["content-type"] == "image/jpeg"
        assert read_number(_decode_pixels(shown)) == round(frame["start_s"] * VIDEO_FPS)
    assert read_only_client.get(f"{address}/{VIDEO_S + 1}").status_code == 404


def test_pages_and_photos_are_shown(read_only_client: httpx2.Client) -> None:
    document, photo = _asset_id(read_only_client, "prices.pdf"), _asset_id(read_only_client, "red.png")
    assert _decode_pixels(read_only_client.get(f"/v1/assets/{document}/pages/2")).min() < 128
    assert tuple(_decode_pixels(read_only_client.get(f"/v1/assets/{photo}/picture"))[45, 80]) == pytest.approx(
        (200, 30, 60), abs=6
    )
    for wrong in (f"{document}/pages/3", f"{document}/picture", f"{photo}/pages/1", f"{photo}/frames/0"):
        assert read_only_client.get(f"/v1/assets/{wrong}").status_code == 404, wrong


def test_a_picture_is_given_in_the_size_and_form_that_is_asked_for(read_only_client: httpx2.Client) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/frames/0"
    small = read_only_client.get(address, params={"max_px": 160, "format": "webp"})
    assert small.headers["content-type"] == "image/webp" and small.content[8:12] == b"WEBP"
    assert _decode_pixels(small).shape == (90, 160, 3)
    assert _decode_pixels(read_only_client.get(address, params={"max_px": 4000})).shape == (180, 320, 3)


def test_a_picture_that_the_client_has_is_not_sent_again(read_only_client: httpx2.Client) -> None:
    asset = read_only_client.get(f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}").json()
    address = f"/v1/assets/{asset['asset']}/frames/3"
    first = read_only_client.get(address)
    assert first.headers["cache-control"] == "private, no-cache"
    again = read_only_client.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert read_only_client.get(address, params={"max_px": 100}).headers["etag"] != first.headers["etag"]
    pinned = read_only_client.get(address, params={"version": asset["version"]})
    assert pinned.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert pinned.headers["etag"] == first.headers["etag"]


def test_media_comes_whole_or_in_ranges(read_only_client: httpx2.Client, small_archive: Path) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/media"
    data = (small_archive / SHORE / "gulls.mp4").read_bytes()
    whole = read_only_client.get(address)
    assert whole.content == data and whole.headers["content-type"] == "video/mp4"
    assert "sandbox" in whole.headers["content-security-policy"]
    part = read_only_client.get(address, headers={"range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(data)}"
    assert read_only_client.get(address, headers={"range": "bytes=-10"}).content == data[-10:]
    beyond = read_only_client.get(address, headers={"range": f"bytes={len(data)}-"})
    assert beyond.status_code == 416 and beyond.headers["content-range"] == f"bytes */{len(data)}"
    assert beyond.headers["content-type"] == "application/problem+json"
    for no_range in ("bytes=a-b", "bytes=-", "bytes=9-3", "lines=1-2", "bytes=1-2,x", "bytes=" + "9" * 5000 + "-"):
        ignored = read_only_client.get(address, headers={"range": no_range})
        assert (ignored.status_code, ignored.content) == (200, data)


def test_several_ranges_come_as_parts(read_only_client: httpx2.Client, small_archive: Path) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/media"
    data = (small_archive / SHORE / "gulls.mp4").read_bytes()
    answer = read_only_client.get(address, headers={"range": f"bytes=-5, 10-19,15-24, {len(data)}-"})
    assert answer.status_code == 206 and answer.headers["content-length"] == str(len(answer.content))
    kind = answer.headers["content-type"]
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + answer.content)
    parts = message.get_payload()
    assert [part.get_content_type() for part in parts] == ["video/mp4"] * 2
    first, last = f"bytes 10-24/{len(data)}", f"bytes {len(data) - 5}-{len(data) - 1}/{len(data)}"
    assert [part["content-range"] for part in parts] == [first, last]
    for wanted in (data[10:25], data[-5:]):
        assert b"\r\n\r\n" + wanted + b"\r\n--" in answer.content


def test_a_range_of_what_has_changed_since_is_all_of_it(read_only_client: httpx2.Client) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/media"
    headers = read_only_client.head(address).headers
    for name, status in ((headers["etag"], 206), (headers["last-modified"], 206), ('"other"', 200)):
        assert read_only_client.get(address, headers={"range": "bytes=0-9", "if-range": name}).status_code == status


def test_who_asks_for_the_head_alone_gets_what_a_get_would_say(read_only_client: httpx2.Client) -> None:
    film, document, photo = (_asset_id(read_only_client, name) for name in ("gulls.mp4", "prices.pdf", "red.png"))
    for path in (f"{film}/media", f"{film}/frames/3", f"{document}/media", f"{document}/pages/2", f"{photo}/picture"):
        head, whole = (read_only_client.request(method, f"/v1/assets/{path}") for method in ("HEAD", "GET"))
        assert (head.status_code, head.content) == (200, b""), path
        for name in ("content-type", "content-length", "etag", "cache-control", "accept-ranges", "last-modified"):
            assert head.headers.get(name) == whole.headers.get(name), (path, name)
        assert read_only_client.head(f"/v1/assets/{path}", headers={"range": "bytes=0-1"}).status_code == 200
    known = read_only_client.head(f"/v1/assets/{film}/frames/3").headers["etag"]
    assert read_only_client.head(f"/v1/assets/{film}/frames/3", headers={"if-none-match": known}).status_code == 304
    for missing in (f"{film}/frames/99", f"{document}/pages/9", f"{'0' * 64}/media"):
        assert read_only_client.head(f"/v1/assets/{missing}").status_code == 404


def test_who_brings_a_picture_waits_for_no_clip(
    read_only_client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutting, let_go, clip = Event(), Event(), SandboxedDecoder.cut_clip

    def slow(media: SandboxedDecoder, path: Path, start_s: float, end_s: float, max_px: int) -> Iterator[bytes]:
        cutting.set()
        wait_for(let_go, "the picture is answered")
        return clip(media, path, start_s, end_s, max_px)

    monkeypatch.setattr(SandboxedDecoder, "cut_clip", slow)
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/clip?start_s=0&end_s=1"
    picture = {"image": base64.b64encode(b"GIF89a but not really").decode()}
    with ThreadPoolExecutor(1) as threads:
        clip_response = threads.submit(read_only_client.get, address)
        wait_for(cutting, "a clip is cut")
        refused = read_only_client.post("/v1/search", json=picture)  # it has been looked at
        let_go.set()
        assert clip_response.result().status_code == 200
    assert refused.json()["type"] == "urn:afterimage:damaged-media"


def test_a_clip_shows_its_stretch(read_only_client: httpx2.Client) -> None:
    address = f"/v1/assets/{_asset_id(read_only_client, 'gulls.mp4')}/clip"
    clip = read_only_client.get(address, params={"start_s": 4, "end_s": 4 + CLIP_S, "max_px": 320})
    assert clip.status_code == 200 and clip.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(clip.content)) as container:
        numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert numbers == list(range(4 * VIDEO_FPS, 4 * VIDEO_FPS + round(CLIP_S * VIDEO_FPS)))
    for start_s, end_s, status in ((3, 3, 422), (0, 500, 413), (50, 60, 404), (-1, 2, 422)):
        assert read_only_client.get(address, params={"start_s": start_s, "end_s": end_s}).status_code == status
    assert (
        read_only_client.get(f"/v1/assets/{_asset_id(read_only_client, 'red.png')}/clip?start_s=0&end_s=1").status_code
        == 404
    )
