"""What the routes of one server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.http.concurrency import ConcurrencyLimits
from api.http.metrics import Metrics
from api.http.rate_limit import RateLimiter
from api.http.warmup import ModelWarmup
from services.container import Container


@dataclass(frozen=True, slots=True)
class AppContext:
    """The services, how much of them is used at once, and what is counted. `open`: requests need no key."""

    container: Container
    limits: ConcurrencyLimits
    metrics: Metrics
    warmup: ModelWarmup
    rate_limiter: RateLimiter
    allow_anonymous: bool


def _get_context(request: Request) -> AppContext:
    context = request.app.state.context
    assert isinstance(context, AppContext)
    return context


Context = Annotated[AppContext, Depends(_get_context)]
"""The server, as an argument of a route."""
