"""SSRF policy: which hosts and addresses outbound requests may reach."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from services.egress.errors import RemoteUnavailable, SourceForbidden

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Source: RFC 6052, the well-known prefix of IPv4 addresses inside IPv6."""
DEFAULT_PORTS = {"https": 443, "http": 80}
"""Source: RFC 9110, sections 4.2.1 and 4.2.2."""
_MAX_DISPLAY_CHARS = 200
"""Form: length of a URL in messages."""


@dataclass(frozen=True, slots=True)
class AllowedUrl:
    """URL that the policy allows, parsed once, so that the request goes to what was checked.

    `display_url` is the URL without secrets, for messages; `request_target` is path and query.
    """

    url: str
    display_url: str
    scheme: str
    host: str
    port: int
    request_target: str


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """Allow-list of hosts by name or pattern (`*.example.org` for all subdomains).

    `allowed_hosts` may be requested, None for all. Only `private_hosts` may have private, loopback or link-local
    addresses. `setting_name` is the setting that allows further hosts, for messages.
    """

    allowed_hosts: frozenset[str] | None
    private_hosts: frozenset[str]
    setting_name: str

    def validate(self, url: str) -> AllowedUrl:
        """Return the parsed URL if its form and host are allowed; no name is resolved yet. Errors: SourceForbidden."""
        parts = _split_url(url)
        host = _normalize_host(parts)
        if parts.scheme not in DEFAULT_PORTS or not host:
            raise SourceForbidden(f"{_redact_url(url)}: is no address such as https://example.org/film.mp4")
        if parts.username is not None or parts.password is not None:
            raise SourceForbidden(f"{parts.scheme}://{host}: a URL must not hold a name and password")
        if self.allowed_hosts is not None and not _matches_any(host, self.allowed_hosts | self.private_hosts):
            raise SourceForbidden(f"{_redact_url(url)}: {host} is not among the hosts of {self.setting_name}")
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return AllowedUrl(url, _redact_url(url), parts.scheme, host, parts.port or DEFAULT_PORTS[parts.scheme], path)

    def resolve(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host, all of them allowed. Errors: SourceForbidden, RemoteUnavailable."""
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RemoteUnavailable(f"{host}: the name is not known ({error})") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        if not _matches_any(host, self.private_hosts):
            _check_public(host, addresses)
        return addresses


def _split_url(url: str) -> SplitResult:
    """Return the parts of a URL of printable ASCII. Errors: SourceForbidden."""
    try:
        if any(ord(char) <= 32 or ord(char) > 126 for char in url):
            raise ValueError
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SourceForbidden(f"{_redact_url(url)}: is no address such as https://example.org/film.mp4") from error
    return parts


def _normalize_host(parts: SplitResult) -> str:
    """Return the host in lower case, without the dot of a fully qualified name."""
    return (parts.hostname or "").rstrip(".").lower()


def _matches_any(host: str, patterns: Iterable[str]) -> bool:
    """Return True if the host matches one of the patterns."""
    return any(fnmatchcase(host, pattern.lower()) for pattern in patterns)


def _check_public(host: str, addresses: Iterable[str]) -> None:
    """Raise SourceForbidden if one of the addresses is not public."""
    for address in addresses:
        if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise SourceForbidden(f"{host}: its address {address} is not a public one")


def _is_public(address: _Address) -> bool:
    """Return True for an address of the public internet; an address that embeds an IPv4 one is judged by that one."""
    if isinstance(address, ipaddress.IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if embedded is None and address in _NAT64:
            embedded = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if embedded is not None:
            return _is_public(embedded)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _redact_url(url: str) -> str:
    """Return the URL for messages: without query, name and password, and not too long."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in url.partition("?")[0])
    scheme, slashes, rest = line.partition("//")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"[:_MAX_DISPLAY_CHARS]
