"""`afterimage serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.console import services
from indexer.errors import SettingsError

_PORT = 8765


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0: a free one.")] = _PORT,
) -> None:
    """Serve the archive over HTTP.

    `/openapi.json` describes the API. As long as there are no keys, everyone on this machine may ask, and nobody else
    can. Once there are (`afterimage keys create`), every request needs one, from wherever it comes; a server that runs
    already is told by starting it anew.

    Ctrl-C or SIGTERM ends it: answers that are being written are finished first, for AFTERIMAGE_SERVE__GRACE_S.
    """
    import uvicorn  # here, since the other commands need no server

    from api import logs
    from api.app import create_app
    from api.auth import is_loopback

    with services() as container:
        open_to_all = not container.keys.usable()
        if open_to_all and not is_loopback(host):
            raise SettingsError(f"others can reach {host}, so keys are needed: `afterimage keys create` makes one")
        container.make()
        logs.install()
        config = uvicorn.Config(
            create_app(container, open_to_all=open_to_all),
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=container.settings.serve.grace_s,
        )
        uvicorn.Server(config).run()
