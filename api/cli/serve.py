"""Command `afterimage serve`: serve the HTTP API."""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import open_container
from indexer.errors import SettingsError
from services.settings import ServeSettings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Config, Server

_log = logging.getLogger(__name__)
_EXPOSED = "listening on %s, beyond this machine: keys travel unencrypted unless a proxy adds TLS (docs/proxies.md)"
_DEFAULT_PORT = 8765
"""Chosen: free on most machines, and easy to remember."""


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: a free one.")] = _DEFAULT_PORT,
) -> None:
    """Serve the archive over HTTP.

    `/openapi.json` describes the API. As long as there are no keys, everyone on this machine may ask, and nobody else
    can. Once there are (`afterimage keys create`), every request needs one, from wherever it comes; a server that is
    running already closes by itself.

    Ctrl-C or SIGTERM ends it, with exit code 0: answers that are being written are finished first, for at most
    AFTERIMAGE_SERVE__SHUTDOWN_GRACE_S seconds.
    """
    import uvicorn  # here, since the other commands need no server

    from api.app import create_app
    from api.http.auth import is_loopback
    from services.structured_logging import configure_logging
    from services.tracing import configure_exporter

    with open_container() as container:
        allow_anonymous = not container.api_keys.any_active()
        if allow_anonymous and not is_loopback(host):
            raise SettingsError(f"others can reach {host}, so keys are needed: `afterimage keys create` makes one")
        container.instantiate()
        configure_logging()
        configure_exporter("afterimage")
        if not is_loopback(host):
            _log.warning(_EXPOSED, host)
        app = create_app(container, allow_anonymous=allow_anonymous)
        _serve_until_stopped(uvicorn.Server(_make_config(app, host, port, container.settings.serve)))


def _make_config(app: FastAPI, host: str, port: int, settings: ServeSettings) -> Config:
    """Make the configuration of uvicorn; forwarded addresses are believed from trusted proxies alone."""
    import uvicorn

    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=sorted(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )


def _serve_until_stopped(server: Server) -> None:
    """Serve until SIGTERM or Ctrl-C, and return then.

    uvicorn sends itself the signal that stopped it again afterwards, which would end the process uncleanly.
    """

    def stop(*_: object) -> None:
        server.should_exit = True

    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = {number: signal.signal(number, stop) for number in numbers}
    try:
        server.run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
