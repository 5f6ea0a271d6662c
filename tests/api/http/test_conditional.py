"""What a client has is not sent again: pictures, media and clips by ETag and date, clips in ranges too."""

from __future__ import annotations

from email.utils import formatdate, parsedate_to_datetime

import httpx2
import pytest

FILM_PATHS = ("media", "frames/3", "clip?start_s=4&end_s=5&max_px=160")
PATHS = (("gulls.mp4", FILM_PATHS), ("prices.pdf", ("media", "pages/2")), ("red.png", ("media", "picture")))
ALL = [(name, path) for name, paths in PATHS for path in paths]
every_file = pytest.mark.parametrize(("name", "path"), ALL)
DAY_S = 86_400


def _url(client: httpx2.Client, name: str, path: str) -> str:
    (asset,) = (one for one in client.get("/v1/assets").json()["items"] if one["name"] == name)
    return f"/v1/assets/{asset['asset']}/{path}"


@every_file
def test_what_the_client_has_is_not_sent_again(read_only_client: httpx2.Client, name: str, path: str) -> None:
    url = _url(read_only_client, name, path)
    first = read_only_client.get(url)
    etag, date = first.headers["etag"], first.headers["last-modified"]
    for conditions in (
        {"if-none-match": etag},
        {"if-none-match": f'"other", W/{etag}'},
        {"if-none-match": "*"},
        {"if-modified-since": date},
        {"if-none-match": etag, "if-modified-since": formatdate(0, usegmt=True)},
    ):
        for method in ("GET", "HEAD"):
            again = read_only_client.request(method, url, headers=conditions)
            assert (again.status_code, again.content) == (304, b""), (method, conditions)
            assert (again.headers["etag"], again.headers["last-modified"]) == (etag, date)
            assert again.headers["cache-control"] == first.headers["cache-control"]
            assert "content-type" not in again.headers


@every_file
def test_what_the_client_has_not_is_sent(read_only_client: httpx2.Client, name: str, path: str) -> None:
    url = _url(read_only_client, name, path)
    first = read_only_client.get(url)
    modified_s = parsedate_to_datetime(first.headers["last-modified"]).timestamp()
    for conditions in (
        {"if-none-match": '"other"'},
        {"if-none-match": '"other"', "if-modified-since": first.headers["last-modified"]},
        {"if-modified-since": formatdate(modified_s - DAY_S, usegmt=True)},
        {"if-modified-since": "yesterday"},
        {"if-modified-since": "Fri, 99 Zzz 2026 25:61:61 GMT"},
    ):
        again = read_only_client.get(url, headers=conditions)
        assert (again.status_code, again.content) == (200, first.content), conditions


def test_a_clip_comes_whole_or_in_ranges(read_only_client: httpx2.Client) -> None:
    url = _url(read_only_client, "gulls.mp4", FILM_PATHS[-1])
    whole = read_only_client.get(url)
    assert whole.headers["accept-ranges"] == "bytes" and whole.content[4:8] == b"ftyp"
    part = read_only_client.get(url, headers={"range": "bytes=0-1"})
    assert (part.status_code, part.content) == (206, whole.content[:2])
    assert part.headers["content-range"] == f"bytes 0-1/{len(whole.content)}"
    rest = read_only_client.get(url, headers={"range": "bytes=2-", "if-range": part.headers["etag"]})
    assert rest.content == whole.content[2:]
    assert read_only_client.get(url, headers={"range": f"bytes={len(whole.content)}-"}).status_code == 416
    head = read_only_client.head(url)
    assert (head.status_code, head.content) == (200, b"")
    for header in ("content-length", "content-type", "etag", "last-modified", "accept-ranges"):
        assert head.headers[header] == whole.headers[header]
    other = read_only_client.head(url.replace("end_s=5", "end_s=4.5"))
    assert other.headers["etag"] != whole.headers["etag"]


def test_a_clip_that_cannot_be_cut_has_no_head(read_only_client: httpx2.Client) -> None:
    film, photo = (_url(read_only_client, name, "clip") for name in ("gulls.mp4", "red.png"))
    for url, status in ((f"{film}?start_s=50&end_s=60", 404), (f"{photo}?start_s=0&end_s=1", 404)):
        assert read_only_client.head(url).status_code == status
    assert read_only_client.head(f"{film}?start_s=0&end_s=500").status_code == 413
