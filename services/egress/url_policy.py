"""Which machines may be spoken to: a URL that someone sent is no way into the network behind this one."""

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
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class AllowedUrl:
    """A URL, taken apart once: what was checked is what is spoken to. `name` is what people may see of it."""

    url: str
    display_url: str
    scheme: str
    host: str
    port: int
    request_target: str


@dataclass(frozen=True, slots=True)
class UrlPolicy:
    """Hosts by name, `*.example.org` for all below one. `hosts` may be spoken to (None: all); `private` are those of
    them whose addresses may be private, loopback or link-local. `setting` is where people open others.
    """

    allowed_hosts: frozenset[str] | None
    private_hosts: frozenset[str]
    setting_name: str

    def validate(self, url: str) -> AllowedUrl:
        """The URL, if its form and host are allowed; no name is resolved yet. Errors: NotAllowed."""
        parts = _split_url(url)
        host = _normalize_host(parts)
        if parts.scheme not in _DEFAULT_PORTS or not host:
            raise SourceForbidden(f"{_redact_url(url)}: is no address such as https://example.org/film.mp4")
        if parts.username is not None or parts.password is not None:
            raise SourceForbidden(f"{parts.scheme}://{host}: a URL must not hold a name and password")
        if self.allowed_hosts is not None and not _matches_any(host, self.allowed_hosts | self.private_hosts):
            raise SourceForbidden(f"{_redact_url(url)}: {host} is not among the hosts of {self.setting_name}")
        path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        return AllowedUrl(url, _redact_url(url), parts.scheme, host, parts.port or _DEFAULT_PORTS[parts.scheme], path)

    def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of which are allowed. Errors: NotAllowed, AddressUnavailable."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RemoteUnavailable(f"{host}: the name is not known ({error})") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not _matches_any(host, self.private_hosts):
            _check_public(host, addresses)
        return addresses


def _split_url(url: str) -> SplitResult:
    try:
        if any(ord(char) <= 32 or ord(char) > 126 for char in url):
            raise ValueError
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SourceForbidden(f"{_redact_url(url)}: is no address such as https://example.org/film.mp4") from error
    return parts


def _normalize_host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".").lower()


def _matches_any(host: str, hosts: Iterable[str]) -> bool:
    return any(fnmatchcase(host, pattern.lower()) for pattern in hosts)


def _check_public(host: str, addresses: Iterable[str]) -> None:
    for address in addresses:
        if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise SourceForbidden(f"{host}: its address {address} is not a public one")


def _is_public(address: _Address) -> bool:
    """Whether it is an address of the open internet; of one that holds another inside, whether both are."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public(inner)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _redact_url(url: str) -> str:
    """A URL for people: without what may be secret in it, and not too long."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in url.partition("?")[0])
    scheme, slashes, rest = line.partition("//")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"[:200]
