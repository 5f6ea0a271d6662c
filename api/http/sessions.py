"""Session of the page in a browser: the API key in a cookie that scripts cannot read and other sites cannot send."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import Request, Response

COOKIE = "afterimage_key"
"""Form: name of the cookie."""
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Source: RFC 9110, section 9.2.1."""


def session_secret(request: Request) -> str:
    """Return the key of a request from the page itself; empty where there is none, or another site made the request.

    `SameSite=Strict` keeps the cookie from other sites already; what changes something must also come from the page's
    own origin by its `Origin` header, which a subdomain cannot forge.
    """
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return ""
    if request.method not in _SAFE_METHODS:
        origin = request.headers.get("origin", "")
        if urlsplit(origin).netloc != request.headers.get("host"):
            return ""
    return request.cookies.get(COOKIE, "")


def start_session(request: Request, response: Response, secret: str) -> None:
    """Keep a key in the browser until it is closed."""
    response.set_cookie(
        COOKIE, secret, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )


def end_session(response: Response) -> None:
    """Take the key out of the browser."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
