"""The HTTP API as an ASGI app over the services of a container; `afterimage serve` runs it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from importlib import metadata

from anyio import to_thread
from fastapi import FastAPI

from api.http import problems
from api.http.body_limit import BodySizeLimit
from api.http.concurrency import ConcurrencyLimits
from api.http.context import AppContext
from api.http.cors import allow_origins
from api.http.metrics import Metrics
from api.http.open_access import OpenAccess
from api.http.rate_limit import RateLimiter
from api.http.relative_redirects import RelativeRedirects
from api.http.request_log import RequestObserver
from api.http.routes import (
    assets,
    collections,
    health,
    images,
    jobs,
    keys,
    media,
    page,
    search,
    sessions,
    signed_urls,
    summaries,
    tus,
    uploads,
)
from api.http.warmup import ModelWarmup
from api.mcp import http as mcp
from api.openai import embeddings
from api.openai import routes as openai
from api.openapi import customize_openapi, make_operation_id
from indexer.errors import ReadOnlyArchive
from services.access.media_urls import MediaUrlSigner
from services.access.signing_secrets import load_or_create_secret
from services.container import Container
from services.settings import ServeSettings

_log = logging.getLogger(__name__)
_PARTS = (
    health,
    search,
    collections,
    assets,
    images,
    media,
    summaries,
    signed_urls,
    uploads,
    tus,
    jobs,
    keys,
    sessions,
    page,
    openai,
    embeddings,
    mcp,
)
_MB = 1 << 20
"""Form: bytes in a megabyte, the unit of size settings."""


def create_app(container: Container, *, allow_anonymous: bool) -> FastAPI:
    """Build the app over the services of a container.

    `allow_anonymous`: local requests need no key, until the archive has one.
    """
    settings = container.settings.serve
    limits = ConcurrencyLimits.from_settings(settings)
    context = _make_context(container, limits, allow_anonymous)
    mcp_endpoint = mcp.McpEndpoint(container, limits, settings.max_body_mb * _MB)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        limits.size_thread_pool()
        await to_thread.run_sync(_start_background, context)
        async with mcp_endpoint.lifespan():
            yield
        await to_thread.run_sync(context.warmup.wait)

    app = FastAPI(
        title="Afterimage",
        version=metadata.version("afterimage"),
        lifespan=lifespan,
        docs_url="/docs" if settings.docs else None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=make_operation_id,
    )
    app.state.context = context
    app.state.mcp = mcp_endpoint
    _add_middleware(app, settings, context.metrics)
    problems.add_exception_handlers(app)
    for part in _PARTS:
        app.include_router(part.router)
    customize_openapi(app)
    return app


def _make_context(container: Container, limits: ConcurrencyLimits, allow_anonymous: bool) -> AppContext:
    """Make the state that all routes share."""
    warmup = ModelWarmup(container)
    metrics = Metrics(limits, container.background.statistics, container.home, lambda: warmup.state)
    media_urls = _make_media_urls(container)
    open_access = OpenAccess(allow_anonymous, container.api_keys.any_active)
    return AppContext(container, limits, metrics, warmup, RateLimiter(), media_urls, open_access)


def _add_middleware(app: FastAPI, settings: ServeSettings, metrics: Metrics) -> None:
    """Add the middleware of all requests, the innermost first."""
    app.add_middleware(BodySizeLimit, max_bytes=settings.max_body_mb * _MB)
    app.add_middleware(RelativeRedirects)
    allow_origins(app, settings.cors_origins)
    app.add_middleware(RequestObserver, metrics=metrics)


def _make_media_urls(container: Container) -> MediaUrlSigner:
    """Make the signer of media URLs, with the secret of the settings, or with the archive's own, made when needed."""
    stated = container.settings.serve.signed_url_secret.get_secret_value().encode()
    return MediaUrlSigner(cache(lambda: stated or load_or_create_secret(container.database, "media-urls")))


def _start_background(context: AppContext) -> None:
    """Start loading models, and where the archive can be changed, running jobs and watching folders."""
    context.warmup.start()
    if context.container.database.is_read_only:
        _log.warning("%s", ReadOnlyArchive())
        return
    context.container.background.dispatcher.start()
    if context.container.settings.ingest.watch:
        context.container.folder_watcher.start()
