"""The state that all routes of one server share, as a dependency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.http.concurrency import ConcurrencyLimits
from api.http.metrics import Metrics
from api.http.open_access import OpenAccess
from api.http.rate_limit import RateLimiter
from api.http.warmup import ModelWarmup
from services.access.media_urls import MediaUrlSigner
from services.container import Container


@dataclass(frozen=True, slots=True)
class AppContext:
    """The services of a server, its limits and its metrics; `open_access` tells whether local requests need no key."""

    container: Container
    limits: ConcurrencyLimits
    metrics: Metrics
    warmup: ModelWarmup
    rate_limiter: RateLimiter
    media_urls: MediaUrlSigner
    open_access: OpenAccess


async def _get_context(request: Request) -> AppContext:
    """Return the context of the app; asynchronous, since FastAPI would run a plain function in a thread."""
    context = request.app.state.context
    assert isinstance(context, AppContext)
    return context


Context = Annotated[AppContext, Depends(_get_context)]
"""The server's context, as a parameter of a route."""
