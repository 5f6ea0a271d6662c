"""Command `afterimage serve`: serve the HTTP API."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.console import open_container
from indexer.errors import SettingsError

if TYPE_CHECKING:
    from uvicorn import Server

_DEFAULT_PORT = 8765
"""Chosen: free on most machines, and easy to remember."""


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: a free one.")] = _DEFAULT_PORT,
) -> None:
    """Serve the archive over HTTP.

    `/openapi.json` describes the API. As long as there are no keys, everyone on this machine may ask, and nobody else
    can. Once there are (`afterimage keys create`), every request needs one, from wherever it comes; restart a server
    that is running already.

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
        config = uvicorn.Config(
            create_app(container, allow_anonymous=allow_anonymous),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=container.settings.serve.shutdown_grace_s,
        )
        _serve_until_stopped(uvicorn.Server(config))


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
