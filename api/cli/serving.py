"""`afterimage serve`."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import typer

from api.cli.console import services
from indexer.errors import SettingsError

_PORT = 8765


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0: a free one.")] = _PORT,
) -> None:
    """Serve the archive over HTTP; `/openapi.json` describes the API.

    Ctrl-C or SIGTERM ends it: answers that are being written are finished first, for AFTERIMAGE_SERVE__GRACE_S.
    """
    import uvicorn  # the other commands need no server

    from api import logs
    from api.app import create_app

    with services() as container:
        open_to_all = is_loopback(host)
        if not open_to_all:
            raise SettingsError(f"{host}: keys are needed where others can reach the server")
        container.make()
        logs.install()
        app = create_app(container, open_to_all=open_to_all)
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=container.settings.serve.grace_s,
        )
        uvicorn.Server(config).run()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
