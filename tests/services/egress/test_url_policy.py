"""Reach: which URLs may be asked for, and which addresses connected to."""

from __future__ import annotations

import socket

import pytest

from services.egress.errors import RemoteUnavailable, SourceForbidden
from services.egress.url_policy import UrlPolicy

ANY_HOST = UrlPolicy(None, frozenset(), "SETTING")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://example.org/x", "is no address such as"),
        ("file:///etc/passwd", "is no address such as"),
        ("https:///x", "is no address such as"),
        ("https://example.org:99999/", "is no address such as"),
        ("https://example.org/a\r\nx-evil: 1", "is no address such as"),
        ("https://exämple.org/", "is no address such as"),
        ("https://[::1", "is no address such as"),
        ("https://me:hunter2@example.org/x", "must not hold a name and password"),
    ],
)
def test_what_is_no_plain_web_address_is_refused(url: str, message: str) -> None:
    with pytest.raises(SourceForbidden, match=message) as raised:
        ANY_HOST.validate(url)
    assert "hunter2" not in str(raised.value)


def test_only_listed_hosts_may_be_asked_and_names_below_them_where_a_star_says_so() -> None:
    reach = UrlPolicy(frozenset({"example.org", "*.films.example"}), frozenset({"nas.local"}), "SETTING")
    for url in ("https://example.org/x", "http://EXAMPLE.org./", "https://a.b.films.example/x", "http://nas.local"):
        reach.validate(url)
    for url in ("https://www.example.org/", "https://films.example/", "https://example.org.evil.example/"):
        with pytest.raises(SourceForbidden, match="is not among the hosts of SETTING"):
            reach.validate(url)
    with pytest.raises(SourceForbidden, match="not among"):
        UrlPolicy(frozenset(), frozenset(), "SETTING").validate("https://example.org/")


def test_what_may_be_secret_in_a_url_is_not_repeated() -> None:
    target = ANY_HOST.validate("https://example.org/film.mp4?token=hunter2")
    assert (target.display_url, target.request_target) == ("https://example.org/film.mp4", "/film.mp4?token=hunter2")


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.9.9.9", "localhost", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2130706433", "0x7f.1", "127.1"),
    ],
)
def test_an_address_that_is_not_public_is_refused_in_whatever_way_it_is_written(host: str) -> None:
    with pytest.raises(SourceForbidden, match="is not a public one"):
        ANY_HOST.resolve(host, 80)


def test_a_public_address_may_be_connected_to() -> None:
    assert ANY_HOST.resolve("93.184.215.14", 443) == ["93.184.215.14"]
    assert ANY_HOST.resolve("2606:2800:21f:cb07:6820:80da:af6b:8b2c", 443) == ["2606:2800:21f:cb07:6820:80da:af6b:8b2c"]


def test_one_private_address_among_public_ones_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in ("93.184.215.14", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(SourceForbidden, match=r"mixed.example: its address 10.0.0.1 is not a public one"):
        ANY_HOST.resolve("mixed.example", 80)


def test_a_private_address_is_reached_where_the_settings_say_so() -> None:
    assert UrlPolicy(None, frozenset({"localhost"}), "SETTING").resolve("localhost", 80)[-1] in ("127.0.0.1", "::1")


def test_a_name_that_is_not_known_may_be_known_later() -> None:
    with pytest.raises(RemoteUnavailable, match=r"nowhere.invalid: the name is not known"):
        ANY_HOST.resolve("nowhere.invalid", 80)
