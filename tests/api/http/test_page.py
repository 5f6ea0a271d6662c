"""The page's files: from this server alone, cached by what they hold, compressed where the browser takes it."""

from __future__ import annotations

import re

import httpx2
import pytest


@pytest.mark.parametrize("path", ["/", "/library", "/jobs", "/summaries", "/settings", "/v/00", "/d/00", "/p/00"])
def test_every_address_of_the_page_gives_it(read_only_client: httpx2.Client, path: str) -> None:
    page = read_only_client.get(path)
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert page.headers["cache-control"] == "no-cache"
    head = read_only_client.head(path)
    assert head.status_code == 200 and head.headers["content-length"] == page.headers["content-length"]


def test_files_are_cached_for_ever_and_compressed(read_only_client: httpx2.Client) -> None:
    names = re.findall(r'(?:src|href)="(/assets/[^"]+)"', read_only_client.get("/").text)
    assert {name.rpartition(".")[2] for name in names} == {"js", "css", "svg"}
    for name in names:
        packed = read_only_client.get(name, headers={"accept-encoding": "gzip"})
        plain = read_only_client.get(name, headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
        assert packed.content == plain.content
        assert "immutable" in packed.headers["cache-control"] and packed.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize("name", ["gone.js", "..%2findex.html", "%2e%2e%2f%2e%2e%2fpage.py", "a" * 300 + ".js"])
def test_nothing_else_is_sent(read_only_client: httpx2.Client, name: str) -> None:
    assert read_only_client.get(f"/assets/{name}").status_code in (404, 422)
