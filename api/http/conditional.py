"""Conditional requests (RFC 9110, section 13): a client that has the current version of a file is told so with 304."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime
from typing import Annotated

from fastapi import Depends, Header, Response

_DESCRIBING_HEADERS = ("content-type", "content-length", "content-range")
"""Source: RFC 9110, section 15.4.5: a 304 carries no metadata of a body that it does not have."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions of a GET or HEAD: what the client has, by ETag or by date."""

    if_none_match: Annotated[str | None, Header(description="ETags of what the client has.")] = None
    if_modified_since: Annotated[
        str | None, Header(description="`Last-Modified` of what the client has; `If-None-Match` counts before it.")
    ] = None

    def not_modified(self, headers: dict[str, str]) -> Response | None:
        """Return 304 where the client has what would be sent with these headers (`etag`, `last-modified`), else None.

        ETags are compared weakly; a date that is none is ignored.
        """
        if not self._has(headers["etag"], headers.get("last-modified")):
            return None
        kept = {name: value for name, value in headers.items() if name not in _DESCRIBING_HEADERS}
        return Response(status_code=304, headers=kept)

    def _has(self, etag: str, last_modified: str | None) -> bool:
        if self.if_none_match is not None:
            known = [tag.strip().removeprefix("W/") for tag in self.if_none_match.split(",")]
            return etag in known or "*" in known
        if self.if_modified_since is None or last_modified is None:
            return False
        try:
            return parsedate_to_datetime(last_modified) <= parsedate_to_datetime(self.if_modified_since)
        except (ValueError, TypeError, OverflowError):  # TypeError: one of them has no time zone
            return False


ConditionsParam = Annotated[Conditions, Depends()]
"""The conditions of a request, as a parameter of a route."""


def validators(etag: str, modified_at: float) -> dict[str, str]:
    """Return the headers by which a client tells later what it has. `etag` has its quotes; `modified_at`: Unix time."""
    return {"etag": etag, "last-modified": formatdate(modified_at, usegmt=True)}
