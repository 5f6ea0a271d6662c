"""Cross-origin requests (CORS): which pages of other origins may read responses."""

from __future__ import annotations

from collections.abc import Collection

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

_EXPOSED_HEADERS = (
    "Accept-Ranges",
    "Afterimage-Job",
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "Tus-Extension",
    "Tus-Max-Size",
    "Tus-Resumable",
    "Tus-Version",
    "Upload-Expires",
    "Upload-Length",
    "Upload-Offset",
    "X-Request-Id",
)
"""Headers of responses that a page may read, beside those that every page may."""


def allow_origins(app: FastAPI, origins: Collection[str]) -> None:
    """Let pages of these origins (`*`: of any) call the API with a key. No cookie is sent, since none is known."""
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(origins),
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=_EXPOSED_HEADERS,
        )
