"""The HTTP API: `create_app` makes it of services; `afterimage serve` runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import metadata

from anyio import to_thread
from fastapi import FastAPI

from api import problems
from api.limited import Limited
from api.mcp import http as mcp
from api.metrics import Metrics
from api.observing import Observed
from api.openapi import describe
from api.rates import Rates
from api.routes import assets, chat, collections, finding, health, jobs, keys, media, pictures, tus, uploads
from api.server import Server
from api.turns import Turns
from api.warming import Models
from services.container import Container

_MB = 1 << 20


def create_app(container: Container, *, open_to_all: bool) -> FastAPI:
    """The app over these services. `open_to_all`: requests need no key."""
    settings = container.settings.serve
    turns = Turns.of(settings)
    server = Server(container, turns, Metrics(turns, container.jobs.counts), Models(container), Rates(), open_to_all)
    endpoint = mcp.McpEndpoint(container, turns, settings.body_mb * _MB)

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        await to_thread.run_sync(server.models.start)
        await to_thread.run_sync(container.dispatch.start)
        async with endpoint.running():
            yield
        await to_thread.run_sync(server.models.wait)

    app = FastAPI(
        title="Afterimage",
        version=metadata.version("afterimage"),
        lifespan=life,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.server = server
    app.add_middleware(Limited, most_bytes=settings.body_mb * _MB)
    app.state.mcp = endpoint
    app.add_middleware(Observed, metrics=server.metrics)
    problems.install(app)
    for part in (health, finding, collections, assets, pictures, media, uploads, tus, jobs, keys, chat, mcp):
        app.include_router(part.router)
    describe(app)
    return app
