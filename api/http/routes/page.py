"""The page in a browser: its files as they were built, from this server alone."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi import Path as PathParam
from fastapi.responses import FileResponse

router = APIRouter(include_in_schema=False)
BUILT = Path(__file__).parents[2] / "web" / "dist"
"""Form: where `make install` builds the page; a wheel that was made after it has it."""
_METHODS = ["GET", "HEAD"]
_CACHE_FOR_EVER, _REVALIDATE = "public, max-age=31536000, immutable", "no-cache"
_CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
"""Chosen: nothing from another host, no inline scripts or styles; pictures that were pasted are blobs."""
_HEADERS = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@router.api_route("/", methods=_METHODS)
@router.api_route("/library", methods=_METHODS)
@router.api_route("/summaries", methods=_METHODS)
@router.api_route("/jobs", methods=_METHODS)
@router.api_route("/settings", methods=_METHODS)
@router.api_route("/v/{asset_id}", methods=_METHODS)
@router.api_route("/d/{asset_id}", methods=_METHODS)
@router.api_route("/p/{asset_id}", methods=_METHODS)
def show_page_in_browser() -> Response:
    """Send the page; what it shows is in the address, which the page itself reads."""
    index = BUILT / "index.html"
    if not index.is_file():
        raise HTTPException(404, "the page in a browser was not built: make install")
    return FileResponse(index, headers=_HEADERS | {"cache-control": _REVALIDATE})


@router.api_route("/assets/{name}", methods=_METHODS)
def show_file_of_page(
    request: Request, name: Annotated[str, PathParam(max_length=200, pattern=r"^[\w-]+(\.[\w-]+)+$")]
) -> Response:
    """Send a script, style or picture of the page; its name has the hash of what it holds."""
    path = BUILT / "assets" / name
    if not path.is_file():
        raise HTTPException(404, "no such file of the page: reload it")
    headers = _HEADERS | {"cache-control": _CACHE_FOR_EVER, "vary": "accept-encoding"}
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = path.with_name(f"{name}.gz")
    if "gzip" in request.headers.get("accept-encoding", "") and compressed.is_file():
        return FileResponse(compressed, media_type=kind, headers=headers | {"content-encoding": "gzip"})
    return FileResponse(path, media_type=kind, headers=headers)
