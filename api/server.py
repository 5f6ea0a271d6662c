"""What the routes of one server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.metrics import Metrics
from api.rates import Rates
from api.turns import Turns
from api.warming import Models
from services.container import Container


@dataclass(frozen=True, slots=True)
class Server:
    """The services, how much of them is used at once, and what is counted. `open`: requests need no key."""

    container: Container
    turns: Turns
    metrics: Metrics
    models: Models
    rates: Rates
    open: bool


def _served(request: Request) -> Server:
    server = request.app.state.server
    assert isinstance(server, Server)
    return server


Served = Annotated[Server, Depends(_served)]
"""The server, as an argument of a route."""
