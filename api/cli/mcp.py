"""`afterimage mcp`."""

from __future__ import annotations

from api.cli.console import services


def mcp() -> None:
    """Serve the archive to an assistant, as tools of the Model Context Protocol.

    The assistant starts this command and speaks with it over its standard input and output. `afterimage serve` has the
    same tools at `/mcp`, for those who hold a key.
    """
    from api.mcp.callers import local_user
    from api.mcp.server import serve_pipes
    from api.turns import Turns

    with services() as container:
        container.make()
        serve_pipes(container, Turns.of(container.settings.serve), local_user)
